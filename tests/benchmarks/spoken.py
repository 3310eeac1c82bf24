"""Sentences as sound: espeak-ng's voices at several speeds, pitches and levels, half of them in a kitchen's noise."""

import os
import random
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

RATE_HZ = 16000
VOICES = ("en-us", "en-gb", "en-gb-scotland", "en-gb-x-rp", "en-us+f3", "en-gb+m3", "en-us-nyc", "en-gb+f2")
SNR_DB = 20.0
NOISE_FILE = "VOICE_NODE_BENCH_NOISE"
"""Names a recording of a kitchen, in any format that sox reads; without it the noise is made up."""

Samples = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Way:
    """How a sentence is spoken."""

    voice: str
    words_per_minute: int
    pitch: int
    peak_db: float
    is_noisy: bool


def ways(
    count: int,
    seed: int,
    voices: Sequence[str] = VOICES,
    words_per_minute: tuple[int, int] = (130, 190),
    pitch: tuple[int, int] = (30, 70),
) -> list[Way]:
    """So many; every voice in turn, every second sentence in noise, speed and pitch within their bounds."""
    chance = random.Random(seed)
    return [
        Way(
            voice=voices[index // 2 % len(voices)],
            words_per_minute=chance.randint(*words_per_minute),
            pitch=chance.randint(*pitch),
            peak_db=chance.uniform(-24, -6),
            is_noisy=index % 2 == 1,
        )
        for index in range(count)
    ]


class Speaker:
    """Speaks; what was said before is read from `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._noise = _read_noise(os.environ.get(NOISE_FILE))

    def speak(self, text: str, way: Way) -> bytes:
        """Mono s16le at 16 kHz, as a gate cuts it: 0.3 s before the first sound and 0.4 s after the last."""
        speech = self._clean(text, way)
        speech *= 10 ** (way.peak_db / 20) / max(float(np.abs(speech).max()), 1e-9)
        level = _active_level(speech)
        speech = np.concatenate([np.zeros(RATE_HZ * 3 // 10), speech, np.zeros(RATE_HZ * 4 // 10)])
        chance = np.random.default_rng(abs(hash_of(text + way.voice)))
        noise = chance.normal(0, level * 1e-3, len(speech))  # 60 dB below: no room is digital silence
        if way.is_noisy:
            start = int(chance.integers(0, max(1, len(self._noise) - len(speech))))
            piece = np.resize(self._noise[start:], len(speech))
            noise = noise + piece * (level * 10 ** (-SNR_DB / 20) / max(float(np.sqrt(np.mean(piece**2))), 1e-9))
        return bytes((np.clip(speech + noise, -1, 1) * 32767).astype("<i2").tobytes())

    def _clean(self, text: str, way: Way) -> Samples:
        """What espeak-ng says, without the silence around it."""
        name = f"{hash_of(text):08x}-{way.voice}-{way.words_per_minute}-{way.pitch}.raw"
        file = self._folder / name
        if not file.exists():
            speed, pitch = str(way.words_per_minute), str(way.pitch)
            say = ["espeak-ng", "-v", way.voice, "-s", speed, "-p", pitch, "--stdout", text]
            wav = subprocess.run(say, check=True, capture_output=True).stdout
            file.write_bytes(_sox(["-t", "wav", "-"], wav))
        sound = np.frombuffer(file.read_bytes(), "<i2") / 32768
        loud = np.flatnonzero(np.abs(sound) > 0.01 * np.abs(sound).max())
        return sound[loud[0] : loud[-1] + 1].copy()


def hash_of(text: str) -> int:
    """The same in every process, unlike `hash`."""
    value = 2166136261
    for byte in text.encode():
        value = (value ^ byte) * 16777619 % 2**32
    return value


def _read_noise(file: str | None) -> Samples:
    if file is not None:
        return np.frombuffer(_sox([file], b""), "<i2") / 32768
    return _made_up_kitchen(60)


def _sox(source: list[str], sound: bytes) -> bytes:
    to_raw = ["-t", "raw", "-r", str(RATE_HZ), "-c", "1", "-b", "16", "-e", "signed", "-"]
    return subprocess.run(["sox", "-D", *source, *to_raw], input=sound, check=True, capture_output=True).stdout


def _active_level(speech: Samples) -> float:
    """Root mean square of the frames within 20 dB of the loudest: pauses do not count."""
    frames = speech[: len(speech) // 320 * 320].reshape(-1, 320)
    levels = np.sqrt(np.mean(frames**2, axis=1))
    return float(np.sqrt(np.mean(levels[levels > 0.1 * levels.max()] ** 2)))


def _made_up_kitchen(seconds: int) -> Samples:
    """An extractor hood: pink noise and mains hum; and crockery: decaying tones now and then."""
    chance = np.random.default_rng(1)
    size = seconds * RATE_HZ
    spectrum = np.fft.rfft(chance.normal(0, 1, size))
    hz = np.fft.rfftfreq(size, 1 / RATE_HZ)
    hood = np.fft.irfft(spectrum / np.sqrt(np.maximum(hz, 40)), size)
    hood /= np.sqrt(np.mean(hood**2))
    time = np.arange(size) / RATE_HZ
    hum = 0.5 * np.sin(2 * np.pi * 100 * time) + 0.3 * np.sin(2 * np.pi * 200 * time)
    crockery = np.zeros(size)
    ring = np.arange(RATE_HZ // 5) / RATE_HZ
    for start in chance.integers(0, size - len(ring), seconds * 2):
        tones = sum(np.sin(2 * np.pi * chance.uniform(1500, 6000) * ring) for _ in range(3))
        crockery[start : start + len(ring)] += chance.uniform(0.5, 3) * tones * np.exp(-ring * 40)
    return np.asarray(hood + hum + crockery)
