"""The room file: one class a section. `settings/load` reads YAML into it and finds the line of each error.

What depends on several keys is in `settings/checks`.
"""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from voice_node.settings.local import LocalSettings
from voice_node.settings.mcp import McpServer
from voice_node.settings.section import Section
from voice_node.settings.session import SessionSettings
from voice_node.settings.tools import Tool

DeviceName = Annotated[int, Field(ge=0)] | Annotated[str, Field(min_length=1, max_length=256)]
"""An index, `default`, a part of a device's name, `hw:1,0`, `plughw:1,0`, `pulse:NAME`, or `wav:FILE`."""

FileName = Annotated[str, Field(min_length=1, max_length=4096)]
"""Relative to the room file; `settings/load` makes it absolute."""


WakeWord = Annotated[str, Field(min_length=1, max_length=4096)]

BUNDLED_WAKE_WORDS = ("alexa", "hey_jarvis", "hey_mycroft", "okay_nabu")
"""What the library brings; a test holds this list against it."""

SHORTEST_WINDOW_MS = 5000

LANGUAGE = r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$"
"""`en`, `pt-BR`."""


class CaptureSettings(Section):
    """Where sound comes in."""

    device: DeviceName = "default"
    sample_rate_hz: Literal[8000, 16000, 32000, 44100, 48000] = 48000
    channel: int = Field(default=0, ge=0, le=31)
    gain_db: float = Field(default=0, ge=-40, le=40)
    """Before the gate, which hears noise and speech louder alike."""
    high_pass_hz: float | None = Field(default=None, ge=20, le=400)
    """Before the gate as well: what lies below counts neither as noise nor as speech."""
    auto_gain: bool = False
    """Behind the gate: what is streamed gets louder, the gate hears nothing of it."""
    echo: Literal["half_duplex", "cancel", "off"] = "half_duplex"


class GateSettings(Section):
    """What counts as speech."""

    aggressiveness: int = Field(default=3, ge=0, le=3)
    frame_ms: Literal[10, 20, 30] = 20
    onset_ms: int = Field(default=100, ge=10, le=1000)
    pre_roll_ms: int = Field(default=400, ge=0, le=2000)
    hang_over_ms: int = Field(default=500, ge=100, le=5000)
    min_snr_db: float = Field(default=5, ge=0, le=40)
    min_speech_ms: int = Field(default=350, ge=0, le=5000)
    max_segment_s: float = Field(default=30, ge=1, le=300)
    confirm: Literal["auto", "silero", "off"] = "auto"


class ActivationSettings(Section):
    """What makes the node listen."""

    mode: Literal["voice", "wake_word", "push_to_talk"] = "voice"
    wake_word: WakeWord | Annotated[list[WakeWord], Field(min_length=1, max_length=4)] = "okay_nabu"
    """One or several: names of `BUNDLED_WAKE_WORDS`, or files that describe an own microWakeWord model."""
    follow_up_ms: int = Field(default=8000, ge=0, le=60000)
    """After a reply the node attends for so long without a wake word."""
    only_if_addressed: bool = False
    """In the mode `voice`: the model is told to stay silent when the words were not meant for it."""
    button_gpio: int | None = Field(default=None, ge=0, le=63)
    """Pin of a button that opens a turn."""
    arbitration: Literal["off", "on"] = "off"

    @property
    def wake_words(self) -> tuple[str, ...]:
        """Those that are listened for."""
        return (self.wake_word,) if isinstance(self.wake_word, str) else tuple(self.wake_word)

    @property
    def wake_word_choice(self) -> str:
        """What is listened for, as people choose it."""
        return " + ".join(Path(word).stem for word in self.wake_words)

    @property
    def wake_word_choices(self) -> dict[str, tuple[str, ...]]:
        """What people may choose: all words of the room together, each of them, and those that need no file."""
        words = {word: (word,) for word in BUNDLED_WAKE_WORDS} | {Path(word).stem: (word,) for word in self.wake_words}
        return words | {self.wake_word_choice: self.wake_words}

    @property
    def window_ms(self) -> int:
        """How long a wake word, a button or a request lets the node attend; also where nothing follows a reply."""
        return max(self.follow_up_ms, SHORTEST_WINDOW_MS)


