import base64

import pytest

from voice_node.local.refusal import Refused
from voice_node.local.sound_format import SoundReader, SoundWriter


def wire(sound: bytes) -> str:
    return base64.b64encode(sound).decode()


def test_pieces_come_out_at_16_khz() -> None:
    reader = SoundReader()
    heard = b"".join(reader.read(wire(bytes(960))) for _ in range(10)) + reader.finish()
    assert len(heard) == pytest.approx(32 * 200, abs=2)


def test_100_ms_are_100_ms() -> None:
    """The least that may be committed."""
    for kind, count in (("audio/pcm", 4800), ("audio/pcmu", 800)):
        reader = SoundReader(kind)
        assert len(reader.read(wire(bytes(count))) + reader.finish()) >= 3200


@pytest.mark.parametrize("kind", ["audio/pcmu", "audio/pcma"])
def test_g711_is_taken_at_8_khz(kind: str) -> None:
    reader = SoundReader(kind)
    assert len(reader.read(wire(b"\xd5" * 801)) + reader.finish()) == pytest.approx(3204, abs=8)


@pytest.mark.parametrize("audio", [None, 5, "?", "AAAA", "A" * (22 * 1024 * 1024), "é"])
def test_what_is_no_sound_is_refused(audio: object) -> None:
    with pytest.raises(Refused) as refusal:
        SoundReader().read(audio)
    assert refusal.value.param == "audio"


@pytest.mark.parametrize(("kind", "count"), [("audio/pcm", 9600), ("audio/pcmu", 1600), ("audio/pcma", 1600)])
def test_what_is_said_has_its_length(kind: str, count: int) -> None:
    writer = SoundWriter(kind)
    assert len(writer.write(bytes(5000)) + writer.write(bytes(4600)) + writer.finish()) == pytest.approx(count, abs=2)
