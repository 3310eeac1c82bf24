"""The answer of a server as the output of a call."""

import json
from typing import Any

import pytest

from voice_node.mcp.answer import CUT, LONGEST, LONGEST_ERROR, error, output


@pytest.mark.parametrize(
    ("texts", "structured", "expected"),
    [
        (['{"success": true}'], None, {"success": True}),
        (["it is", "raining"], None, "it is\nraining"),
        ([], {"state": "on"}, {"state": "on"}),
        (["on"], {"state": "off"}, "on"),
        ([], None, "done"),
        (["NaN"], None, "NaN"),
        (["1e999"], None, "1e999"),
        (["[" * 5000], None, "[" * 5000),
        (["9" * 5000], None, "9" * 5000),
        (["x" * (LONGEST + 1)], None, "x" * LONGEST + CUT),
    ],
)
def test_output(texts: list[str], structured: Any, expected: Any) -> None:
    value = output(texts, structured)
    assert value == expected
    json.dumps(value, allow_nan=False)


def test_an_error_is_short_and_never_empty() -> None:
    assert error(["no lamp", "here"]) == "no lamp\nhere"
    assert len(error(["x" * 10**6])) == LONGEST_ERROR
    assert error([]) == "the tool failed"
