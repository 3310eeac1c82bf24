from voice_node.local.refusal import Refused


def test_it_says_what_where_and_why() -> None:
    refused = Refused("invalid_value", "No.", "session.type")
    assert (refused.code, refused.message, refused.param, str(refused)) == (
        "invalid_value",
        "No.",
        "session.type",
        "No.",
    )
