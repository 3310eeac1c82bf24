"""Where `init` keeps secrets: files that this user alone can read, which the node takes as credentials."""

import os
from collections.abc import Mapping
from pathlib import Path

from voice_node.model.errors import ConfigError


def store(folder: Path, secrets: Mapping[str, str]) -> list[Path]:
    """Write each into a file of its name, mode 0600, in a folder of mode 0700; raises ConfigError."""
    written = []
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name, secret in secrets.items():
            path, temporary = folder / name, folder / f".{name}.new"
            temporary.unlink(missing_ok=True)
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with open(descriptor, "w", encoding="utf-8") as file:  # noqa: PTH123 - it is open already
                file.write(secret + "\n")
                file.flush()
                os.fsync(descriptor)
            temporary.replace(path)
            written.append(path)
    except OSError as error:
        raise ConfigError(f"{folder}: a secret cannot be kept there: {error.strerror}") from None
    return written
