"""The section `tools`: what the model may ask of home automation."""

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, field_validator

from voice_node.settings.section import Section

Policy = Literal["never", "voice", "mqtt", "pin", "deny"]
"""Whether somebody must confirm a call, and how; `deny`: no call passes."""

_HOURS = re.compile(r"([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d")

_DANGEROUS = re.compile(
    # anywhere in the name, but not in clock, block, flock, indoor, outdoor, doorbell, woven and proven
    r"(?<![bcf])lock|deadbolt|(?<!in)(?<!out)door(?!bell)|garage|alarm|(?<![wr])oven|stove|cooktop|disarm|opengate"
    r"|schloss|riegel|tuer|haustur|tresor|backofen|kochfeld|kochplatte|herdplatte"
    r"|(?:hof|garten|roll|schiebe|einfahrts)tor(?![a-z])"
    r"|serrure|verrou|portail|portillon|coffre|cuisiniere"
    r"|cerradura|cerrojo|candado|puerta|portones|garaje|cochera|horno|vitroceramica"
    r"|(?:voor|achter|tuin|balkon|buiten|kelder|schuur|schuif|garage)deur|grendel|hangslot|kluis|fornuis|kookplaat"
    # only as a word of its own: they are parts of many others
    r"|(?<![a-z])(?:arm|gates?|latch|safe|hob|ofen|herd|tor|tore|tur|portes?|fours?|cerrar|desbloquear|porton|deur|deuren"
    r"|slot|sloten|poort|poorten)(?![a-z])"
)
"""Locks, doors, garages, gates, alarms and ovens, in the languages that the node confirms in."""


def looks_dangerous(name: str) -> bool:
    """Whether a tool of this name is one that a voice from the television must not move."""
    return _DANGEROUS.search(name) is not None


def check_hours(value: str | None) -> str | None:
    """The span of the day, or ValueError."""
    if value is not None and (not _HOURS.fullmatch(value) or value[:5] == value[6:]):
        raise ValueError('must be a span of the day such as "07:00-22:00"')
    return value


def _is_one_topic(value: str) -> str:
    if any(char in value for char in "+#") or value.startswith("$") or not value.isprintable():
        raise ValueError("must be one MQTT topic: without +, # and control characters, and not beginning with $")
    return value


Topic = Annotated[str, Field(min_length=1, max_length=256), AfterValidator(_is_one_topic)]
"""`{argument}` in it stands for an argument's value."""


class ExpectedState(Section):
    """A topic whose next message confirms that a direct publish worked."""

    topic: Topic
    timeout_s: float = Field(default=5, gt=0, le=60)


class DirectPublish(Section):
    """A call that goes straight to a device's topic; `{argument}` stands for an argument's value."""

    topic: Topic
    payload: dict[str, Any] | str


class HomeIntent(Section):
    """An intent of Home Assistant's whose sentences mean this tool."""

    intent: str = Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")
    """`HassTurnOn`."""
    domain: str | None = Field(default=None, pattern=r"^[a-z0-9_-]{1,64}$")
    """Sentences about things of this kind alone: `light`."""
    arguments: dict[str, Any] = Field(default_factory=dict)
    """What the intent itself says: `{state: on}`."""


class Tool(Section):
    """One function that the model may call."""

    name: str = Field(pattern=r"^[a-z0-9_-]{1,64}$")
    description: str = Field(min_length=1, max_length=1024)
    parameters: dict[str, Any] = Field(default_factory=lambda: {"type": "object", "properties": {}})
    timeout_s: float = Field(default=5, gt=0, le=60)
    confirm: Literal["never", "voice", "mqtt", "pin"] | None = None
    """None: nobody asks, and a tool whose name looks dangerous is never called."""
    max_per_minute: int = Field(default=20, ge=1, le=600)
    hours: str | None = None
    offline: bool | None = None
    """None: the local engine may call it unless it asks for confirmation."""
    say: str | None = Field(default=None, min_length=1, max_length=512)
    sentences: list[Annotated[str, Field(min_length=1, max_length=512)]] = Field(default_factory=list, max_length=200)
    intents: list[HomeIntent] = Field(default_factory=list, max_length=16)
    publish: DirectPublish | None = None
    expect: ExpectedState | None = None

    @property
    def policy(self) -> Policy:
        """What the room file writes; of a tool for which it writes nothing, what its name says."""
        return self.confirm or ("deny" if looks_dangerous(self.name) else "never")

    @property
    def works_offline(self) -> bool:
        """Whether the local engine may call it: what somebody must confirm only if the room file says so."""
        return self.policy == "never" if self.offline is None else self.offline

    @field_validator("hours")
    @classmethod
    def _hours_are_a_span(cls, value: str | None) -> str | None:
        return check_hours(value)

    @field_validator("parameters")
    @classmethod
    def _parameters_describe_an_object(cls, value: dict[str, Any]) -> dict[str, Any]:
        if value.get("type") != "object":
            raise ValueError("must be a JSON Schema with `type: object`: the model's arguments are an object")
        return value
