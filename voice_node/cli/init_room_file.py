"""A new room file: what was answered, as YAML with comments. Secrets never come here."""

import json
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from voice_node.model.errors import ConfigError
from voice_node.settings.schema import LANGUAGE

PLAIN_PORT = 1883
TLS_PORT = 8883
_PLAIN = re.compile(r"[A-Za-z_]([A-Za-z0-9_. -]*[A-Za-z0-9])?|\d+(\.\d+){3}")
_NOT_TEXT = ("true", "false", "null", "True", "False", "Null", "TRUE", "FALSE", "NULL")

_TEXT = """\
# Room {room}, made by `voice-node init`. Every other key, with its default, stands in config/rooms/kitchen.yaml.
# After a change: voice-node check {file}. No passwords and keys in this file.
room: {room}
name: {name}
language: {language}                  # what is spoken here: en, de, pt-BR ...

capture:
  device: {microphone}               # `voice-node devices` lists them; `voice-node calibrate {file}` finds the gain

playback:
  device: {speaker}               # none: there is no speaker

session:
{session}
mqtt:                         # the broker that Home Assistant uses
{mqtt}
# What it may do. A call arrives on voice_node/{room}/tool/set_light/call, where an automation of
# yours does the work and answers on .../result. Make it yours: other words, more tools.
tools:
  - name: set_light
    description: Switch the light of this room on or off.
    parameters:
      type: object
      properties:
        state: {{type: string, enum: ["on", "off"]}}
      required: [state]
      additionalProperties: false
    say: "The light is {{state}}."
    sentences: ["(turn|switch) {{state}} [the] light", "(turn|switch) [the] light {{state}}"]
"""


@dataclass(frozen=True, slots=True)
class BrokerPlace:
    """Where the broker is."""

    host: str = "127.0.0.1"
    port: int = PLAIN_PORT
    username: str | None = None
    is_tls: bool = False

    @property
    def section(self) -> dict[str, Any]:
        """As the room file has it."""
        return (
            {"host": self.host, "port": self.port}
            | ({} if self.username is None else {"username": self.username})
            | ({"tls": {}} if self.is_tls else {})
        )


@dataclass(frozen=True, slots=True)
class Answers:
    """What a room file is made of; the defaults make a room that runs."""

    room: str
    name: str
    language: str = "en"
    microphone: int | str = "default"
    speaker: int | str = "default"
    broker: BrokerPlace = BrokerPlace()
    provider: str = "local"
    url: str | None = None
    model: str | None = None


def room_id(text: str) -> str:
    """What a person calls a room, as it can stand in topics: `Living Room` is `living_room`; raises ConfigError."""
    found = re.sub(r"[^a-z0-9-]+", "_", text.strip().lower().translate(str.maketrans("äöüß", "aous"))).strip("_")
    if not 1 <= len(found) <= 64:
        raise ConfigError(f"a room needs a name of 1 to 64 letters and digits, such as kitchen, not {text!r}")
    return found


def language_code(text: str) -> str:
    """What is spoken in a room, as the room file takes it: `en`, `pt-BR`; raises ConfigError."""
    if not re.fullmatch(LANGUAGE, text):
        raise ConfigError(f"{text!r} is no code of a language, such as en, de or pt-BR")
    return text


def broker_place(text: str) -> BrokerPlace:
    """`HOST`, `HOST:PORT`, `mqtt://USER@HOST:PORT`, `mqtts://...`; raises ConfigError that repeats no password."""
    parts = urlsplit(text if "//" in text else f"mqtt://{text}")
    if parts.password is not None:
        raise ConfigError(
            "the broker's address is no place for a password: it is asked for, or taken from MQTT_PASSWORD"
        )
    is_tls = parts.scheme in ("mqtts", "ssl")
    try:
        port = parts.port or (TLS_PORT if is_tls else PLAIN_PORT)
    except ValueError:
        port = 0
    if parts.scheme not in ("mqtt", "mqtts", "tcp", "ssl") or not parts.hostname or not port or parts.path.strip("/"):
        raise ConfigError(f"{text!r} is no address of a broker, such as 192.168.1.10 or mqtt://kitchen@broker.lan:1883")
    return BrokerPlace(parts.hostname, port, parts.username or None, is_tls)


def room_file(answers: Answers, file: str) -> str:
    """The YAML text; `file` is what the file will be called."""
    session = {"provider": answers.provider, "url": answers.url, "model": answers.model}
    text = _TEXT.format(
        room=_yaml(answers.room),
        name=_yaml(answers.name),
        language=_yaml(answers.language),
        microphone=_yaml(answers.microphone),
        speaker=_yaml(answers.speaker),
        session=_lines({key: value for key, value in session.items() if value is not None}),
        mqtt=_lines(answers.broker.section),
        file=file,
    )
    return "\n".join(_aligned(line) for line in text.splitlines()) + "\n"


def _lines(section: dict[str, Any]) -> str:
    return "".join(f"  {key}: {_yaml(value)}\n" for key, value in section.items())


def _yaml(value: Any) -> str:
    if isinstance(value, str) and _PLAIN.fullmatch(value) and value not in _NOT_TEXT:
        return value
    return json.dumps(value, ensure_ascii=False)


def _aligned(line: str) -> str:
    """A comment behind a value stands in one column with the others."""
    value, hash_, comment = line.partition("   #")
    return f"{value.rstrip():<29} #{comment}" if hash_ and value.strip() else line
