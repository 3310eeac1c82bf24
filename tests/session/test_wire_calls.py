"""Calls as a service may write them, odd ones too."""

import json
from typing import Any

import pytest

from voice_node.session import events as ev
from voice_node.session.wire_common import decode

LONG = "x" * 300


@pytest.mark.parametrize(
    ("odd", "name", "arguments"),
    [
        ({"arguments": {"on": True}}, "light", "null"),
        ({"arguments": 5}, "light", "null"),
        ({"arguments": None}, "light", "{}"),
        ({"name": None}, "", "{}"),
        ({"name": LONG}, LONG[:256], "{}"),
    ],
)
def test_a_call_of_which_only_the_id_can_be_read_is_one_that_no_tool_takes(
    odd: dict[str, Any], name: str, arguments: str
) -> None:
    """So it gets its answer: the model waits for one."""
    item = {"type": "function_call", "call_id": "c", "name": "light", "arguments": "{}"} | odd
    event = {"type": "response.output_item.done", "response_id": "r", "item": item}
    assert decode(json.dumps(event)) == ev.CallDone("r", ev.FunctionCall("c", name, arguments))
