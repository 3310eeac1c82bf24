"""Secrets: read from where they belong, and found where they do not."""

import re
import stat
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from voice_node.model.errors import ConfigError
from voice_node.settings.checks import strings
from voice_node.settings.problem import KeyPath, Problem, looks_secret
from voice_node.settings.schema import RoomSettings
from voice_node.settings.wording import fields_at

LARGEST_BYTES = 16 * 1024
_CLOUD = ("openai", "azure", "xai")
_SECRET_KEY = re.compile(
    r"(?:.*[_.])?(?:pass|passwd|password|passphrase|api_?key|private_?key|token|secret|bearer|authorization)",
    re.IGNORECASE,
)
_ONLY_PLACEHOLDER = re.compile(r"\{[A-Za-z0-9_-]+\}")


def _give(file: str, variable: str) -> str:
    return f"give it in the file `credentials/NAME/{file}` beside NAME.yaml or in the environment variable {variable}"


_PLACES = {
    "openai_api_key": _give("openai_api_key", "OPENAI_API_KEY"),
    "mqtt_password": _give("mqtt_password", "MQTT_PASSWORD"),
    "pin": _give("pin", "VOICE_NODE_PIN"),
}
_VARIABLES = {"pin": "VOICE_NODE_PIN"}
"""Where the variable is not called like the credential."""


@dataclass(frozen=True, slots=True)
class Secrets:
    """What may not be seen. `repr` and `str` hide the values; `get_secret_value()` tells one."""

    openai_api_key: SecretStr | None = None
    """The key of whichever service the room uses."""
    mqtt_password: SecretStr | None = None
    pin: SecretStr | None = None
    """4 to 12 digits, for tools with `confirm: pin`."""


def read_secrets(environ: Mapping[str, str]) -> Secrets:
    """Read each secret from its file in `$CREDENTIALS_DIRECTORY` (systemd), else from the environment.

    Raises `ConfigError` that names the file or the variable of each one that cannot be used.
    """
    found: dict[str, SecretStr] = {}
    problems = []
    for name in _PLACES:
        try:
            secret = _credential(name, environ)
            if secret is None:
                secret = _variable(_VARIABLES.get(name, name.upper()), environ, name)
        except ConfigError as error:
            problems.append(str(error))
        else:
            if secret is not None:
                found[name] = SecretStr(secret)
    if problems:
        raise ConfigError("\n".join(problems))
    return Secrets(**found)


def read_mcp_tokens(environ: Mapping[str, str], settings: RoomSettings) -> dict[str, SecretStr]:
    """The token of each MCP server that the service calls and that has one, by `server_label`; from the same places.

    Of the label `My-News` it is the credential `mcp_my_news`, or the variable `MCP_MY_NEWS`. Raises `ConfigError`.
    """
    return _tokens(environ, (tool.server_label for tool in settings.session.tools))


def read_own_mcp_tokens(environ: Mapping[str, str], settings: RoomSettings) -> dict[str, SecretStr]:
    """The token of each MCP server that this node calls and that has one, by its name; raises `ConfigError`."""
    return _tokens(environ, (server.name for server in settings.mcp))


def _tokens(environ: Mapping[str, str], labels: Iterable[str]) -> dict[str, SecretStr]:
    tokens = {}
    for label in labels:
        name = "mcp_" + label.lower().replace("-", "_")
        token = _credential(name, environ) or _variable(name.upper(), environ, name)
        if token is not None:
            tokens[label] = SecretStr(token)
    return tokens


def check_secrets(settings: RoomSettings, secrets: Secrets) -> list[str]:
    """What the room needs and has not, one problem a text; each says how to give it."""
    problems = []
    session = settings.session
    if session.provider in _CLOUD and isinstance(session.auth, str) and secrets.openai_api_key is None:
        problems.append(f"session.provider: {session.provider} needs an API key: {_PLACES['openai_api_key']}")
    if settings.mqtt.username is not None and secrets.mqtt_password is None:
        problems.append(f"mqtt.username: a user name needs its password: {_PLACES['mqtt_password']}")
    if secrets.pin is None:
        places = [f"tools[{tool.name}].confirm" for tool in settings.tools if tool.policy == "pin"]
        places += [f"mcp[{server.name}].confirm" for server in settings.mcp if "pin" in server.confirmations]
        problems += [f"{place}: pin needs the code: {_PLACES['pin']}" for place in places]
    return problems