class IndicatorSettings(Section):
    """What shows the room's state beside MQTT."""

    led_gpio: int | None = Field(default=None, ge=0, le=63)
    command: Annotated[list[Annotated[str, Field(max_length=4096)]], Field(min_length=1, max_length=32)] | None = None
    """Run with the state as its last argument, whenever it changes."""


class PlaybackSettings(Section):
    """Where sound goes out."""

    device: DeviceName = "default"
    """`none`: there is no speaker."""
    volume: int = Field(default=70, ge=0, le=100)
    chimes: bool = True


class MuteSettings(Section):
    """Who may open a muted microphone."""

    remote_unmute: bool = True
    gpio: int | None = Field(default=None, ge=0, le=63)


class TlsSettings(Section):
    """Certificates for the broker."""

    ca: FileName | None = None
    cert: FileName | None = None
    key: FileName | None = None


class MqttSettings(Section):
    """The broker."""

    host: str = Field(default="127.0.0.1", min_length=1, max_length=253)
    port: int = Field(default=1883, ge=1, le=65535)
    username: str | None = Field(default=None, min_length=1, max_length=256)
    tls: TlsSettings | None = None
    base: str = Field(default="voice_node", pattern=r"^[a-z0-9_-]{1,64}$")
    discovery: bool = True
    discovery_prefix: str = Field(default="homeassistant", pattern=r"^[A-Za-z0-9_-]{1,64}$")
    protocol: Literal[5, 3] = 5
    """3 stands for 3.1.1."""
    partials: bool = False
    retain_last: bool = False


class BudgetSettings(Section):
    """What a day may cost; None is no cap."""

    usd_per_day: float | None = Field(default=1.0, gt=0)
    minutes_per_day: float | None = Field(default=None, gt=0)


class FallbackSettings(Section):
    """Who answers while the service is away; None is nobody."""

    provider: Literal["local"] | None = "local"
    after_ms: int = Field(default=4000, ge=1000, le=20000)
    """After the end of speech the service has so long to begin its answer."""


class LogSettings(Section):
    """What the journal gets."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    transcripts: bool = False
    tool_arguments: bool = False
    """In the audit log of tool calls."""


class MetricsSettings(Section):
    """Figures for Prometheus, over HTTP."""

    port: int | None = Field(default=None, ge=1, le=65535)
    """None: nobody is told."""
    host: str = Field(default="127.0.0.1", min_length=1, max_length=253)
    """The address to listen at; whoever reaches it may read."""


class RoomSettings(Section):
    """One room: one file, one process, one branch of topics."""

    room: str = Field(pattern=r"^[a-z0-9_-]{1,64}$")
    name: str = Field(default="", max_length=128)
    """Empty: the room's id, with a capital letter."""
    language: str = Field(default="en", pattern=LANGUAGE)
    capture: CaptureSettings = Field(default_factory=CaptureSettings)
    gate: GateSettings = Field(default_factory=GateSettings)
    activation: ActivationSettings = Field(default_factory=ActivationSettings)
    indicator: IndicatorSettings = Field(default_factory=IndicatorSettings)
    session: SessionSettings = Field(default_factory=SessionSettings)
    playback: PlaybackSettings = Field(default_factory=PlaybackSettings)
    tools: list[Tool] = Field(default_factory=list, max_length=128)
    mcp: list[McpServer] = Field(default_factory=list, max_length=16)
    mute: MuteSettings = Field(default_factory=MuteSettings)
    mqtt: MqttSettings = Field(default_factory=MqttSettings)
    budget: BudgetSettings = Field(default_factory=BudgetSettings)
    fallback: FallbackSettings = Field(default_factory=FallbackSettings)
    local: LocalSettings = Field(default_factory=LocalSettings)
    log: LogSettings = Field(default_factory=LogSettings)
    metrics: MetricsSettings = Field(default_factory=MetricsSettings)

    @property
    def display_name(self) -> str:
        """What people see."""
        return self.name or self.room.replace("_", " ").capitalize()
