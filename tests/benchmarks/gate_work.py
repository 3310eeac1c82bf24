"""Listens to a quiet room, or sends what it hears, for callgrind to count.

usage: python -m tests.benchmarks.gate_work listen|listen-bare|send|send-bare RATE_HZ SECONDS
"""

import base64
import json
import sys
from collections.abc import Iterable

import numpy as np

from voice_node.audio.resample import Resampler
from voice_node.gate.gate import Gate
from voice_node.gate.silero import find_confirmer
from voice_node.gate.webrtc import WebrtcDetector
from voice_node.model.audio import Frame
from voice_node.session.events import AppendAudio
from voice_node.session.wire_ga import encode
from voice_node.settings.schema import GateSettings

FRAME_MS = 20
SESSION_HZ = 24000


def quiet_room(rate_hz: int, seconds: int) -> "np.ndarray[tuple[int], np.dtype[np.int16]]":
    """Hiss 60 dB below full scale, as a microphone gives where nothing happens."""
    return np.random.default_rng(1).normal(0, 32.768, rate_hz * seconds).astype(np.int16)


def frames_of(samples: "np.ndarray[tuple[int], np.dtype[np.int16]]", rate_hz: int) -> list[Frame]:
    """Frames of 20 ms."""
    size = rate_hz * FRAME_MS // 1000
    starts = range(0, len(samples) - size + 1, size)
    return [Frame(index, samples[at : at + size].tobytes(), rate_hz) for index, at in enumerate(starts)]


def listen_bare(frames: Iterable[Frame]) -> None:
    """webrtcvad and nothing else, at the microphone's rate."""
    import webrtcvad  # the measure is the library itself

    detector = webrtcvad.Vad(3)
    for frame in frames:
        detector.is_speech(frame.pcm, frame.rate_hz)


def listen(frames: Iterable[Frame], confirm: str = "auto") -> None:
    """The whole listening path: detector, level, floor, gate, second opinion."""
    settings = GateSettings.model_validate({"confirm": confirm})
    detector = WebrtcDetector(settings.aggressiveness)
    gate = Gate(settings, lambda: "turn", find_confirmer(settings))
    for frame in frames:
        gate.hear(frame, detector.is_speech(frame))


def send(frames: Iterable[Frame]) -> None:
    """What streaming costs until the socket: resampling and the message."""
    resampler: Resampler | None = None
    for frame in frames:
        resampler = resampler or Resampler(frame.rate_hz, SESSION_HZ)
        encode(AppendAudio(resampler.process(frame.pcm)))


def send_bare(frames: Iterable[Frame]) -> None:
    """As much sound in messages, by the standard library, without resampling."""
    for frame in frames:
        pcm = frame.pcm[: SESSION_HZ * FRAME_MS // 1000 * 2]
        json.dumps({"type": "input_audio_buffer.append", "audio": base64.b64encode(pcm).decode()})


_WORKS = {"listen": listen, "listen-bare": listen_bare, "send": send, "send-bare": send_bare}

if __name__ == "__main__":
    work = _WORKS[sys.argv[1]]
    rate = int(sys.argv[2])
    work(frames_of(quiet_room(rate, int(sys.argv[3])), rate))
