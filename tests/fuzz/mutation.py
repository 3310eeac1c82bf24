"""Bad input out of good input, by a seed's dice: JSON values with places changed, bytes with spans broken."""

import json
from random import Random
from typing import Any

_DEEP: Any = "leaf"
for _ in range(100):
    _DEEP = [_DEEP]
ODD: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 0.5, -0.0, 2**31, 2**53 + 1, 2**63, -(2**64), 10**40, 1e15, 1e308),
    *(float("nan"), float("inf"), float("-inf")),
    *(
        "",
        " ",
        "0",
        "null",
        "x" * 65,
        "x" * 257,
        "x" * 70_000,
        "\x00",
        "\ud800",
        "a\udfffb",
        "\u202e",
        "\ufeff",
        "\uffff",
    ),
    *(
        "é" * 40,
        "😀" * 70,
        "+",
        "#",
        "/",
        "../../x",
        "$SYS/a",
        "{state}",
        "{}",
        "[",
        '"',
        "\\",
        "\n\r\t",
        "YQ==",
        "YQ=",
    ),
    *(
        [],
        {},
        [None],
        [[]],
        {"": None},
        {"type": "error"},
        ["x"] * 70,
        {str(number): number for number in range(40)},
        _DEEP,
    ),
)
"""Values that break programs."""
TOKENS = (
    *(b"NaN", b"Infinity", b"-", b"1e999", b"9" * 5000, b"-0", b"0x1", b"01", b"null", b"true", b"\\ud800", b"\\u0000"),
    *(b"\x00", b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\xef\xbb\xbf", b"\\", b'"', b"{", b"}", b"[", b"]", b",", b":"),
    *(b"[" * 2000, b'{"a":' * 500, b" " * 3000, b"\n", b"\r\n", b"\x1b[2J", b"#", b"+"),
)
"""Bytes that break parsers."""
LONGEST = 100_000
"""Bytes of a mutated text: the time that any parser takes is its input's length."""


class Mutator:
    """All from the dice: the same seed makes the same input."""

    def __init__(self, dice: Random) -> None:
        self._dice = dice

    def value(self, root: Any) -> Any:
        """`root` with one to three of its places changed; what did not change is shared with it."""
        for _ in range(self._dice.choice((1, 1, 1, 2, 3))):
            root = self._changed(root)
        return root

    def json(self, root: Any) -> bytes:
        """The text of a mutated `root`, of which a fifth is broken as text too."""
        text = json.dumps(self.value(root)).encode()[:LONGEST]
        return self.bytes(text) if self._dice.random() < 0.2 else text

    def bytes(self, data: bytes, tokens: tuple[bytes, ...] = TOKENS) -> bytes:
        """`data` with one to four spans broken."""
        dice = self._dice
        for _ in range(dice.choice((1, 1, 2, 4))):
            at = dice.randrange(len(data) + 1)
            end = min(len(data), at + dice.choice((1, 1, 2, 4, 16, 200)))
            match dice.randrange(6):
                case 0:
                    data = data[:at] + dice.choice(tokens) + data[at:]
                case 1:
                    data = data[:at] + dice.choice(tokens) + data[end:]
                case 2:
                    data = data[:at] + data[end:]
                case 3:
                    data = data[:end] + data[at:]
                case 4:
                    data = data[:at]
                case _:
                    data = data[:at] + bytes(dice.randrange(256) for _ in data[at:end][:4]) + data[end:]
        return data

    def _changed(self, value: Any) -> Any:
        dice = self._dice
        if isinstance(value, dict) and value and dice.random() < 0.9:
            key = dice.choice(list(value))
            match dice.randrange(8):
                case 0:
                    return {name: entry for name, entry in value.items() if name != key}
                case 1:
                    return {**value, dice.choice(("", "type", "id", "x" * 300, "\ud800", "__class__")): value[key]}
                case 2:
                    return {**value, key: value[dice.choice(list(value))]}
                case _:
                    return {**value, key: self._changed(value[key])}
        if isinstance(value, list) and value and dice.random() < 0.9:
            place = dice.randrange(len(value))
            match dice.randrange(6):
                case 0:
                    return value[:place] + value[place + 1 :]
                case 1:
                    return value * dice.choice((2, 10, 100))
                case _:
                    return [*value[:place], self._changed(value[place]), *value[place + 1 :]]
        if isinstance(value, str) and value and dice.random() < 0.3:
            place = dice.randrange(len(value))
            odd = dice.choice(("\ud800", "\x00", "é", "+", "#", "/", '"', " ", "x" * 300))
            return value[:place] + odd + value[place + 1 :]
        if isinstance(value, int | float) and dice.random() < 0.3:
            return dice.choice((-value, value * 1e6, str(value), value + 0.5, [value]))
        return dice.choice(ODD)
