"""How loud a stretch of sound is: its noise, and the voice in it. Levels are in dB below full scale (dBFS).

Everything is counted in frames of `FRAME_MS`. A voice's level is that of its active frames (those within
`ACTIVE_MARGIN_DB` of the level itself, as ITU-T P.56 does it), so that pauses make nobody quiet.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from voice_node.audio.level import SILENCE_DBFS

FRAME_MS = 20
ACTIVE_MARGIN_DB = 15.9
LEAST_OVER_NOISE_DB = 3.0
"""What is nearer to the noise counts as noise."""
LONGEST_PAUSE_MS = 800
CLIPPED_AT = 32700
"""A sample from here on hit the end of the scale."""
_SMOOTHING_FRAMES = 8
"""160 ms: as the gate's noise floor smooths."""
_FLOOR_FRAMES = 150
"""3 s: as long as the gate's noise floor remembers."""
_MAINS_HZ = (50, 60)
_HARMONICS = 6
_HUM_OVER_NEIGHBOURS_DB = 12.0
_LEAST_HUM_DBFS = -65.0

Levels = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Noise:
    """A room in which nobody speaks."""

    level_dbfs: float
    """The middle one of its frames."""
    floor_dbfs: float
    """What the gate takes for the noise, in the middle: the lowest that the smoothed level was in 3 s."""
    swing_db: float
    """95 of 100 frames are no further above what was the floor then."""
    offset: float
    """The constant part, as a share of full scale."""
    hum_hz: int | None
    """50 or 60: the mains can be heard."""
    hum_dbfs: float = SILENCE_DBFS


@dataclass(frozen=True, slots=True)
class Voice:
    """Somebody who speaks in it."""

    level_dbfs: float
    """Of the active frames; `SILENCE_DBFS` where there are none."""
    faint_dbfs: float
    """Three of four active frames are louder."""
    peak_dbfs: float
    """The largest sample."""
    clipped: int
    """Samples at the end of the scale."""
    active_s: float
    longest_pause_ms: int
    """Within what was said; after more than `LONGEST_PAUSE_MS`, something else began."""


def levels_dbfs(pcm: bytes, rate_hz: int) -> Levels:
    """The level of each whole frame (mono s16le), about its mean as `level_dbfs` has it."""
    size = rate_hz * FRAME_MS // 1000
    count = len(pcm) // 2 // size
    frames = np.frombuffer(pcm, "<i2", count * size).reshape(count, size).astype(np.float64)
    power = frames.var(axis=1) / 32768.0**2
    levels: Levels = np.maximum(10 * np.log10(np.maximum(power, 1e-12)), SILENCE_DBFS)
    return levels


def peak(pcm: bytes) -> int:
    """The largest sample of mono s16le, whatever its sign: 0 to 32768."""
    samples = np.frombuffer(pcm, "<i2")
    return max(int(samples.max(initial=0)), -int(samples.min(initial=0)))


def measure_noise(pcm: bytes, rate_hz: int) -> Noise:
    """What mono s16le of a quiet room holds; at least one frame of it.

    Frames of zeros among others are a driver's gaps, and no part of the room.
    """
    levels = levels_dbfs(pcm, rate_hz)
    if 2 * (levels > SILENCE_DBFS).sum() > len(levels):
        levels = levels[levels > SILENCE_DBFS]
    floors = _floors(levels)
    samples = np.frombuffer(pcm, "<i2").astype(np.float64) / 32768
    hum_hz, hum_dbfs = _hum(samples - samples.mean(), rate_hz)
    swing = float(np.percentile(levels - floors, 95))
    offset = float(samples.mean())
    return Noise(float(np.median(levels)), float(np.median(floors)), swing, offset, hum_hz, hum_dbfs)


