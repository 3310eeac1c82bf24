"""What everybody hears: a sentence every fifteen seconds in a quiet room, at each rate that somebody asks for."""

import subprocess
import wave
from collections.abc import Mapping
from pathlib import Path

import numpy as np

RATES_HZ = (48000, 24000, 16000)
EVERY_S = 15.0
_FIRST_S = 5.0
_PEAK = 0.25
"""-12 dB."""
_HISS = 0.001
"""-60 dB: a quiet room."""
_SENTENCES = (
    "Turn on the light in the kitchen.",
    "What is the temperature in the bedroom?",
    "Please close the blinds in the office.",
    "Set a timer for ten minutes.",
    "Play the next song.",
    "How cold is it in the garden?",
)
_VOICES = ("en-us", "en-gb", "en-us+f3", "en-gb+m3")

_Samples = np.ndarray[tuple[int], np.dtype[np.float64]]


def write_recording(folder: Path, seconds: float) -> tuple[Mapping[int, Path], float]:
    """Mono s16le, a file for each of `RATES_HZ`; and how many seconds of it are speech."""
    rate_hz = RATES_HZ[0]
    sound = np.random.default_rng(1).normal(0, _HISS, int(seconds * rate_hz))
    spoken = 0
    for number in range(int((seconds - _FIRST_S) // EVERY_S) + 1):
        said = _say(_SENTENCES[number % len(_SENTENCES)], _VOICES[number % len(_VOICES)], rate_hz)
        start = int((_FIRST_S + number * EVERY_S) * rate_hz)
        said = said[: len(sound) - start]
        sound[start : start + len(said)] += said
        spoken += len(said)
    whole = folder / f"heard_{rate_hz}.wav"
    with wave.open(str(whole), "wb") as file:
        file.setparams((1, 2, rate_hz, 0, "NONE", ""))
        file.writeframes((np.clip(sound, -1, 1) * 32767).astype("<i2").tobytes())
    files = {rate_hz: whole}
    for other_hz in RATES_HZ[1:]:
        files[other_hz] = folder / f"heard_{other_hz}.wav"
        subprocess.run(["sox", "-D", whole, "-r", str(other_hz), files[other_hz]], check=True)
    return files, spoken / rate_hz


def _say(text: str, voice: str, rate_hz: int) -> _Samples:
    wav = subprocess.run(["espeak-ng", "-v", voice, "--stdout", text], check=True, capture_output=True).stdout
    to_raw = ["-t", "raw", "-r", str(rate_hz), "-c", "1", "-b", "16", "-e", "signed", "-"]
    pcm = subprocess.run(["sox", "-D", "-t", "wav", "-", *to_raw], input=wav, check=True, capture_output=True).stdout
    samples: _Samples = np.frombuffer(pcm, "<i2") / 32768
    loud = np.flatnonzero(np.abs(samples) > 0.01 * np.abs(samples).max())
    said: _Samples = samples[loud[0] : loud[-1] + 1] * (_PEAK / np.abs(samples).max())
    return said
