"""The words of the domain, all of them: what holds for each class of `voice_node.model`."""

import dataclasses
import importlib
import inspect
import pkgutil
import typing
from datetime import datetime
from enum import Enum
from types import ModuleType, UnionType
from typing import Any

import pytest

from voice_node import model

MODULES = [importlib.import_module(f"voice_node.model.{info.name}") for info in pkgutil.iter_modules(model.__path__)]

PARTS = {"Cleaned", "Frame", "Moment", "PlayedBlock", "ReplyTo", "TokenCount"}
"""Values that are no word on the road themselves: a union's members are made of them, or they stand alone."""


def classes_of(module: ModuleType) -> list[type[Any]]:
    return [one for one in vars(module).values() if isinstance(one, type) and one.__module__ == module.__name__]


CLASSES = [one for module in MODULES for one in classes_of(module)]
VALUES = [one for one in CLASSES if dataclasses.is_dataclass(one)]
UNIONS = {
    name: set(typing.get_args(value))
    for module in MODULES
    for name, value in vars(module).items()
    if isinstance(value, UnionType)
}


def name_of(one: Any) -> str:
    return str(one.__name__)


def test_the_walk_finds_the_words() -> None:
    assert {"Frame", "ToolCall", "CallReport", "AnswerCall", "SpeechEnded", "Moment"} <= set(map(name_of, VALUES))
    assert set(UNIONS) == {"Speech", "Heard", "Outcome", "Report", "Command", "Request", "Control"}


@pytest.mark.parametrize("one", CLASSES, ids=name_of)
def test_each_class_is_a_value_a_choice_or_an_error(one: type) -> None:
    assert dataclasses.is_dataclass(one) or issubclass(one, Enum | Exception)


@pytest.mark.parametrize("one", VALUES, ids=name_of)
def test_values_are_frozen_and_slotted(one: Any) -> None:
    assert one.__dataclass_params__.frozen
    assert "__slots__" in vars(one)
    assert not any("__dict__" in vars(base) for base in one.__mro__)


@pytest.mark.parametrize("one", CLASSES, ids=name_of)
def test_each_class_says_in_its_source_what_it_is(one: type) -> None:
    # dataclass() writes a docstring of its own where there is none, so the source is asked
    first = inspect.getsource(one).split(":\n", 1)[1].strip()
    assert first.startswith('"""')
    assert inspect.getdoc(one)


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__.rpartition(".")[2])
def test_each_module_and_its_functions_say_what_they_are(module: ModuleType) -> None:
    assert module.__doc__
    functions = [one for one in vars(module).values() if inspect.isfunction(one) and one.__module__ == module.__name__]
    methods = [
        one
        for owner in classes_of(module)
        for name, one in vars(owner).items()
        if (inspect.isfunction(one) or isinstance(one, property)) and not name.startswith("_")
    ]
    assert [one for one in (*functions, *methods) if not inspect.getdoc(one)] == []


@pytest.mark.parametrize("one", [one for one in VALUES if one.__name__ not in PARTS], ids=name_of)
def test_each_word_is_in_a_union(one: type) -> None:
    is_reply_audio = one.__name__ in ("ReplyAudio", "ReplyAudioEnded")  # to the speaker, on a road of their own
    assert any(one in members for members in UNIONS.values()) is not is_reply_audio


@pytest.mark.parametrize("members", UNIONS.values(), ids=UNIONS.keys())
def test_unions_hold_words_alone(members: set[type]) -> None:
    assert members <= set(VALUES)


def test_no_word_goes_two_ways() -> None:
    """A transcript alone is passed on as it is; everything else is said anew on the next stretch of the road."""
    roads = [UNIONS[name] for name in ("Speech", "Outcome", "Report", "Command", "Control")]
    shared = {name_of(one) for road in roads for one in road if sum(one in other for other in roads) > 1}
    assert shared == {"Transcript"}
    assert UNIONS["Request"] < UNIONS["Command"]


@pytest.mark.parametrize("one", VALUES, ids=name_of)
def test_units_and_truths_are_told_by_the_names(one: Any) -> None:
    for name, hint in typing.get_type_hints(one).items():
        if hint is bool:
            assert name.startswith(("is_", "has_", "listen_after")), f"{one.__name__}.{name} is no statement"
        if hint is datetime:
            assert name.endswith("_at") or name in ("since", "wall"), f"{one.__name__}.{name} is a time"


@pytest.mark.parametrize("one", [one for one in VALUES if one in UNIONS["Request"]], ids=name_of)
def test_each_request_can_be_answered(one: Any) -> None:
    assert "reply_to" in {field.name for field in dataclasses.fields(one)}
