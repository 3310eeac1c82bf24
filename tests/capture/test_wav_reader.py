import os
import shutil
import struct
import subprocess
from pathlib import Path

import numpy as np
import pytest

from tests.fakes.tone import loudness_of, sinad_db, tone, write_wav
from voice_node.capture.wav_reader import inspect_wav, read_wav
from voice_node.model.errors import ConfigError

needs_sox = pytest.mark.skipif(shutil.which("sox") is None, reason="sox is not installed: apt-get install sox")


def wav(shape: bytes, data: bytes, data_size: int | None = None, *before: bytes) -> bytes:
    """A file by hand: the format chunk, other chunks, the data chunk."""
    body = b"WAVE" + chunk(b"fmt ", shape) + b"".join(before)
    body += b"data" + struct.pack("<I", len(data) if data_size is None else data_size) + data
    return b"RIFF" + struct.pack("<I", len(body)) + body


def chunk(name: bytes, content: bytes) -> bytes:
    return name + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)


def shape(
    tag: int = 1, channels: int = 1, rate_hz: int = 16000, bits: int = 16, frame_bytes: int | None = None
) -> bytes:
    size = channels * bits // 8 if frame_bytes is None else frame_bytes
    return struct.pack("<HHIIHH", tag, channels, rate_hz, rate_hz * size, size, bits)


def extensible(sub_format: int, bits: int = 24) -> bytes:
    guid = struct.pack("<I", sub_format) + bytes.fromhex("00001000800000aa00389b71")
    return shape(0xFFFE, 1, 16000, bits) + struct.pack("<HHI", 22, bits, 4) + guid


def all_of(path: Path, channel: int = 0) -> bytes:
    return b"".join(read_wav(inspect_wav(path), channel, 1000))


