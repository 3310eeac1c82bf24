"""What the pipeline asks of each stage, and the stages of one room together. `app` builds them, tests build others."""

from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol, Self

from voice_node.gate.arbitration import Arbitration
from voice_node.gate.attention import Attention, WakeWords
from voice_node.gate.gate import Gate
from voice_node.model.audio import Cleaned, Frame
from voice_node.model.control import CallServer, Chime
from voice_node.model.moment import Moment
from voice_node.model.report import NodeState, Report
from voice_node.mqtt.encode import Unencodable
from voice_node.mqtt.message import Message
from voice_node.playback.queue import Played
from voice_node.router.router import Router
from voice_node.session.protocol import Input


class Source(Protocol):
    """A microphone, or recordings in its place."""

    async def start(self) -> None: ...
    async def close(self) -> None: ...
    async def pause(self) -> None: ...
    async def resume(self) -> None: ...
    def __aiter__(self) -> Self: ...
    async def __anext__(self) -> Frame: ...


class Echo(Protocol):
    """What of the room is heard while the node speaks."""

    def hear(self, frame: Frame) -> Cleaned | None:
        """The frame without the node's own voice, for each ear; None where nothing of it may be heard."""


class Player(Protocol):
    """Where replies go. All methods belong to the loop's thread."""

    @property
    def is_speaking(self) -> bool:
        """Something is queued or sounding, or its tail is not over."""

    def was_speaking(self, at: float) -> bool:
        """Whether sound that came in then, by the steady clock, may hold what the node says or its tail."""

    @property
    def problem(self) -> str | None:
        """Why nothing can be heard, for people."""

    async def start(self) -> None:
        """Get ready to play."""

    async def close(self) -> None:
        """Fall silent at once and free the device."""

    def play(self, item_id: str, pcm: bytes) -> None:
        """Queue a piece (mono s16le at 24 kHz, of any length); what goes beyond 10 minutes is refused and logged."""

    def end(self, item_id: str) -> None:
        """No more pieces come for this item."""

    def chime(self, chime: Chime) -> None:
        """A short sound beside whatever sounds; it is no speaking."""

    def stop(self) -> Played | None:
        """Fall silent and drop what is queued; how far the item under way came, None where there was none."""

    def set_volume(self, volume: int) -> None:
        """0..100."""

    async def drained(self) -> None:
        """Return when nobody is speaking any more, tail included."""


class PrivateEar(Protocol):
    """Recognises a spoken code on this device."""

    def start(self) -> None:
        """A code is asked for."""

    async def hear(self, pcm: bytes, rate_hz: int) -> str:
        """The digits in a whole segment (mono s16le); empty where no code was understood."""

    async def close(self) -> None:
        """No code is asked for any more."""


class Session(Protocol):
    """The Realtime session."""

    async def run(self, inputs: AsyncIterator[Input]) -> None: ...


class Broker(Protocol):
    """Home automation's side."""

    async def start(self) -> None: ...
    async def stop(self) -> None: ...
    async def deliver(self, message: Message) -> str | None:
        """Why it reached nobody, None where it did; TimeoutError where nobody knows."""

    def offer(self, message: Message) -> None: ...


@dataclass(frozen=True, slots=True)
class Reloaded:
    """What came of reading the room file again."""

    error: str | None = None
    """Why the old settings stay, or None."""
    at_next_session: tuple[str, ...] = ()
    """Changed keys that a running session could not have taken."""


@dataclass(frozen=True, slots=True)
class Stages:
    """The adapters and the logic of one room, built by `app`."""

    source: Source
    attention: Attention
    """What the room says comes to the gate through it."""
    gate: Gate
    session: Session
    player: Player
    broker: Broker
    router: Router
    encode: Callable[[Report, datetime], tuple[Message, ...] | Unencodable]
    clock: Callable[[], Moment]
    session_rate_hz: int
    """Of the PCM that `encode_sound` takes."""
    encode_sound: Callable[[bytes], bytes]
    """PCM as the session takes it."""
    remember: Callable[[str, object], str | None]
    """Keeps a setting over restarts, or says why it cannot; blocks for a disk."""
    audit: Callable[[Mapping[str, Any]], Coroutine[None, None, None]]
    """Writes down what became of a tool call."""
    reload: Callable[[], Reloaded]
    """Reads the room file again for the next start. Blocks for a disk."""
    started: Callable[[], None]
    """Everything runs."""
    health: Callable[[], Mapping[str, Any]]
    """How the process is, for home automation."""
    feed_watchdog: Callable[[], None]
    feed_every_s: float
    logs_words: bool
    """`log.transcripts`: what is said goes into the log as well."""
    echo: Echo
    waits_for_turns: bool
    """The source is a recording: it goes on when the turn is over, as a person would."""
    examine: Callable[[], Coroutine[None, None, list[Any]]]
    """What `doctor` finds; raises NotExamined."""
    hears_when_spent: bool = False
    """Somebody answers for nothing: the gate stays open when the day's budget is spent."""
    private_ear: PrivateEar | None = None
    """None: nothing is recognised on this device, and the router never asks for it."""
    load_wake_words: Callable[[tuple[str, ...]], WakeWords] | None = None
    """Blocks for a disk; raises ConfigError. None: the room has none."""
    arbitration: Arbitration | None = None
    """None: the room answers whatever other rooms hear."""
    show: Callable[[NodeState], Coroutine[None, None, None]] | None = None
    """Shows the room's state beside MQTT."""
    call_server: Callable[[CallServer], None] = lambda _: None
    """Calls a tool of an MCP server; its answer comes as a command. A room without servers has no such calls."""
    observers: tuple[Callable[[Report], None], ...] = ()
    """Learn of everything that home automation is told, in their order: the journal, the figures."""
