"""What a turn costs, and a budget that is spent."""

import pytest

from tests.session.room import Room, kinds
from voice_node.model.control import SetSpent
from voice_node.model.turn import LinkChanged, ResponseStatus, TokenCount, Usage
from voice_node.session import events as ev
from voice_node.session.protocol import MOST_REQUESTS, SPENT


def test_a_spent_budget_ends_the_session_after_the_turn_under_way() -> None:
    room = Room().up()
    room.say("t1")
    room.put(SetSpent(is_spent=True))
    room.wait(1)
    assert room.close is None
    room.heard("i1")
    room.reply("r1", "t1")
    room.wait(0.5)
    assert room.close == SPENT
    room.down(SPENT)
    assert not room.all(LinkChanged)[-1].is_trouble
    assert not room.protocol.wants_link(room.now)
    room.ask("t2")
    assert not room.protocol.wants_link(room.now)
    assert room.ends() == [("t1", "completed"), ("t2", "spent")]
    room.put(SetSpent(is_spent=False))
    assert room.protocol.wants_link(room.now)


def test_requests_do_not_keep_a_session_alive_that_is_spent() -> None:
    room = Room().up()
    room.ask("t1")
    room.put(SetSpent(is_spent=True))
    room.take()
    room.ask("t2")
    room.announce("t3")
    assert room.take() == []
    assert room.ends() == [("t2", "spent"), ("t3", "spent")]
    room.reply("r1", "t1")
    room.wait(0.5)
    assert room.close == SPENT


def test_what_was_asked_for_and_not_begun_is_refused_when_the_budget_is_spent() -> None:
    room = Room().up()
    room.ask("t1")
    room.ask("t2")
    room.announce("t3")
    room.take()
    room.put(SetSpent(is_spent=True))
    assert room.ends() == [("t2", "spent"), ("t3", "spent")]
    room.reply("r1", "t1")
    assert room.take() == []
    room.wait(0.5)
    assert room.close == SPENT


def test_more_requests_than_can_be_answered_in_time_are_refused() -> None:
    room = Room().up()
    for number in range(MOST_REQUESTS):
        room.ask(f"t{number}")
    room.take()
    room.ask("one more")
    room.announce("and one more")
    room.say("spoken")
    assert kinds(room.take()) == ["AppendAudio", "CommitAudio"]
    assert room.ends() == [("one more", "busy"), ("and one more", "busy")]
    room.reply("r0", "t0")
    room.ask("now")
    assert ("now", "busy") not in room.ends()


def test_what_a_turn_costs_is_priced() -> None:
    room = Room(provider="openai", url=None, model="gpt-realtime-2.1-mini").up()
    room.say("t1")
    room.hear(ev.AudioCommitted("i1"), ev.TranscriptDone("i1", "words", usage_s=60.0))
    heard = TokenCount(1000, 2000, 800, 1500, 100, 50)
    room.hear(ev.ResponseCreated("r1", {"turn_id": "t1"}))
    room.hear(ev.ResponseDone("r1", ResponseStatus.COMPLETED, usage_input=heard, usage_output=TokenCount(100, 300)))
    transcription, response = room.all(Usage)
    assert transcription.usd == pytest.approx(0.0045)
    micro = 200 * 0.6 + 800 * 0.06 + 500 * 10 + 1500 * 0.3 + 50 * 0.8 + 50 * 0.08 + 100 * 2.4 + 300 * 20
    assert response.usd == pytest.approx(micro / 1e6)
    assert response.input == heard


def test_what_was_held_is_not_sent_when_the_budget_is_spent() -> None:
    room = Room()
    room.say("t1")
    room.put(SetSpent(is_spent=True))
    assert room.ends() == [("t1", "spent")]
    room.up()
    assert "AppendAudio" not in kinds(room.take())
