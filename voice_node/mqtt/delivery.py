"""Tool calls to the broker, and why one did not arrive."""

from voice_node.mqtt.bridge import Bridge, Published
from voice_node.mqtt.message import Message


class Delivery:
    """The bridge as the pipeline knows it: what could not be delivered is said in words."""

    def __init__(self, bridge: Bridge) -> None:
        self._bridge = bridge
        self.start = bridge.start
        self.stop = bridge.stop
        self.offer = bridge.offer

    async def deliver(self, message: Message) -> str | None:
        """Why `message` did not reach anybody, or None; TimeoutError where nobody knows."""
        match await self._bridge.publish(message):
            case Published.DELIVERED:
                return None
            case Published.TIMEOUT:
                raise TimeoutError
            case Published.UNHEARD:
                return "nobody has subscribed to its topic"
            case Published.UNREACHABLE:
                return "the broker is away"
            case Published.DENIED:
                return "the broker's access rules forbid it"
            case Published.REFUSED:
                return "the broker refuses it"
