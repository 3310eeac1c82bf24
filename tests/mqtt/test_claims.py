"""Claims of rooms on their way in."""

import json

import pytest

from voice_node.model.command import BadInput, Command, RoomClaims
from voice_node.mqtt.decode import decode
from voice_node.mqtt.message import Incoming
from voice_node.mqtt.topics import Topics

TOPICS = Topics("voice_node", "kitchen", is_arbitrated=True)


def read(payload: str | bytes, topics: Topics = TOPICS, *, is_retained: bool = False) -> Command | None:
    raw = payload.encode() if isinstance(payload, str) else payload
    return decode(Incoming("voice_node/claim", raw, is_retained), topics)


def test_a_claim_names_its_room_its_id_and_to_whom_it_gives_way() -> None:
    assert read('{"room": "hall", "claim_id": "x-1"}') == RoomClaims("hall", "x-1")
    assert read('{"room": "hall", "claim_id": "x-1", "gives_way_to": null}') == RoomClaims("hall", "x-1")
    assert read('{"room": "hall", "claim_id": "x-1", "gives_way_to": "den", "new": 1}') == RoomClaims(
        "hall", "x-1", "den"
    )


def test_an_old_claim_is_none_and_a_room_that_shares_with_nobody_hears_none() -> None:
    assert read('{"room": "hall", "claim_id": "x-1"}', is_retained=True) is None
    assert read('{"room": "hall", "claim_id": "x-1"}', Topics("voice_node", "kitchen")) is None


@pytest.mark.parametrize(
    "payload",
    [
        b"\xff",
        "",
        "kitchen",
        "[]",
        "{}",
        '{"room": "hall"}',
        '{"claim_id": "x-1"}',
        '{"room": "hall", "claim_id": 1}',
        '{"room": "hall", "claim_id": ""}',
        json.dumps({"room": "hall", "claim_id": "x" * 257}),
        '{"room": "a/b", "claim_id": "x-1"}',
        '{"room": "hall", "claim_id": "x-1", "gives_way_to": "+"}',
        '{"room": "hall", "claim_id": "x-1", "gives_way_to": 1}',
        json.dumps({"room": "hall", "claim_id": "x-1", "more": "x" * 70_000}),
    ],
)
def test_what_is_no_claim_changes_nothing_and_is_told(payload: str | bytes) -> None:
    answer = read(payload)
    assert isinstance(answer, BadInput)
    assert answer.place == "voice_node/claim"
    assert answer.command is None
