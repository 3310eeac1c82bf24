import pytest

from voice_node.mqtt.message import LARGEST_PAYLOAD, Message


def test_poison_cannot_be_made() -> None:
    for topic in ("", "a/+", "a\0"):
        with pytest.raises(ValueError, match="topic"):
            Message(topic, b"", 1)
    with pytest.raises(ValueError, match="payload"):
        Message("a", bytes(LARGEST_PAYLOAD + 1), 1)
    with pytest.raises(ValueError, match="response topic"):
        Message("a", b"", 1, response_topic="a/#")
    with pytest.raises(ValueError, match="correlation"):
        Message("a", b"", 1, correlation=bytes(257))


def test_the_wire_size_is_never_too_small() -> None:
    assert Message("ü/b", b"123", 1, expiry_s=1, response_topic="c", correlation=b"d").wire_size >= 4 + 3 + 1 + 1 + 24
