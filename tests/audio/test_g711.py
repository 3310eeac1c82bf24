"""Both laws, both ways, against sox and against themselves."""

import shutil
import subprocess

import numpy as np
import pytest

from voice_node.audio import g711

LAWS: tuple[g711.Law, ...] = ("pcmu", "pcma")
NAMES = {"pcmu": "u-law", "pcma": "a-law"}
CODES = bytes(range(256))
EVERY_SAMPLE = np.arange(-32768, 32768).astype("<i2")
needs_sox = pytest.mark.skipif(shutil.which("sox") is None, reason="sox is not installed")


def by_sox(sound: bytes, law: g711.Law, *, to_law: bool) -> bytes:
    raw = ["-t", "raw", "-r", "8000", "-c", "1"]
    coded, linear = ["-e", NAMES[law], "-b", "8", "-"], ["-e", "signed", "-b", "16", "-"]
    command = ["sox", "-D", *raw, *(linear if to_law else coded), *raw, *(coded if to_law else linear)]
    return subprocess.run(command, input=sound, capture_output=True, check=True).stdout


@needs_sox
@pytest.mark.parametrize("law", LAWS)
def test_all_256_codes_are_read_as_sox_reads_them(law: g711.Law) -> None:
    assert g711.decode(CODES, law) == by_sox(CODES, law, to_law=False)


@needs_sox
@pytest.mark.parametrize("law", LAWS)
def test_all_samples_are_written_as_sox_writes_them_or_nearer(law: g711.Law) -> None:
    ours = np.frombuffer(g711.decode(g711.encode(EVERY_SAMPLE.tobytes(), law), law), "<i2").astype(int)
    theirs = np.frombuffer(g711.decode(by_sox(EVERY_SAMPLE.tobytes(), law, to_law=True), law), "<i2").astype(int)
    assert (abs(ours - EVERY_SAMPLE) <= abs(theirs - EVERY_SAMPLE)).all()
    assert (ours != theirs).mean() < 0.03, "where two levels are as near, and where sox rounds first"


@pytest.mark.parametrize("law", LAWS)
def test_what_was_read_is_written_the_same(law: g711.Law) -> None:
    again = g711.encode(g711.decode(CODES, law), law)
    zero_twice = {0x7F: 0xFF} if law == "pcmu" else {}
    assert list(again) == [zero_twice.get(code, code) for code in CODES]


@pytest.mark.parametrize("law", LAWS)
def test_louder_is_never_written_as_quieter(law: g711.Law) -> None:
    heard = np.frombuffer(g711.decode(g711.encode(EVERY_SAMPLE.tobytes(), law), law), "<i2").astype(int)
    assert (np.diff(heard) >= 0).all()
    wrong_by = abs(heard - EVERY_SAMPLE.astype(int))
    assert (wrong_by <= np.maximum(16, abs(EVERY_SAMPLE.astype(int)) / 30 + 1)).mean() > 0.99
    assert wrong_by.max() <= 644, "clipping at mu-law's loudest level, 32124"


def test_silence_is_what_resting_lines_say() -> None:
    assert g711.encode(bytes(4), "pcmu") == b"\xff\xff"
    assert g711.encode(bytes(4), "pcma") == b"\xd5\xd5"
    assert g711.encode(b"", "pcma") == g711.decode(b"", "pcmu") == b""
