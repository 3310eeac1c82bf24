"""G.711 to PCM: ITU-T's two ways to write a 16-bit sample in 8 bits, each one table of 256 values."""

from collections.abc import Callable

import numpy as np

RATE_HZ = 8000


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


def _table(decode: Callable[[int], int]) -> np.ndarray[tuple[int], np.dtype[np.int16]]:
    return np.array([decode(code) for code in range(256)], np.int16)


_TABLES = {"audio/pcmu": _table(_mu_law), "audio/pcma": _table(_a_law)}


def decode(sound: bytes, kind: str) -> bytes:
    """Mono s16le of G.711; `kind` is `audio/pcmu` or `audio/pcma`."""
    pcm: bytes = _TABLES[kind][np.frombuffer(sound, np.uint8)].astype("<i2").tobytes()
    return pcm
