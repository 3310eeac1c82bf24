"""What became of a tool call, in words."""

import pytest

from voice_node.mqtt.bridge import Published
from voice_node.mqtt.delivery import Delivery
from voice_node.mqtt.message import Message

CALL = Message("voice_node/kitchen/tool/light/call", b"{}", qos=1)


class Bridge:
    """Publishes with the result that the test wants."""

    def __init__(self, result: Published) -> None:
        self.result = result
        self.start = self.stop = self.offer = None

    async def publish(self, message: Message) -> Published:
        assert message is CALL
        return self.result


def delivery(result: Published) -> Delivery:
    return Delivery(Bridge(result))  # type: ignore[arg-type]  # what Delivery asks of a bridge


@pytest.mark.parametrize("result", [result for result in Published if result is not Published.TIMEOUT])
async def test_each_result_is_said_in_words(result: Published) -> None:
    words = await delivery(result).deliver(CALL)
    assert (words is None) == (result is Published.DELIVERED)


async def test_a_call_of_which_nobody_knows_is_none_of_them() -> None:
    with pytest.raises(TimeoutError):
        await delivery(Published.TIMEOUT).deliver(CALL)
