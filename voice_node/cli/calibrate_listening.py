"""What `calibrate` measures: the room alone, and a voice in it, from the microphone or from recordings."""

import asyncio
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from voice_node.audio.calibration import Verdicts
from voice_node.audio.framer import Framer
from voice_node.audio.level import level_dbfs
from voice_node.audio.loudness import (
    CLIPPED_AT,
    FRAME_MS,
    Mask,
    Noise,
    active_frames,
    levels_dbfs,
    measure_noise,
    parts,
    peak,
)
from voice_node.capture.microphone import Microphone
from voice_node.capture.wav_file import WavFile
from voice_node.gate.webrtc import WebrtcDetector
from voice_node.model.audio import BYTES_PER_SAMPLE, Frame
from voice_node.model.errors import CaptureLost, NodeError
from voice_node.model.turn import CaptureChanged, ServiceTrouble
from voice_node.settings.schema import CaptureSettings

SILENCE_S = 4.0
LONGEST_SPEECH_S = 15.0
_LEAST_SPEECH_S = 1.5
_AFTER_SPEECH_S = 1.5
_OPENING_MS = 300
"""A device that was opened just now clicks."""
_GIVE_UP_S = 4.0
_OVER_NOISE_DB = 6.0
_STRICTNESSES = range(4)
_FINDING_STRICTNESS = 2
_LONGEST_RECORDING_S = 600.0
_LEAST_RECORDED_S = 1.0


class NotMeasured(NodeError):
    """There is nothing to calibrate by; the text says what to do."""


@dataclass(frozen=True, slots=True)
class Stretches:
    """Mono s16le without any gain, cut into whole frames."""

    silence: bytes
    speech: bytes
    rate_hz: int


@dataclass(frozen=True, slots=True)
class Glimpse:
    """One frame, for who shows it."""

    level_dbfs: float
    is_clipped: bool
    left_s: float


Show = Callable[[Glimpse], None]


class Listening:
    """The microphone of a room file, from `start` to `close`; frames come without its gain."""

    def __init__(self, settings: CaptureSettings, give_up_after_s: float = _GIVE_UP_S) -> None:
        raw = settings.model_copy(update={"gain_db": 0.0})
        self._microphone = Microphone(raw, FRAME_MS, self._changed, give_up_after_s=give_up_after_s)
        self._rate_hz = 0
        self.name = str(settings.device)
        """What the device calls itself, once it is open."""

    async def start(self) -> None:
        """Return when the device gives sound. CaptureLost: it does not."""
        await self._microphone.start()
        await self._frames(_OPENING_MS / 1000, lambda _: None)

    async def close(self) -> None:
        """Close the device."""
        await self._microphone.close()

    async def listen(self, seconds: float, show: Show) -> int:
        """Hear for so long, and keep nothing; the sample rate."""
        await self._frames(seconds, show)
        return self._rate_hz

    async def silence(self, show: Show) -> tuple[bytes, int]:
        """The room alone, and its sample rate."""
        return b"".join(await self._frames(SILENCE_S, show)), self._rate_hz

    async def speech(self, noise: Noise, show: Show) -> bytes:
        """What is said until it is quiet again, `LONGEST_SPEECH_S` at most."""
        least_dbfs = noise.floor_dbfs + max(_OVER_NOISE_DB, noise.swing_db)
        loud = quiet = 0

        def is_over(level: float) -> bool:
            nonlocal loud, quiet
            is_loud = level > least_dbfs
            loud, quiet = loud + is_loud, 0 if is_loud else quiet + 1
            return loud * FRAME_MS >= _LEAST_SPEECH_S * 1000 and quiet * FRAME_MS >= _AFTER_SPEECH_S * 1000

        return b"".join(await self._frames(LONGEST_SPEECH_S, show, is_over))

    async def _frames(
        self, seconds: float, show: Show, is_over: Callable[[float], bool] = lambda _: False
    ) -> list[bytes]:
        frames: list[bytes] = []
        async for frame in self._microphone:
            if self._rate_hz not in (0, frame.rate_hz):
                raise CaptureLost(f"microphone {self.name}: it came back as another device")
            self._rate_hz = frame.rate_hz
            frames.append(frame.pcm)
            level = level_dbfs(frame.pcm)
            show(Glimpse(level, peak(frame.pcm) >= CLIPPED_AT, seconds - len(frames) * FRAME_MS / 1000))
            if is_over(level) or len(frames) * FRAME_MS >= seconds * 1000:
                break
        return frames

    def _changed(self, change: CaptureChanged | ServiceTrouble) -> None:
        if isinstance(change, CaptureChanged) and change.is_open:
            self.name = change.device


