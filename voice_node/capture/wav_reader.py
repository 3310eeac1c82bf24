"""A WAV file as samples: the RIFF chunks, and PCM of 8 to 32 bits as mono s16le.

Own code because Python 3.11's `wave` refuses WAVE_FORMAT_EXTENSIBLE, which recorders write for more than two channels
or more than 16 bits, and does not notice a file that was cut short.
"""

import stat
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from voice_node.model.errors import ConfigError

_PCM = 0x0001
_EXTENSIBLE = 0xFFFE
_PCM_GUID = bytes.fromhex("0100000000001000800000aa00389b71")
_FORMAT_NAMES = {0x0002: "ADPCM", 0x0003: "floating point", 0x0006: "A-law", 0x0007: "mu-law", 0x0055: "MP3"}
_UNKNOWN_LENGTH = 0xFFFFFFFF
"""Written by programs that did not know the length, because they wrote into a pipe: it is all up to the file's end."""
_RATES_HZ = (8000, 192000)


@dataclass(frozen=True, slots=True)
class WavSound:
    """Where in a file the samples are, and what they are."""

    path: Path
    rate_hz: int
    channels: int
    bytes_per_sample: int
    begin: int
    """Position of the first sample in the file."""
    frames: int
    """Samples of each channel."""

    @property
    def duration_ms(self) -> float:
        """How long it lasts."""
        return self.frames * 1000 / self.rate_hz


def inspect_wav(path: Path) -> WavSound:
    """What the file holds. ConfigError names the file and says what is wrong with it."""
    try:
        if not stat.S_ISREG(path.stat().st_mode) and not path.is_dir():  # opening a pipe would wait for its other end
            raise ConfigError(f"{path}: is not a regular file")
        with path.open("rb") as file:
            return _inspect(file, path)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    except _BadWavError as error:
        raise ConfigError(f"{path}: {error}") from error


def read_wav(sound: WavSound, channel: int, piece_frames: int) -> Iterator[bytes]:
    """One channel as mono s16le, in pieces of at most `piece_frames` samples. ConfigError: the file has changed."""
    size = sound.channels * sound.bytes_per_sample
    left = sound.frames
    try:
        with sound.path.open("rb") as file:
            file.seek(sound.begin)
            while left:
                raw = file.read(min(left, piece_frames) * size)
                if not raw or len(raw) % size:
                    raise ConfigError(f"{sound.path}: it was cut short while it was read")
                left -= len(raw) // size
                yield _to_s16(raw, sound.channels, sound.bytes_per_sample, channel)
    except OSError as error:
        raise ConfigError(f"{sound.path}: cannot be read: {error.strerror}") from error


class _BadWavError(Exception):
    """What is wrong, without the file's name."""


def _inspect(file: BinaryIO, path: Path) -> WavSound:
    head = file.read(12)
    if not head:
        raise _BadWavError("is empty")
    if len(head) < 12 or head[:4] != b"RIFF" or head[8:] != b"WAVE":
        raise _BadWavError("is not a WAV file (it does not begin with RIFF and WAVE)")
    file_size = file.seek(0, 2)
    file.seek(12)
    shape: tuple[int, int, int] | None = None
    while len(chunk := file.read(8)) == 8:
        name, size = struct.unpack("<4sI", chunk)
        begin = file.tell()
        if name == b"data":
            if shape is None:
                raise _BadWavError("has no format before its data")
            return _sound(path, shape, begin, size, file_size - begin)
        if begin + size > file_size:
            raise _BadWavError(f"is truncated in its chunk {name!r}")
        if name == b"fmt ":
            shape = _shape(file.read(size))
        file.seek(begin + size + size % 2)  # chunks are padded to even lengths
    raise _BadWavError("has no data" if shape else "is truncated: neither format nor data")


def _shape(chunk: bytes) -> tuple[int, int, int]:
    """Rate, channels, bytes of one sample of one channel."""
    if len(chunk) < 16:
        raise _BadWavError("has a format chunk that is too short")
    tag, channels, rate_hz, _, frame_bytes, bits = struct.unpack_from("<HHIIHH", chunk)
    if tag == _EXTENSIBLE:
        if len(chunk) < 40:
            raise _BadWavError("has an extensible format chunk that is too short")
        tag = _PCM if chunk[24:40] == _PCM_GUID else int.from_bytes(chunk[24:26], "little")
    if tag != _PCM:
        raise _BadWavError(
            f"holds {_FORMAT_NAMES.get(tag, f'format {tag}')}, not PCM; convert it with: sox IN -b 16 OUT"
        )
    if not 1 <= channels <= 256:
        raise _BadWavError(f"claims {channels} channels")
    if not _RATES_HZ[0] <= rate_hz <= _RATES_HZ[1]:
        raise _BadWavError(f"has {rate_hz} Hz; from {_RATES_HZ[0]} to {_RATES_HZ[1]} can be used")
    if bits not in (8, 16, 24, 32) or frame_bytes != channels * bits // 8:
        raise _BadWavError(f"has {bits} bits in frames of {frame_bytes} bytes; 8, 16, 24 and 32 bits can be used")
    return rate_hz, channels, bits // 8


def _sound(path: Path, shape: tuple[int, int, int], begin: int, size: int, there: int) -> WavSound:
    rate_hz, channels, bytes_per_sample = shape
    if size == _UNKNOWN_LENGTH:
        size = there
    elif size > there:
        raise _BadWavError(f"is truncated: {size} bytes of sound are announced, {there} are there")
    frames = size // (channels * bytes_per_sample)
    if not frames:
        raise _BadWavError("holds no sound")
    return WavSound(path, rate_hz, channels, bytes_per_sample, begin, frames)


def _to_s16(raw: bytes, channels: int, bytes_per_sample: int, channel: int) -> bytes:
    """The two upper bytes of each sample of one channel; 8 bits are unsigned."""
    samples = np.frombuffer(raw, np.uint8).reshape(-1, channels, bytes_per_sample)[:, channel, :]
    if bytes_per_sample == 1:
        out = (samples[:, 0].astype(np.int16) - 128) << 8
        return out.astype("<i2").tobytes()
    return np.ascontiguousarray(samples[:, -2:]).tobytes()
