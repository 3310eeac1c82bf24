"""The events are values: every one of them, of both directions."""

import dataclasses
from typing import Any, get_args

import pytest

from voice_node.session import events as ev

ALL: tuple[Any, ...] = (*get_args(ev.ClientEvent), *get_args(ev.ServerEvent))


@pytest.mark.parametrize("event", ALL)
def test_frozen_and_slotted(event: Any) -> None:
    assert dataclasses.is_dataclass(event)
    assert vars(event)["__dataclass_params__"].frozen
    assert hasattr(event, "__slots__")


def test_the_unions_are_closed() -> None:
    classes = {value for value in vars(ev).values() if isinstance(value, type) and value.__module__ == ev.__name__}
    assert classes - set(ALL) == {ev.FunctionCall, ev.ReplyMessage, ev.ApprovalRequest}


@pytest.mark.parametrize("event", get_args(ev.ClientEvent))
def test_what_a_server_may_refuse_has_a_name(event: Any) -> None:
    names = {field.name for field in dataclasses.fields(event)}
    assert "event_id" in names or event is ev.AppendAudio
