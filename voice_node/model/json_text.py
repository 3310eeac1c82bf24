"""JSON from strangers: brokers, models, devices, clients.

`json.loads` takes much that is not JSON or that breaks who writes it again; this takes nothing of it.
"""

import json
import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

_HALF_PAIR = re.compile("[\ud800-\udfff]")


class BadJson(ValueError):
    """The text says what is wrong, and never repeats what was read."""


def read_json(text: str, *, deepest: int = 64, most_values: int = 65_536, largest: int | None = None) -> Any:
    """The value that `text` says; raises BadJson.

    Keys of an object differ, numbers are finite, texts are whole characters. Lists and objects stand in at most
    `deepest` others, at most `most_values` below the whole, keys too, and no integer is further from 0 than `largest`.
    """
    try:
        value = json.loads(text, parse_constant=_refuse_constant, object_pairs_hook=_object)
    except RecursionError:
        raise BadJson("nested too deeply") from None
    except json.JSONDecodeError as error:
        raise BadJson(f"not valid JSON: {error.msg} at character {error.pos}") from None
    except BadJson:
        raise
    except ValueError:  # an integer of more than 4,300 digits
        raise BadJson("not valid JSON: a number is too long") from None
    for count, (part, depth) in enumerate(walk(value)):
        if count > most_values:
            raise BadJson(f"more than {most_values} values")
        if depth > deepest:
            raise BadJson("nested too deeply")
        match part:
            case bool():
                pass
            case int() if largest is not None and abs(part) > largest:
                raise BadJson("a number is too large")
            case float() if not math.isfinite(part):
                raise BadJson("a number is too large")
            case str() if not part.isascii() and _HALF_PAIR.search(part):
                raise BadJson("a text holds half a character (a lone surrogate)")
    return value


def _refuse_constant(name: str) -> None:
    """NaN and the infinities, which Python would read."""
    raise BadJson(f"{name} is not a JSON number")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Of a key that is given twice Python would take the second, others the first."""
    fields = dict(pairs)
    if len(fields) < len(pairs):
        raise BadJson("a key is given twice in one object")
    return fields


def walk(root: Any) -> Iterator[tuple[Any, int]]:
    """Every value and every key, each with its depth."""
    waiting = [(root, 0)]
    while waiting:
        value, depth = waiting.pop()
        yield value, depth
        if isinstance(value, Mapping):
            waiting.extend((key, depth + 1) for key in value)
            waiting.extend((item, depth + 1) for item in value.values())
        elif isinstance(value, list):
            waiting.extend((item, depth + 1) for item in value)
