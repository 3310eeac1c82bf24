"""The GA dialect's client events, against the published schema."""

import json
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes.schema import assert_published, needs_schema
from voice_node.session import events as ev
from voice_node.session.setup import session_ga
from voice_node.session.wire_ga import encode
from voice_node.settings.session import SessionSettings

CLIENT_EVENTS: list[ev.ClientEvent] = [
    ev.UpdateSession("e1", session_ga(SessionSettings(), ())),
    ev.AppendAudio(bytes(range(256))),
    ev.CommitAudio("e1"),
    ev.ClearAudio("e1"),
    ev.CreateText("e1", "item_1", "user", 'sag "hallo"\n\u00fc \U0001f600'),
    ev.CreateText("e1", "item_1", "assistant", "hello"),
    ev.CreateCallOutput("e1", "item_2", "call_1", '{"ok": true}'),
    ev.CreateApproval("e1", "item_3", "mcpr_1", is_approved=True),
    ev.CreateApproval("e1", "item_3", "mcpr_1", is_approved=False, reason="refused: nobody said yes"),
    ev.TruncateItem("e1", "item_1", 1500),
    ev.DeleteItem("e1", "item_1"),
    ev.CreateResponse("e1"),
    ev.CreateResponse("e1", {"turn_id": "t1"}, "be brief"),
    ev.CreateAnnouncement("e1", "the washing is done", {"turn_id": "t1"}),
    ev.CancelResponse("e1"),
    ev.CancelResponse("e1", "resp_1"),
]


@needs_schema
@pytest.mark.parametrize("event", CLIENT_EVENTS, ids=lambda event: type(event).__name__)
def test_what_is_sent_is_published(event: ev.ClientEvent) -> None:
    assert_published("client", json.loads(encode(event)))


def test_every_client_event_is_tried() -> None:
    assert {type(event) for event in CLIENT_EVENTS} == set(get_args(ev.ClientEvent))


def test_audio_is_base64() -> None:
    assert json.loads(encode(ev.AppendAudio(b"\0\xff\1"))) == {"type": "input_audio_buffer.append", "audio": "AP8B"}


@needs_schema
@given(text=st.text(), name=st.text(max_size=32), pcm=st.binary())
def test_any_text_and_any_sound_can_be_sent(text: str, name: str, pcm: bytes) -> None:
    for event in (
        ev.AppendAudio(pcm),
        ev.CreateText("e", name, "user", text),
        ev.CreateCallOutput("e", name, name, text),
        ev.CreateResponse("e", {"turn_id": name}, text),
        ev.CreateAnnouncement("e", text),
    ):
        assert_published("client", json.loads(encode(event)))
