"""The stages of sound of one room, built from its settings: where it comes from, what judges it, where replies go."""

import logging
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from voice_node.capture.microphone import Microphone
from voice_node.capture.recording import Recording
from voice_node.gate.attention import Attention, WakeWords
from voice_node.gate.gate import Gate
from voice_node.gate.webrtc import WebrtcDetector
from voice_node.pipes import Pipes
from voice_node.playback.speaker import NullSpeaker, Speaker
from voice_node.settings.schema import RoomSettings
from voice_node.settings.secrets import Secrets
from voice_node.stages import Player, PrivateEar, Source

log = logging.getLogger(__name__)

WAV = "wav:"


@dataclass(frozen=True, slots=True)
class Recordings:
    """Recordings in the microphone's place."""

    paths: tuple[Path, ...]
    is_fast: bool = False
    """As fast as the session takes them."""
    silence_after_ms: int = 2000
    """After each, so that the gate closes."""


@dataclass(frozen=True, slots=True)
class SoundStages:
    """What a room hears and speaks with."""

    source: Source
    gate: Gate
    attention: Attention
    load_wake_words: Callable[[tuple[str, ...]], WakeWords] | None
    player: Player
    private_ear: PrivateEar | None


def build_sound(
    settings: RoomSettings,
    secrets: Secrets,
    recordings: Recordings | None,
    pipes: Pipes,
    next_turn_id: Callable[[], str],
    stack: AsyncExitStack,
) -> SoundStages:
    """Nothing is started yet; what must be closed at the end of the room is on the stack.

    Args:
        recordings: in the microphone's place.
    """
    gate, detector = Gate(settings.gate, next_turn_id), WebrtcDetector(settings.gate.aggressiveness)
    load = _wake_words if settings.activation.mode == "wake_word" else None
    words = None if load is None else load(settings.activation.wake_words)
    return SoundStages(
        _source(settings, recordings, pipes),
        gate,
        Attention(settings.activation, settings.gate.frame_ms, gate, detector, words),
        load,
        _player(settings, recordings, pipes),
        _private_ear(settings, secrets, stack),
    )


def _wake_words(words: tuple[str, ...]) -> WakeWords:
    from voice_node.gate.wake_word import MicroWakeWords  # here: the extra `wake`

    return MicroWakeWords(words)


def _source(settings: RoomSettings, recordings: Recordings | None, pipes: Pipes) -> Source:
    capture, frame_ms = settings.capture, settings.gate.frame_ms
    if recordings is None and isinstance(capture.device, str) and capture.device.startswith(WAV):
        recordings = Recordings((Path(capture.device.removeprefix(WAV)),))
    if recordings is None:
        return Microphone(capture, frame_ms, pipes.tell)
    return Recording(
        pipes.broker_came,
        recordings.paths,
        frame_ms=frame_ms,
        channel=capture.channel,
        gain_db=capture.gain_db,
        high_pass_hz=capture.high_pass_hz,
        is_realtime=not recordings.is_fast,
        silence_after_ms=recordings.silence_after_ms,
    )


def _player(settings: RoomSettings, recordings: Recordings | None, pipes: Pipes) -> Player:
    is_fast = recordings is not None and recordings.is_fast
    if is_fast or settings.playback.device == "none":
        return NullSpeaker(pipes.tell, is_realtime=not is_fast)
    return Speaker(settings.playback, pipes.tell)


def _private_ear(settings: RoomSettings, secrets: Secrets, stack: AsyncExitStack) -> PrivateEar | None:
    pin = secrets.pin
    if pin is None or all(tool.policy != "pin" for tool in settings.tools):
        return None
    from voice_node.local.digits import DigitListener, can_hear_digits  # here: only who asks for a code needs it

    if can_hear_digits(settings.language):
        ear = DigitListener(len(pin.get_secret_value()))
        stack.push_async_callback(ear.close)
        return ear
    log.warning("the code for `confirm: pin` is recognised by the service, not on this device")
    return None