def find_written_secrets(values: Mapping[str, Any]) -> Iterator[Problem]:
    """Secrets that stand in the room file itself. The texts do not repeat them."""
    yield from _named(values, ())
    for path, text in strings(values):
        if looks_secret(text) and not _is_named(path):
            yield Problem(path, _move("this looks like an API key or a token", path))


def _named(value: Any, path: KeyPath) -> Iterator[Problem]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            place = (*path, key)
            if _is_named(place) and _holds_secret(item):
                yield Problem(place, _move("a secret", place))
            else:
                yield from _named(item, place)
            if looks_secret(key):
                yield Problem(place, _move("this key looks like an API key or a token", place))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _named(item, (*path, index))


def _is_named(path: KeyPath) -> bool:
    """Whether the key has a secret's name and is none of the schema."""
    key = path[-1] if path else None
    return (
        isinstance(key, str)
        and _SECRET_KEY.fullmatch(key.replace("-", "_")) is not None
        and key not in fields_at(path[:-1])
    )


def _holds_secret(value: Any) -> bool:
    if isinstance(value, str):
        return bool(value) and _ONLY_PLACEHOLDER.fullmatch(value) is None
    return isinstance(value, int | float) and not isinstance(value, bool)


def _move(what: str, path: KeyPath) -> str:
    place = _PLACES["mqtt_password" if path[0] == "mqtt" else "openai_api_key"]
    if path[:2] == ("session", "tools"):
        place = _give("mcp_<server_label>", "MCP_<SERVER_LABEL>")
    if path[0] == "mcp":
        place = _give("mcp_<name>", "MCP_<NAME>")
    if path[0] == "tools":
        place = "let the automation that answers the call hold it"
    return f"{what}, and a room file is no place for it: delete it here and {place}"


def _credential(name: str, environ: Mapping[str, str]) -> str | None:
    folder = environ.get("CREDENTIALS_DIRECTORY", "")
    if not folder:
        return None
    path = Path(folder) / name
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise ConfigError(f"{path}: is not a regular file: it must hold the secret on its only line")
        with path.open("rb") as file:
            content = file.read(LARGEST_BYTES + 1)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "the path is not valid"
        raise ConfigError(f"{path}: cannot be read: {reason}") from None
    if not content.strip():  # the unit's way to say that there is none
        return None
    if len(content) > LARGEST_BYTES:
        raise ConfigError(f"{path}: is larger than {LARGEST_BYTES} bytes: it must hold the secret alone")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: is not UTF-8 text: it must hold the secret on its only line") from None
    return _usable(text, str(path), name)


def _variable(variable: str, environ: Mapping[str, str], name: str) -> str | None:
    text = environ.get(variable, "")
    return _usable(text, f"environment variable {variable}", name) if text else None


def _usable(text: str, place: str, name: str) -> str:
    secret = text.removesuffix("\n").removesuffix("\r")
    if not secret.strip():
        raise ConfigError(f"{place}: is empty: it must hold the secret on its only line")
    if "\n" in secret or "\r" in secret:
        raise ConfigError(f"{place}: has more than one line: it must hold the secret on its only line")
    if "\0" in secret or any("\ud800" <= char <= "\udfff" for char in secret):
        raise ConfigError(f"{place}: is not UTF-8 text: it must hold the secret on its only line")
    if name == "openai_api_key" and not re.fullmatch(r"[!-~]+", secret):
        raise ConfigError(f"{place}: holds a space or a character that no API key has: it must hold the key alone")
    if name == "pin" and not re.fullmatch(r"[0-9]{4,12}", secret):
        raise ConfigError(f"{place}: must be 4 to 12 digits: it is spoken digit by digit")
    return secret
