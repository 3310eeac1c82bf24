"""Other people's listening paths, each in an environment of its own, with the same recording as ours."""
