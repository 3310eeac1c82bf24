"""Checks of values that strangers send: each takes a value and its place (`session.audio...`), and raises Refused."""

from collections.abc import Callable, Mapping
from typing import Any

from voice_node.local.refusal import Refused

Check = Callable[[Any, str], None]


def fields(known: Mapping[str, Check], *required: str) -> Check:
    """An object of these fields, and of no others."""

    def check(value: Any, place: str) -> None:
        if not isinstance(value, dict):
            raise Refused("invalid_type", f"Expected an object for '{place}'.", place)
        for key, item in value.items():
            if key not in known:
                name = f"{place}.{key[:64]}"
                raise Refused("unknown_parameter", f"Unknown parameter: '{name}'.", name)
            known[key](item, f"{place}.{key}")
        for name in required:
            if name not in value:
                raise missing(f"{place}.{name}")

    return check


def missing(place: str) -> Refused:
    """The refusal of what is not there."""
    return Refused("missing_required_parameter", f"Missing required parameter: '{place}'.", place)


def or_null(check: Check) -> Check:
    """The same, or null."""

    def check_value(value: Any, place: str) -> None:
        if value is not None:
            check(value, place)

    return check_value


def one_of(*choices: Any) -> Check:
    """One of these values."""

    def check(value: Any, place: str) -> None:
        if not any(value == choice and type(value) is type(choice) for choice in choices):
            expected = " or ".join(repr(choice) for choice in choices)
            raise Refused("invalid_value", f"Invalid value for '{place}': expected {expected}.", place)

    return check


def text(longest: int) -> Check:
    """A string of at most so many characters."""

    def check(value: Any, place: str) -> None:
        if not isinstance(value, str):
            raise Refused("invalid_type", f"Expected a string for '{place}'.", place)
        if len(value) > longest:
            raise Refused("string_above_max_length", f"'{place}' is longer than {longest} characters.", place)

    return check


def number(low: float, high: float) -> Check:
    """A number within these bounds."""

    def check(value: Any, place: str) -> None:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise Refused("invalid_type", f"Expected a number for '{place}'.", place)
        _within(value, low, high, place)

    return check


def whole(low: int, high: int) -> Check:
    """An integer within these bounds."""

    def check(value: Any, place: str) -> None:
        if isinstance(value, bool) or not isinstance(value, int):
            raise Refused("invalid_type", f"Expected an integer for '{place}'.", place)
        _within(value, low, high, place)

    return check


def boolean(value: Any, place: str) -> None:
    """True or false."""
    if not isinstance(value, bool):
        raise Refused("invalid_type", f"Expected a boolean for '{place}'.", place)


def list_of(check_item: Check, most: int, least: int = 0) -> Check:
    """An array of so many elements."""

    def check(value: Any, place: str) -> None:
        if not isinstance(value, list):
            raise Refused("invalid_type", f"Expected an array for '{place}'.", place)
        if not least <= len(value) <= most:
            raise Refused("invalid_value", f"Expected {least} to {most} elements in '{place}'.", place)
        for index, item in enumerate(value):
            check_item(item, f"{place}[{index}]")

    return check


def texts_by_name(most: int, longest_name: int, longest: int) -> Check:
    """An object of strings, whatever their names."""

    def check(value: Any, place: str) -> None:
        if not isinstance(value, dict):
            raise Refused("invalid_type", f"Expected an object for '{place}'.", place)
        if len(value) > most:
            raise Refused("invalid_value", f"Expected at most {most} pairs in '{place}'.", place)
        for key, item in value.items():
            text(longest_name)(key, place)
            text(longest)(item, f"{place}.{key[:longest_name]}")

    return check


def anything(_value: Any, _place: str) -> None:
    """What this server has no use for, and echoes."""


def _within(value: float, low: float, high: float, place: str) -> None:
    if not low <= value <= high:
        raise Refused("invalid_value", f"Expected '{place}' to be {low} to {high}.", place)
