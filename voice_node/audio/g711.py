"""G.711: ITU-T's two ways to write a 16-bit sample in 8 bits. Each direction of each is one table."""

from functools import cache
from typing import Literal

import numpy as np

Law = Literal["pcmu", "pcma"]
"""Mu-law, of North America and Japan, and A-law, of the rest."""

RATE_HZ = 8000

_Samples = np.ndarray[tuple[int], np.dtype[np.int16]]
_Codes = np.ndarray[tuple[int], np.dtype[np.uint8]]


def encode(pcm: bytes, law: Law) -> bytes:
    """One byte for each sample of mono s16le at `RATE_HZ`."""
    codes: bytes = _codes(law)[np.frombuffer(pcm, "<u2")].tobytes()
    return codes


def decode(sound: bytes, law: Law) -> bytes:
    """Mono s16le at `RATE_HZ`, one sample for each byte."""
    pcm: bytes = _samples(law)[np.frombuffer(sound, np.uint8)].astype("<i2").tobytes()
    return pcm


@cache
def _samples(law: Law) -> _Samples:
    """Code -> sample."""
    return np.array([_mu_law(code) if law == "pcmu" else _a_law(code) for code in range(256)], np.int16)


@cache
def _codes(law: Law) -> _Codes:
    """Sample, read as unsigned -> the code whose sample is nearest; of two that are as near, the one further from 0.

    The levels lie the denser the quieter, and the standard's decision values are their middles.
    """
    samples = _samples(law).astype(np.int32)
    order = 255 - np.argsort(samples[::-1], kind="stable")  # of mu-law's two zeros, the one that lines rest at: 0xFF
    levels = samples[order]
    wanted = np.arange(0x10000, dtype=np.uint16).view(np.int16).astype(np.int32)
    above = np.clip(np.searchsorted(levels, wanted), 1, 255)
    to_below, to_above = wanted - levels[above - 1], levels[above] - wanted
    is_above = (to_above < to_below) | ((to_above == to_below) & (wanted >= 0))
    codes: _Codes = order[np.where(is_above, above, above - 1)].astype(np.uint8)
    return codes


def _mu_law(code: int) -> int:
    code = ~code & 0xFF
    size = (((code & 0x0F) << 3) + 0x84) << ((code >> 4) & 7)
    return 0x84 - size if code & 0x80 else size - 0x84


def _a_law(code: int) -> int:
    code ^= 0x55
    exponent = (code >> 4) & 7
    size = ((code & 0x0F) << 4) + 8
    if exponent:
        size = (size + 0x100) << (exponent - 1)
    return size if code & 0x80 else -size