def measure_voice(pcm: bytes, rate_hz: int, noise: Noise) -> Voice:
    """What mono s16le with a voice in it holds."""
    levels = levels_dbfs(pcm, rate_hz)
    active = active_frames(levels, noise)
    samples = np.abs(np.frombuffer(pcm, "<i2").astype(np.int32))
    highest = peak(pcm)
    heard = levels[active]
    places = np.flatnonzero(active)
    pauses = (np.diff(places) - 1) * FRAME_MS
    return Voice(
        level_dbfs=_mean_dbfs(heard),
        faint_dbfs=float(np.percentile(heard, 25)) if len(heard) else SILENCE_DBFS,
        peak_dbfs=20 * math.log10(highest / 32768) if highest else SILENCE_DBFS,
        clipped=int((samples >= CLIPPED_AT).sum()),
        active_s=len(heard) * FRAME_MS / 1000,
        longest_pause_ms=int(pauses[pauses <= LONGEST_PAUSE_MS].max(initial=0)),
    )


def active_frames(levels: Levels, noise: Noise) -> Mask:
    """Which frames hold the voice."""
    least = noise.floor_dbfs + max(LEAST_OVER_NOISE_DB, noise.swing_db)
    active = levels > least
    for _ in range(8):  # it settles after two or three
        active = levels > max(least, _mean_dbfs(levels[active]) - ACTIVE_MARGIN_DB)
    return active


def parts(levels: Levels, verdicts: Sequence[bool]) -> tuple[Mask, Mask]:
    """Which frames of a recording are the room alone, and which are speech with its pauses.

    `verdicts` are a detector's, one a frame. Speech is where most of 220 ms were voiced, and 300 ms around it are
    neither; clicks that a detector takes for a voice are too short for it.
    """
    count = min(len(levels), len(verdicts))
    voiced = np.asarray(verdicts[:count], float)
    loud = levels[:count] > (np.percentile(levels, 10) if count else 0) + LEAST_OVER_NOISE_DB
    speech = _spread(voiced * loud, 11) > 0.5
    near = _spread(speech.astype(float), 31) > 0
    spoken = _spread(speech.astype(float), 11) > 0
    return ~near, spoken


def _floors(levels: Levels) -> Levels:
    """What the gate takes for the noise at each frame: the lowest that the smoothed level was shortly before."""
    width = min(_SMOOTHING_FRAMES, len(levels))
    padded = np.concatenate([np.full(width - 1, levels[:width].mean()), levels])
    smoothed = np.convolve(padded, np.full(width, 1 / width), "valid")
    before = np.concatenate([np.full(_FLOOR_FRAMES - 1, np.inf), smoothed])
    lowest: Levels = sliding_window_view(before, _FLOOR_FRAMES).min(axis=1)
    return lowest


def _spread(values: NDArray[np.float64], width: int) -> NDArray[np.float64]:
    """The mean of each value's neighbourhood."""
    if not len(values):
        return values
    around = np.pad(values, width // 2)
    return np.convolve(around, np.full(width, 1 / width), "valid").round(9)


def _mean_dbfs(levels: Levels) -> float:
    return 10 * math.log10(float((10 ** (levels / 10)).mean())) if len(levels) else SILENCE_DBFS


def _hum(samples: NDArray[np.float64], rate_hz: int) -> tuple[int | None, float]:
    """The mains' frequency where its harmonics stand out of their neighbourhood, and how loud they are together."""
    if len(samples) < rate_hz:  # too short to tell 50 Hz from what is beside it
        return None, SILENCE_DBFS
    power = np.abs(np.fft.rfft(samples * np.hanning(len(samples)))) ** 2 / len(samples) ** 2 * 16 / 3
    hz = np.fft.rfftfreq(len(samples), 1 / rate_hz)
    found: tuple[int | None, float] = (None, SILENCE_DBFS)
    for mains in _MAINS_HZ:
        total = 0.0
        for harmonic in range(1, _HARMONICS + 1):
            away = np.abs(hz - mains * harmonic)
            inside, beside = power[away <= 1.5], power[(away > 2.5) & (away <= 8)]
            if inside.mean() > beside.mean() * 10 ** (_HUM_OVER_NEIGHBOURS_DB / 10):
                total += float(inside.sum())
        level = 10 * math.log10(total) if total > 0 else SILENCE_DBFS
        if level > max(found[1], _LEAST_HUM_DBFS):
            found = (mains, level)
    return found
