"""Secrets as files: where `init` keeps them, and where people's commands find them again.

Two places beside a room file, each for its user alone:

    credentials/kitchen/mqtt_password          a person's own, taken by `CREDENTIALS_DIRECTORY`
    credentials/mqtt_password.kitchen          the service's, which systemd hands to the node (see the shipped unit)
"""

import os
from collections.abc import Mapping
from pathlib import Path

from voice_node.model.errors import ConfigError

FOLDER = "credentials"
VARIABLES = {"openai_api_key": "OPENAI_API_KEY", "mqtt_password": "MQTT_PASSWORD", "pin": "VOICE_NODE_PIN"}
"""Secret -> the environment variable that holds it as well."""
_OF_EACH_ROOM = ("mqtt_password", "pin")


def name_for_service(secret: str, room: str) -> str:
    """The file's name in the service's folder."""
    return f"{secret}.{room}" if secret in _OF_EACH_ROOM else secret


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


def with_stored(environ: Mapping[str, str], path: Path, room: str) -> dict[str, str]:
    """The environment, and the secrets that it lacks and this user can read beside the room file at `path`."""
    found = dict(environ)
    if "CREDENTIALS_DIRECTORY" in found:
        return found
    folder = path.absolute().parent / FOLDER
    if os.access(folder / room, os.R_OK | os.X_OK):
        found["CREDENTIALS_DIRECTORY"] = str(folder / room)
        return found
    for secret, variable in VARIABLES.items():
        try:
            text = (folder / name_for_service(secret, room)).read_text(encoding="utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError):
            continue
        if text:
            found.setdefault(variable, text)
    return found