def from_recordings(files: Sequence[Path], channel: int) -> Stretches:
    """The room alone and the speech in recordings, told apart by their sound; ConfigError, NotMeasured."""
    frames = asyncio.run(_read(files, channel))
    rate_hz = frames[0].rate_hz if frames else 0
    pcm = b"".join(frame.pcm for frame in frames)
    detector = WebrtcDetector(_FINDING_STRICTNESS)
    silent, spoken = parts(levels_dbfs(pcm, rate_hz), [detector.is_speech(frame) for frame in frames])
    if _seconds(spoken) < _LEAST_RECORDED_S:
        return Stretches(pcm, pcm, rate_hz)  # what is wrong with it is found by its levels
    if _seconds(silent) < _LEAST_RECORDED_S:
        raise NotMeasured(
            f"only {_seconds(silent):.1f} s of the recording are without speech: it must begin or end with "
            f"{_LEAST_RECORDED_S:.0f} s of the room alone"
        )
    silence, speech = (b"".join(frame.pcm for frame in itertools.compress(frames, mask)) for mask in (silent, spoken))
    return Stretches(silence, speech, rate_hz)


def _seconds(mask: Mask) -> float:
    return float(mask.sum()) * FRAME_MS / 1000


async def _read(files: Sequence[Path], channel: int) -> list[Frame]:
    source = WavFile(files, frame_ms=FRAME_MS, channel=channel, is_realtime=False, silence_after_ms=0)
    await source.start()
    frames: list[Frame] = []
    try:
        async for frame in source:
            frames.append(frame)
            if len(frames) * FRAME_MS >= _LONGEST_RECORDING_S * 1000:
                break
    finally:
        await source.close()
    return frames


def judge(stretches: Stretches, gain_db: float, min_snr_db: float) -> dict[int, Verdicts]:
    """What the detector says of both at each strictness, with this gain and this distance from the noise."""
    silence, speech, rate_hz = stretches.silence, stretches.speech, stretches.rate_hz
    noise = measure_noise(silence, rate_hz)
    active = active_frames(levels_dbfs(speech, rate_hz), noise)
    loud = levels_dbfs(silence, rate_hz) >= noise.floor_dbfs + min_snr_db
    judged = {}
    for strictness in _STRICTNESSES:
        of_voice = itertools.compress(_verdicts(speech, rate_hz, gain_db, strictness), active)
        of_noise = zip(_verdicts(silence, rate_hz, gain_db, strictness), loud, strict=True)
        judged[strictness] = Verdicts(_share(list(of_voice)), _share([said and high for said, high in of_noise]))
    return judged


def _verdicts(pcm: bytes, rate_hz: int, gain_db: float, strictness: int) -> list[bool]:
    detector = WebrtcDetector(strictness)
    whole = len(pcm) - len(pcm) % (rate_hz * FRAME_MS // 1000 * BYTES_PER_SAMPLE)
    frames = Framer(rate_hz, rate_hz, gain_db, FRAME_MS).process(pcm[:whole])
    return [detector.is_speech(Frame(index, frame, rate_hz)) for index, frame in enumerate(frames)]


def _share(said: Sequence[bool]) -> float:
    return sum(said) / len(said) if said else 0.0
