"""Every topic of the MQTT contract, in one place."""

import re
from dataclasses import dataclass

SETTINGS = ("mute", "volume", "wake_word", "gate_snr_db", "hang_over_ms", "follow_up_ms", "budget_usd")
"""What a dashboard tunes: each is heard on `<setting>/set` and told on `<setting>/state`."""

_LEVEL = re.compile(r"[a-z0-9_-]{1,64}")
_PREFIX = re.compile(r"[A-Za-z0-9_-]{1,64}")
_NOT_IN_TOPICS = re.compile(r"[+#\x00-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")
_LONGEST_TOPIC = 65_535
_SPOKEN_FOR = frozenset(
    {"availability", "state", "info", "usage", "health", "speech", "transcript", "event", "tool", "request", *SETTINGS}
)


def is_level(name: str) -> bool:
    """True if `name` may stand as one level of a topic."""
    return _LEVEL.fullmatch(name) is not None


def is_publishable(topic: str) -> bool:
    """True if a broker takes `topic` in a PUBLISH: 1 to 65,535 bytes of whole UTF-8, no wildcard, no control codes."""
    return bool(topic) and not _NOT_IN_TOPICS.search(topic) and len(topic.encode()) <= _LONGEST_TOPIC


@dataclass(frozen=True, slots=True)
class Topics:
    """The topics of one room: all but three start with `<base>/<room>/`.

    Raises:
        ValueError: `base`, `room`, the prefix or a name handed to a method cannot be one level of a topic.
    """

    base: str
    room: str
    discovery_prefix: str = "homeassistant"
    device_filters: tuple[str, ...] = ()
    """Topics of devices that confirm calls; `+` stands for any one level."""
    is_arbitrated: bool = False
    """The room hears the claims of all rooms."""

    def __post_init__(self) -> None:
        _checked(self.base)
        _checked(self.room)
        if not _PREFIX.fullmatch(self.discovery_prefix):
            raise ValueError("the discovery prefix must be 1 to 64 letters, digits, `_` or `-`")

    @property
    def branch(self) -> str:
        """What every topic of this room starts with; it ends with `/`."""
        return f"{self.base}/{self.room}/"

    @property
    def availability(self) -> str:
        """`online` or `offline`."""
        return self.branch + "availability"

    @property
    def state(self) -> str:
        """What the node is doing."""
        return self.branch + "state"

    @property
    def info(self) -> str:
        """What the node is."""
        return self.branch + "info"

    @property
    def usage(self) -> str:
        """Today's totals."""
        return self.branch + "usage"

    @property
    def health(self) -> str:
        """How the node is."""
        return self.branch + "health"

    @property
    def speech(self) -> str:
        """The gate."""
        return self.branch + "speech"

    @property
    def transcript(self) -> str:
        """Final words."""
        return self.branch + "transcript"

    @property
    def partial_transcript(self) -> str:
        """Words that may still change."""
        return self.branch + "transcript/partial"

    def last_words(self, role: str) -> str:
        """What `user` or `assistant` said last, for the sensors *Last transcript* and *Last response*."""
        return f"{self.transcript}/{_checked(role)}"

    @property
    def event(self) -> str:
        """Happenings, for Home Assistant's event entity."""
        return self.branch + "event"

    @property
    def claim(self) -> str:
        """Where all rooms of a home say that they are about to answer."""
        return f"{self.base}/claim"

    @property
    def discovery(self) -> str:
        """Home Assistant's device-based discovery document."""
        return f"{self.discovery_prefix}/device/{self.base}_{self.room}/config"

    @property
    def home_assistant_status(self) -> str:
        """Home Assistant's birth and will."""
        return f"{self.discovery_prefix}/status"

    def call(self, tool: str) -> str:
        """Where a tool call goes."""
        return f"{self.branch}tool/{_checked(tool)}/call"

    def result(self, tool: str) -> str:
        """Where a tool call is answered."""
        return f"{self.branch}tool/{_checked(tool)}/result"

    def request(self, command: str) -> str:
        """Where a request is heard."""
        return f"{self.branch}request/{_checked(command)}"

    def response(self, command: str) -> str:
        """Where a request is answered."""
        return f"{self.branch}response/{_checked(command)}"

    def setting_state(self, setting: str) -> str:
        """Where a setting is told."""
        return f"{self.branch}{_checked(setting)}/state"

    def setting_set(self, setting: str) -> str:
        """Where a setting is heard."""
        return f"{self.branch}{_checked(setting)}/set"

    @property
    def retained(self) -> tuple[str, ...]:
        """Every topic of which the broker may keep something."""
        return (
            self.availability,
            self.state,
            self.info,
            self.usage,
            self.health,
            *(self.setting_state(setting) for setting in SETTINGS),
            *(self.last_words(role) for role in ("user", "assistant")),
            self.discovery,
        )

    @property
    def subscriptions(self) -> tuple[str, ...]:
        """Every filter that the node subscribes to."""
        return (
            f"{self.branch}tool/+/result",
            f"{self.branch}request/+",
            *(self.setting_set(setting) for setting in SETTINGS),
            self.home_assistant_status,
            *((self.claim,) if self.is_arbitrated else ()),
            *self.device_filters,
        )

    def is_of_device(self, topic: str) -> bool:
        """True if `topic` fits a filter of `device_filters`."""
        levels = topic.split("/")
        return any(
            len(wanted) == len(levels) and all(one in ("+", level) for one, level in zip(wanted, levels, strict=True))
            for wanted in (pattern.split("/") for pattern in self.device_filters)
        )

    def below(self, topic: str) -> str:
        """`topic` without the room's branch; another's topic as it is."""
        return topic.removeprefix(self.branch)

    def takes_replies(self, topic: str) -> bool:
        """True if a requester may ask for its response on `topic`.

        Only below this room's branch, so that nobody makes the node publish elsewhere with its rights, and not on a
        topic that the contract gives another meaning.
        """
        first_level = self.below(topic).split("/", 1)[0]
        return topic.startswith(self.branch) and first_level not in ("", *_SPOKEN_FOR) and is_publishable(topic)


def _checked(level: str) -> str:
    if not is_level(level):
        raise ValueError("a level of a topic must be 1 to 64 of a-z, 0-9, `_` and `-`")
    return level
