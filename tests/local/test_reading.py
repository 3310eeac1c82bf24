import json

import pytest

from voice_node.local.reading import read_object
from voice_node.local.refusal import Refused


def test_an_object_is_read() -> None:
    assert read_object('{"a": [1, 2.5, {"b": "ä"}]}') == {"a": [1, 2.5, {"b": "ä"}]}


HOSTILE = [
    "",
    "{",
    "[]",
    "5",
    "NaN",
    '{"a": Infinity}',
    '{"a": 1e999}',
    "[" * 100_000,
    '{"a":' * 70 + "1" + "}" * 70,
    json.dumps({"a": [0] * 30_000}),
]


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_everything_else_is_refused(text: str) -> None:
    with pytest.raises(Refused):
        read_object(text)
