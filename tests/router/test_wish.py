from voice_node.router.direct import Order
from voice_node.router.wish import Wish
from voice_node.settings.tools import Tool

TOOL = Tool(name="light", description="x", timeout_s=4)


def test_its_time_is_the_tool_s_or_that_of_the_device() -> None:
    wish = Wish("c1", "t1", TOOL, {}, None, "voice", 0.0)
    assert wish.timeout_s == 4
    assert Wish("c1", "t1", TOOL, {}, Order("a", b"", "b", 9), "voice", 0.0).timeout_s == 9
    assert wish.identity == Wish("c2", "t2", TOOL, {}, None, "text", 5.0).identity
