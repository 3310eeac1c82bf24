"""The beta dialect's client events, against the published schema."""

import json
from typing import Any

import pytest

from tests.fakes.schema import assert_published, needs_schema
from tests.session.test_wire_ga import CLIENT_EVENTS
from voice_node.session import events as ev
from voice_node.session.setup import session_beta
from voice_node.session.wire_beta import encode
from voice_node.settings.session import SessionSettings

BETA = SessionSettings(provider="custom", url="ws://nas/v1/realtime", dialect="beta")
UPDATES: list[ev.ClientEvent] = [
    ev.UpdateSession("e1", session_beta(BETA, ())),
    ev.UpdateSession("e1", session_beta(BETA.model_copy(update={"type": "transcription"}), ()), is_transcription=True),
]


def sent(event: ev.ClientEvent) -> Any:
    return json.loads(encode(event))


@needs_schema
@pytest.mark.parametrize(
    "event",
    UPDATES + [event for event in CLIENT_EVENTS if not isinstance(event, ev.UpdateSession | ev.CreateApproval)],
    ids=lambda event: type(event).__name__,
)
def test_what_is_sent_is_published(event: ev.ClientEvent) -> None:
    assert_published("client", sent(event), "beta")


def test_a_transcription_session_has_an_update_of_its_own() -> None:
    assert [sent(update)["type"] for update in UPDATES] == ["session.update", "transcription_session.update"]


def test_what_the_assistant_said_is_text() -> None:
    (content,) = sent(ev.CreateText("e1", "item_1", "assistant", "hello"))["item"]["content"]
    assert content == {"type": "text", "text": "hello"}
    (content,) = sent(ev.CreateText("e1", "item_1", "user", "hello"))["item"]["content"]
    assert content == {"type": "input_text", "text": "hello"}
