"""Secrets as files: where `init` keeps them, and where every command finds them again.

Those of the room file `kitchen.yaml` are in the folder `credentials/kitchen` beside it, each in a file of its name:

    credentials/kitchen/mqtt_password
    credentials/kitchen/openai_api_key

So it is at home, and so it is in `/etc/voice-node`, from where systemd hands them to the service.
"""

import os
from collections.abc import Mapping
from pathlib import Path

from voice_node.model.errors import ConfigError

VARIABLES = {"openai_api_key": "OPENAI_API_KEY", "mqtt_password": "MQTT_PASSWORD", "pin": "VOICE_NODE_PIN"}
"""Secret -> the environment variable that holds it as well."""
_FOLDER = "credentials"
_PLACE = "CREDENTIALS_DIRECTORY"
"""systemd's variable; where it is set, secrets are nowhere else."""


def folder_of(path: Path) -> Path:
    """Where the secrets of the room file at `path` are."""
    return path.absolute().parent / _FOLDER / path.stem


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


def with_stored(environ: Mapping[str, str], path: Path) -> dict[str, str]:
    """The environment, with the place of the secrets of the room file at `path`, if this user can read there."""
    folder = folder_of(path)
    if environ.get(_PLACE) or not os.access(folder, os.R_OK | os.X_OK):
        return dict(environ)
    return {**environ, _PLACE: str(folder)}


def who_may_read(path: Path) -> str:
    """What to add where a secret of the room file at `path` is missing: it may be one that only root reads."""
    folder = folder_of(path).parent
    return f" ({folder} is not for this user to read: is this for `sudo`?)" if _is_shut(folder) else ""


def _is_shut(folder: Path) -> bool:
    return folder.is_dir() and not os.access(folder, os.R_OK | os.X_OK)


def take_stored(path: Path) -> None:
    """Say so in this process's own environment, for a room that shall run in it."""
    os.environ.update(with_stored(os.environ, path))
