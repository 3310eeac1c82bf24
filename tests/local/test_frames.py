import pytest

from voice_node.local.frames import HEADER, LONGEST, Kind, pack, unpack_header


def test_a_message_says_its_length_and_kind() -> None:
    message = pack(Kind.SOUND, b"abc")
    assert unpack_header(message[: HEADER.size]) == (3, Kind.SOUND)
    assert message[HEADER.size :] == b"abc"


@pytest.mark.parametrize("header", [HEADER.pack(LONGEST + 1, 1), HEADER.pack(1, 99)])
def test_nonsense_is_refused(header: bytes) -> None:
    with pytest.raises(ValueError, match=r"long|Kind"):
        unpack_header(header)
