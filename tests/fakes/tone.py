"""Sounds that a test can recognise again."""

import wave
from pathlib import Path

import numpy as np


def tone(hz: float, rate_hz: int, ms: int, amplitude: float = 10000) -> bytes:
    """A sine as mono s16le."""
    n = rate_hz * ms // 1000
    out: bytes = np.rint(amplitude * np.sin(2 * np.pi * hz * np.arange(n) / rate_hz)).astype("<i2").tobytes()
    return out


def noise(rate_hz: int, ms: int, amplitude: float = 5000) -> bytes:
    """Noise as mono s16le, the same each time: it correlates with itself at one place only.

    It is smoothed, so that a sound server's resampler does not take away its upper end.
    """
    white = np.random.default_rng(7).uniform(-amplitude, amplitude, rate_hz * ms // 1000)
    out: bytes = np.convolve(white, np.hanning(17), "same").astype("<i2").tobytes()
    return out


def sinad_db(pcm: bytes, rate_hz: int, hz: float) -> float:
    """How far noise and distortion lie below a sine, the first and last 100 ms left out."""
    edge = rate_hz // 10
    samples = np.frombuffer(pcm, "<i2")[edge:-edge].astype(float)
    phase = 2 * np.pi * hz * np.arange(len(samples)) / rate_hz
    basis = np.stack([np.sin(phase), np.cos(phase), np.ones_like(phase)], axis=1)
    fit, *_ = np.linalg.lstsq(basis, samples, rcond=None)
    rest = samples - basis @ fit
    return float(10 * np.log10((fit[0] ** 2 + fit[1] ** 2) / 2 / np.mean(rest**2)))


def loudness_of(hz: float, pcm: bytes, rate_hz: int) -> float:
    """The amplitude of the sine of `hz` within the sound."""
    samples = np.frombuffer(pcm, "<i2").astype(float)
    turns = np.exp(-2j * np.pi * hz * np.arange(len(samples)) / rate_hz)
    return float(2 * abs(np.mean(samples * turns)))


def likeness(part: bytes, whole: bytes) -> tuple[float, int]:
    """Where `part` lies in `whole` best: its correlation there (1 is the same sound) and the sample where it begins."""
    short = np.frombuffer(part, "<i2").astype(float)
    long = np.frombuffer(whole, "<i2").astype(float)
    size = 1 << (len(long) + len(short)).bit_length()
    products = np.fft.irfft(np.fft.rfft(long, size) * np.conj(np.fft.rfft(short, size)), size)
    products = products[: max(len(long) - len(short) + 1, 1)]
    at = int(np.argmax(products))
    there = long[at : at + len(short)]
    scale = float(np.sqrt(np.sum(short[: len(there)] ** 2) * np.sum(there**2)))
    return (float(products[at]) / scale if scale else 0.0), at


def write_wav(path: Path, *channels: bytes, rate_hz: int = 48000) -> Path:
    """A WAV file of 16 bits, one argument a channel."""
    samples = np.stack([np.frombuffer(channel, "<i2") for channel in channels], axis=1)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(len(channels))
        file.setsampwidth(2)
        file.setframerate(rate_hz)
        file.writeframes(samples.tobytes())
    return path
