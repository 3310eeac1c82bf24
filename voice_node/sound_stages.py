"""The stages of sound of one room, built from its settings: where it comes from, what judges it, where replies go."""

import logging
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from voice_node.capture.duplex import FullDuplex, HalfDuplex
from voice_node.capture.echo import EchoCanceller
from voice_node.capture.microphone import Microphone
from voice_node.capture.recording import Recording
from voice_node.gate.attention import Attention, WakeWords
from voice_node.gate.gate import Gate
from voice_node.gate.silero import find_confirmer
from voice_node.gate.webrtc import WebrtcDetector
from voice_node.pipes import Pipes
from voice_node.playback.speaker import NullSpeaker, Speaker
from voice_node.settings.schema import RoomSettings
from voice_node.settings.secrets import Secrets
from voice_node.stages import Echo, Player, PrivateEar, Source

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
    echo: Echo
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
    confirmer = find_confirmer(settings.gate)
    if confirmer is not None:
        stack.callback(confirmer.close)
    gate = Gate(settings.gate, next_turn_id, confirmer)
    detector = WebrtcDetector(settings.gate.aggressiveness)
    load = _wake_words if settings.activation.mode == "wake_word" else None
    words = None if load is None else load(settings.activation.wake_words)
    canceller = _canceller(settings, recordings)
    player = _player(settings, recordings, pipes, canceller)
    return SoundStages(
        _source(settings, recordings, pipes),
        gate,
        Attention(settings.activation, settings.gate.frame_ms, gate, detector, words),
        load,
        player,
        canceller or _duplex(settings, player),
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


def _is_fast(recordings: Recordings | None) -> bool:
    return recordings is not None and recordings.is_fast


def _player(
    settings: RoomSettings, recordings: Recordings | None, pipes: Pipes, canceller: EchoCanceller | None
) -> Player:
    if _is_fast(recordings) or settings.playback.device == "none":
        return NullSpeaker(pipes.tell, is_realtime=not _is_fast(recordings))
    return Speaker(settings.playback, pipes.tell, give_reference=None if canceller is None else canceller.reference)


def _canceller(settings: RoomSettings, recordings: Recordings | None) -> EchoCanceller | None:
    if settings.capture.echo != "cancel" or settings.playback.device == "none" or _is_fast(recordings):
        return None
    from voice_node.capture.echo_suppressor import EchoSuppressor  # here: the extra `aec`

    return EchoCanceller(EchoSuppressor())


def _duplex(settings: RoomSettings, player: Player) -> Echo:
    if settings.capture.echo == "off" or settings.playback.device == "none":
        return FullDuplex()
    return HalfDuplex(player.was_speaking, time.monotonic)


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