@needs_sox
@pytest.mark.parametrize("bits", [8, 16, 24, 32])
@pytest.mark.parametrize("channels", [1, 2, 6])
@pytest.mark.parametrize("rate_hz", [8000, 11025, 44100, 48000, 192000])
def test_what_sox_writes_is_read(tmp_path: Path, rate_hz: int, channels: int, bits: int) -> None:
    """The last channel holds another tone than the others. sox writes WAVE_FORMAT_EXTENSIBLE for some."""
    path = tmp_path / "sound.wav"
    tones = ["sin", "1000"] * (channels - 1) + ["sin", "1500"]
    subprocess.run(
        [
            "sox",
            "-n",
            "-r",
            str(rate_hz),
            "-c",
            str(channels),
            "-b",
            str(bits),
            str(path),
            "synth",
            "0.5",
            *tones,
            "vol",
            "0.5",
        ],
        check=True,
    )
    sound = inspect_wav(path)

    assert (sound.rate_hz, sound.channels, sound.bytes_per_sample) == (rate_hz, channels, bits // 8)
    assert abs(sound.duration_ms - 500) < 1
    for channel in {0, channels - 1}:
        hz = 1500 if channel == channels - 1 else 1000
        pcm = all_of(path, channel)
        assert len(pcm) == 2 * sound.frames
        assert abs(loudness_of(hz, pcm, rate_hz) - 16384) < 400
        assert sinad_db(pcm, rate_hz, hz) > (35 if bits == 8 else 75)


def test_16_bits_are_read_bit_by_bit_and_odd_chunks_are_skipped(tmp_path: Path) -> None:
    sound = tone(1000, 16000, 100)
    path = tmp_path / "sound.wav"
    path.write_bytes(wav(shape(), sound, None, chunk(b"LIST", b"odd"), chunk(b"fact", b"1234")) + b"trailing")

    assert all_of(path) == sound


@pytest.mark.parametrize(
    ("bits", "raw", "expected"),
    [
        (8, b"\x00\x80\xff", [-32768, 0, 32512]),
        (24, b"\x00\x00\x80\xff\xff\x7f\x00\x01\x00", [-32768, 32767, 1]),
        (32, b"\x00\x00\x00\x80\xff\xff\xff\x7f", [-32768, 32767]),
    ],
)
def test_other_widths_keep_their_upper_bits(tmp_path: Path, bits: int, raw: bytes, expected: list[int]) -> None:
    path = tmp_path / "sound.wav"
    path.write_bytes(wav(shape(bits=bits), raw))

    assert np.frombuffer(all_of(path), "<i2").tolist() == expected


def test_extensible_pcm_is_read(tmp_path: Path) -> None:
    path = tmp_path / "sound.wav"
    path.write_bytes(wav(extensible(1), b"\x00\x01\x00" * 100))

    assert all_of(path) == b"\1\0" * 100


def test_a_file_written_into_a_pipe_goes_on_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "sound.wav"
    path.write_bytes(wav(shape(), b"\1\0" * 100, 0xFFFFFFFF))

    assert all_of(path) == b"\1\0" * 100


PCM = b"\1\0" * 100
BROKEN = {
    "empty": (b"", "is empty"),
    "text": (b"this is no recording at all", "is not a WAV file"),
    "short": (b"RIFF\0\0", "is not a WAV file"),
    "other": (b"RIFF\0\0\0\0AVI LIST", "is not a WAV file"),
    "rf64": (b"RF64" + wav(shape(), PCM)[4:], "is not a WAV file"),
    "header": (wav(shape(), PCM)[:12], "truncated: neither format nor data"),
    "cut": (wav(shape(), PCM)[:-50], "is truncated: 200 bytes of sound are announced, 150 are there"),
    "cut_format": (wav(shape(), PCM)[:30], "is truncated in its chunk b'fmt '"),
    "nothing": (wav(shape(), b""), "holds no sound"),
    "half": (wav(shape(), b"\1"), "holds no sound"),
    "no_data": (wav(shape(), b"")[:-8], "has no data"),
    "data_first": (
        b"RIFF\0\0\0\0WAVE" + chunk(b"data", PCM) + chunk(b"fmt ", shape()),
        "has no format before its data",
    ),
    "float": (wav(shape(3, bits=32), PCM), "holds floating point, not PCM"),
    "mu_law": (wav(shape(7, bits=8), PCM), "holds mu-law, not PCM"),
    "unknown": (wav(shape(0x1234), PCM), "holds format 4660, not PCM"),
    "extensible_float": (wav(extensible(3, 32), PCM), "holds floating point, not PCM"),
    "extensible_short": (wav(shape(0xFFFE), PCM), "extensible format chunk that is too short"),
    "format_short": (wav(b"\1\0\1\0", PCM), "format chunk that is too short"),
    "no_channels": (wav(shape(channels=0), PCM), "claims 0 channels"),
    "slow": (wav(shape(rate_hz=4000), PCM), "has 4000 Hz; from 8000 to 192000"),
    "fast": (wav(shape(rate_hz=384000), PCM), "has 384000 Hz"),
    "bits": (wav(shape(bits=12, frame_bytes=2), PCM), "has 12 bits in frames of 2 bytes"),
    "frame": (wav(shape(frame_bytes=3), PCM), "has 16 bits in frames of 3 bytes"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_cannot_be_read_is_named(tmp_path: Path, name: str) -> None:
    content, complaint = BROKEN[name]
    path = tmp_path / f"{name}.wav"
    path.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        inspect_wav(path)

    assert str(caught.value).startswith(f"{path}: ")
    assert complaint in str(caught.value)


@pytest.mark.parametrize("name", ["missing.wav", ""])
def test_a_missing_file_and_a_folder_are_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        inspect_wav(tmp_path / name)


def test_a_file_that_shrinks_while_it_is_read_is_named(tmp_path: Path) -> None:
    path = write_wav(tmp_path / "sound.wav", tone(1000, 48000, 100))
    sound = inspect_wav(path)
    path.write_bytes(path.read_bytes()[:1001])
    with pytest.raises(ConfigError, match="cut short"):
        list(read_wav(sound, 0, 1000))


@pytest.mark.timeout(10)
def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "pipe.wav"
    os.mkfifo(path)
    with pytest.raises(ConfigError, match=r"pipe\.wav: is not a regular file"):
        inspect_wav(path)
