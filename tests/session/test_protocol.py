"""The life of a connection: how it opens, whether it is wanted, how its session ends, and that nothing grows."""

from typing import Any

import pytest

from tests.session.room import SECOND, Room, done, kinds
from voice_node.model.control import ResetConversation
from voice_node.model.speech import SpeechStarted
from voice_node.model.turn import LinkChanged, ServiceTrouble, ToolCall, Transcript, Usage
from voice_node.session import events as ev
from voice_node.session.protocol import HANDSHAKE_PATIENCE_S, IDLE, RENEWED, RESET


def test_nothing_is_sent_before_the_server_spoke() -> None:
    room = Room()
    room.say("t1")
    room.perform(room.protocol.opened(room.now))
    room.say("t2")
    assert room.sends == []


def test_the_handshake_then_what_was_held() -> None:
    room = Room()
    room.say("t1")
    room.perform(room.protocol.opened(room.now))
    room.hear(ev.SessionCreated("sess_1", None, {}))
    assert kinds(room.take()) == ["UpdateSession"]
    assert not room.protocol.is_ready
    room.hear(ev.SessionUpdated({}))
    assert room.protocol.is_ready
    assert kinds(room.take()) == ["AppendAudio", "CommitAudio", "CreateResponse"]
    assert b"".join(event.pcm for event in room.all(ev.AppendAudio)) == SECOND
    assert room.all(LinkChanged) == [LinkChanged(is_up=True, session_id="sess_1", dialect="ga")]


def test_session_events_told_twice_change_nothing() -> None:
    room = Room().up()
    room.take()
    room.hear(ev.SessionCreated("sess_2", None, {}), ev.SessionUpdated({}), ev.SessionUpdated({}))
    assert room.take() == []
    assert len(room.all(LinkChanged)) == 1


@pytest.mark.parametrize("is_greeted", [False, True])
def test_a_handshake_that_never_ends_is_given_up(is_greeted: bool) -> None:
    room = Room()
    room.perform(room.protocol.opened(room.now))
    if is_greeted:
        room.wait(HANDSHAKE_PATIENCE_S - 1)
        room.hear(ev.SessionCreated("sess_1", None, {}))
    room.wait(HANDSHAKE_PATIENCE_S - 1)
    assert room.close is None
    room.wait(2)
    assert room.close is not None


def test_a_server_that_keeps_its_own_turn_detection_is_reported() -> None:
    room = Room()
    room.perform(room.protocol.opened(room.now))
    kept = {"audio": {"input": {"turn_detection": {"type": "server_vad"}}}}
    room.hear(ev.SessionCreated("s", None, {}), ev.SessionUpdated(kept))
    assert [trouble.code for trouble in room.all(ServiceTrouble)] == ["settings_kept"]
    assert "audio.input.turn_detection" in room.all(ServiceTrouble)[0].detail
    assert room.protocol.is_ready


@pytest.mark.parametrize("session", [{"audio": None}, {"audio": {"input": []}}, {"audio": {"input": {}}}, {}])
def test_an_odd_echo_of_the_settings_is_no_trouble(session: dict[str, Any]) -> None:
    room = Room()
    room.perform(room.protocol.opened(room.now))
    room.hear(ev.SessionCreated("s", None, {}), ev.SessionUpdated(session))
    assert room.protocol.is_ready
    assert room.all(ServiceTrouble) == []


# --- wanting a connection -----------------------------------------------------------------------------------------


def test_an_idle_connection_closes_and_speech_wants_another() -> None:
    room = Room(connect="on_speech").up()
    room.say("t1")
    room.heard("i1")
    room.reply("r1", "t1")
    room.wait(119)
    assert room.close is None
    room.wait(2)
    assert room.close == IDLE
    room.down(IDLE)
    assert not room.protocol.wants_link(room.now)
    assert room.all(LinkChanged)[-1] == LinkChanged(is_up=False, detail=IDLE, is_trouble=False)
    room.put(SpeechStarted("t2", 0))
    assert room.protocol.wants_link(room.now)


