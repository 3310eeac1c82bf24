"""What the protocol wants done after one input: a value, so that logic is tested without a socket."""

from dataclasses import dataclass, field

from voice_node.model.control import AskText, SayText
from voice_node.model.speech import Speech
from voice_node.model.turn import Outcome, ReplyAudio, ReplyAudioEnded
from voice_node.session.events import ClientEvent


@dataclass(frozen=True, slots=True)
class Returned:
    """A turn that this session will not serve and of which nothing was done: another may."""

    turn_id: str
    why: str
    """For people."""
    inputs: tuple[Speech | AskText | SayText, ...]
    """What begins it there; a segment that is still open goes on behind them."""


@dataclass(slots=True)
class Step:
    """Filled by the protocol, carried out by the connection in the order of the fields."""

    sends: list[ClientEvent] = field(default_factory=list)
    audio: list[ReplyAudio | ReplyAudioEnded] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)
    returned: list[Returned] = field(default_factory=list)
    close: str | None = None
    """Close the connection, for this reason; whether another is opened is the protocol's `wants_link`."""
    pause_s: float = 0.0
    """If the connection ends before it was configured, the next is opened no sooner than that."""
    refused: str | None = None
    """The service refuses for good: the session stage ends with this text."""