def test_always_means_always() -> None:
    room = Room().up()
    room.wait(400, 10)
    assert room.close is None
    room.down()
    assert room.protocol.wants_link(room.now)


def test_a_reset_ends_the_connection_and_its_memory() -> None:
    room = Room().up()
    room.put(ResetConversation())
    assert room.close == RESET
    room.down(RESET)
    room.put(ResetConversation())
    assert room.close is None
    assert not room.all(LinkChanged)[-1].is_trouble


# --- the end of a session -----------------------------------------------------------------------------------------


def renewed_after(expires_in: float | None) -> float:
    """Seconds after which a quiet session is renewed."""
    room = Room()
    room.up(None if expires_in is None else room.now.wall.timestamp() + expires_in)
    while room.close is None and room.at < 4000:
        room.wait(5, 5)
    assert room.close == RENEWED
    return room.at


@pytest.mark.parametrize(
    ("expires_in", "after"),
    [
        (None, 55 * 60),
        (3600, 55 * 60),
        (1800, 1800 - 120),
        (100, 75),
        # A clock that is wrong must not make the session seem over, nor endless:
        (-365 * 86400, 55 * 60),
        (0, 55 * 60),
        (365 * 86400, 55 * 60),
        (7200, 55 * 60),
    ],
)
def test_when_a_session_is_renewed(expires_in: float | None, after: float) -> None:
    assert renewed_after(expires_in) == pytest.approx(after, abs=5)


def test_a_turn_is_not_interrupted_by_a_renewal() -> None:
    room = Room()
    room.up(room.now.wall.timestamp() + 100)
    room.wait(70)
    room.say("t1")
    room.hear(ev.AudioCommitted("i1"), ev.ResponseCreated("r1", {"turn_id": "t1"}))
    room.wait(15)
    assert room.close is None
    room.hear(ev.TranscriptDone("i1", "words"), done("r1", "t1"))
    room.wait(0.5)
    assert room.close == RENEWED
    room.down(RENEWED)
    assert not room.all(LinkChanged)[-1].is_trouble
    assert room.protocol.wants_link(room.now)


def test_a_renewal_that_cannot_be_done_in_peace_is_an_expiry() -> None:
    room = Room().up()
    room.say("t1")
    room.hear(ev.ServerError("session_expired", "60 minutes"))
    assert room.close == "the session expired"
    assert room.all(ServiceTrouble) == []


# --- for years ----------------------------------------------------------------------------------------------------


def test_nothing_grows() -> None:
    room = Room().up()
    answers, replies = room.protocol._answers, room.protocol._replies
    for number in range(500):
        turn_id, response_id = f"t{number}", f"r{number}"
        if number % 3 == 0:
            room.ask(turn_id)
        else:
            room.say(turn_id, bytes(9600))
            room.heard(f"i{number}")
        call = ev.FunctionCall(f"c{number}", "light", "{}")
        if number % 2:
            room.hear(ev.ResponseCreated(response_id, {}), ev.CallDone(response_id, call))
            room.hear(done(response_id, turn_id, calls=(call,)))
            room.answer(f"c{number}")
            response_id += "b"
        room.reply(response_id, turn_id)
        room.hear(ev.ReplyAudioDelta(response_id, f"item_{response_id}", b""))
        room.take()
        room.at += 3
    assert len(room.ends()) == 500
    assert {status for _, status in room.ends()} == {"completed"}
    assert len(room.all(ToolCall)) == 250
    assert len({words.item_id for words in room.all(Transcript)}) == len(room.all(Transcript))
    turns = answers.turns
    assert (len(turns), turns._items, turns._responses, turns._calls) == (0, {}, {}, {})
    assert answers.sequencer.is_idle
    assert len(answers._awaited) <= 256
    assert len(replies._told) <= 256
    assert len(replies._began) <= 1
    assert len(room.all(Usage)) == 500 + 250 + 333
