"""What the model remembers between turns, and what is taken out of its conversation."""

import itertools

import pytest

from tests.session.room import SECOND, Room, done, kinds
from voice_node.model.control import ResetConversation, StopReply
from voice_node.session import events as ev
from voice_node.session.memory import LONGEST_WORDS, Memory
from voice_node.session.protocol import RESET
from voice_node.settings.session import Conversation


def memory(**section: float) -> Memory:
    numbers = itertools.count(1)
    return Memory(Conversation.model_validate(section), lambda: f"e{next(numbers)}")


def told(events: list[ev.CreateText]) -> list[tuple[str, str]]:
    return [(event.role, event.text) for event in events]


def converse(room: Room, turn_id: str) -> None:
    """A spoken turn whose items are named after it."""
    room.say(turn_id)
    room.heard(f"item_{turn_id}", f"question {turn_id}")
    room.hear(ev.ResponseCreated(f"r_{turn_id}", {"turn_id": turn_id}))
    room.hear(ev.ReplyTextDone(f"r_{turn_id}", f"reply_{turn_id}", f"answer {turn_id}"))
    room.hear(
        ev.ResponseDone(
            f"r_{turn_id}",
            done("", "").status,
            metadata={"turn_id": turn_id},
            item_ids=(f"reply_{turn_id}",),
        )
    )


# --- alone --------------------------------------------------------------------------------------------------------


def test_words_come_back_in_order_with_the_user_first() -> None:
    kept = memory()
    kept.heard("t1", "assistant", "it is on", "i2")
    kept.heard("t1", "user", "light on")
    kept.heard("t1", "assistant", "anything else?", "i3")
    kept.turn_over("t1", 1.0, is_lost=False)
    kept.heard("t2", "user", "no")
    kept.turn_over("t2", 2.0, is_lost=False)
    assert told(kept.put_back(3.0)) == [
        ("user", "light on"),
        ("assistant", "it is on"),
        ("assistant", "anything else?"),
        ("user", "no"),
    ]


def test_what_is_put_back_has_ids_that_can_be_deleted_again() -> None:
    kept = memory(keep_turns=1)
    kept.heard("t1", "user", "one")
    kept.turn_over("t1", 1.0, is_lost=False)
    (text,) = kept.put_back(2.0)
    kept.heard("t2", "user", "two")
    (gone,) = kept.turn_over("t2", 3.0, is_lost=False)
    assert gone.item_id == text.item_id
    assert len(text.item_id) <= 32
    assert text.event_id.startswith("keep_")
    assert gone.event_id.startswith("keep_")


def test_no_more_turns_than_that() -> None:
    kept = memory(keep_turns=2)
    deleted: list[str] = []
    for number in range(5):
        kept.heard(f"t{number}", "user", str(number))
        kept.item(f"t{number}", f"a{number}")
        kept.item(f"t{number}", f"a{number}")
        kept.item(f"t{number}", f"b{number}")
        deleted += [event.item_id for event in kept.turn_over(f"t{number}", number, is_lost=False)]
    assert deleted == ["a0", "b0", "a1", "b1", "a2", "b2"]
    assert told(kept.put_back(5.0)) == [("user", "3"), ("user", "4")]


def test_nothing_is_kept_where_nothing_should_be() -> None:
    kept = memory(keep_turns=0)
    kept.heard("t1", "user", "one")
    kept.item("t1", "a")
    assert [event.item_id for event in kept.turn_over("t1", 1.0, is_lost=False)] == ["a"]
    assert kept.put_back(1.0) == []
    assert not kept.is_stale(1000)


def test_a_lost_turn_leaves_its_items_and_not_its_words() -> None:
    kept = memory(keep_turns=1)
    kept.heard("t1", "user", "one")
    kept.item("t1", "a")
    kept.turn_over("t1", 1.0, is_lost=True)
    assert kept.put_back(1.0) == []
    kept = memory(keep_turns=1)
    kept.item("t1", "a")
    kept.turn_over("t1", 1.0, is_lost=True)
    kept.heard("t2", "user", "two")
    assert [event.item_id for event in kept.turn_over("t2", 1.0, is_lost=False)] == ["a"]


def test_a_turn_of_which_nothing_is_left_takes_no_place() -> None:
    kept = memory(keep_turns=1)
    kept.heard("t1", "user", "one")
    kept.turn_over("t1", 1.0, is_lost=False)
    kept.heard("t2", "user", "lost words")
    kept.turn_over("t2", 2.0, is_lost=True)
    assert told(kept.put_back(2.0)) == [("user", "one")]


def test_long_ago_is_forgotten() -> None:
    kept = memory(idle_reset_s=120)
    kept.heard("t1", "user", "one")
    kept.turn_over("t1", 10.0, is_lost=False)
    assert not kept.is_stale(129)
    assert kept.is_stale(130)
    assert kept.put_back(130) == []
    assert not kept.is_stale(1000)


def test_words_and_turns_have_a_bound() -> None:
    kept = memory()
    kept.heard("t1", "user", "x" * 100_000)
    kept.turn_over("t1", 1.0, is_lost=False)
    assert [len(event.text) for event in kept.put_back(1.0)] == [LONGEST_WORDS]
    for number in range(500):
        kept.item(f"never_over_{number}", "a")
        kept.item("t", f"item {number}")
    assert len(kept._open) <= 66
    assert len(kept._open.get("t", kept._turn("t")).items) <= 64


# --- in a session -------------------------------------------------------------------------------------------------


def test_the_conversation_goes_on_after_a_reconnect() -> None:
    room = Room().up()
    for turn_id in ("t1", "t2"):
        converse(room, turn_id)
    room.ask("t3", "typed")
    room.reply("r3", "t3", text="answer t3")
    room.down()
    room.take()
    room.up()
    update, *texts = room.take()
    assert isinstance(update, ev.UpdateSession)
    assert [(text.role, text.text) for text in texts if isinstance(text, ev.CreateText)] == [
        ("user", "question t1"),
        ("assistant", "answer t1"),
        ("user", "question t2"),
        ("assistant", "answer t2"),
        ("user", "typed"),
        ("assistant", "answer t3"),
    ]


def test_what_is_remembered_comes_before_what_was_held() -> None:
    room = Room().up()
    converse(room, "t1")
    room.down()
    room.say("t2")
    room.take()
    room.up()
    assert kinds(room.take()) == [
        "UpdateSession",
        *["CreateText"] * 2,
        "AppendAudio",
        "CommitAudio",
        "CreateResponse",
    ]


def test_a_typed_turn_that_is_sent_twice_is_remembered_once() -> None:
    room = Room().up()
    room.ask("t1", "what is the time")
    room.down()
    room.up()
    room.reply("r1", "t1", text="noon")
    room.down()
    room.take()
    room.up()
    assert [event.text for event in room.take() if isinstance(event, ev.CreateText)] == ["what is the time", "noon"]


def test_an_old_turn_is_deleted_with_all_its_items() -> None:
    room = Room(conversation={"keep_turns": 1}).up()
    room.say("t1")
    room.heard("item_1")
    call = ev.FunctionCall("c1", "light", "{}")
    room.hear(ev.ResponseCreated("r1", {"turn_id": "t1"}), ev.CallDone("r1", call))
    room.hear(ev.ResponseDone("r1", done("", "").status, calls=(call,), item_ids=("item_call",)))
    room.answer("c1")
    (output,) = room.all(ev.CreateCallOutput)
    room.hear(ev.ResponseCreated("r2", {}), ev.ResponseDone("r2", done("", "").status, item_ids=("item_reply",)))
    assert room.all(ev.DeleteItem) == []
    converse(room, "t2")
    deleted = [event.item_id for event in room.all(ev.DeleteItem)]
    assert sorted(deleted) == sorted(["item_1", output.item_id, "item_call", "item_reply"])


def test_a_delete_that_the_service_refuses_is_nobodys_business() -> None:
    room = Room(conversation={"keep_turns": 0}).up()
    converse(room, "t1")
    before = len(room.outcomes)
    for delete in room.all(ev.DeleteItem):
        room.hear(ev.ServerError("item_not_found", "no such item", delete.event_id))
    assert len(room.all(ev.DeleteItem)) == 2
    assert len(room.outcomes) == before
    assert (room.close, room.refused) == (None, None)


def test_a_session_that_expires_while_something_is_deleted_is_closed_all_the_same() -> None:
    room = Room(conversation={"keep_turns": 0}).up()
    converse(room, "t1")
    delete = room.all(ev.DeleteItem)[0]
    room.hear(ev.ServerError("session_expired", "60 minutes", delete.event_id))
    assert room.close is not None


def test_items_of_a_lost_connection_are_not_deleted_on_the_next() -> None:
    room = Room(conversation={"keep_turns": 1}).up()
    converse(room, "t1")
    room.down()
    room.up()
    texts = [event.item_id for event in room.all(ev.CreateText)]
    converse(room, "t2")
    assert [event.item_id for event in room.all(ev.DeleteItem)] == texts


def test_announcements_are_no_part_of_the_conversation() -> None:
    room = Room(conversation={"keep_turns": 1}).up()
    converse(room, "t1")
    room.announce("t2")
    room.reply("r2", "t2", text="the washing is done")
    assert room.all(ev.DeleteItem) == []
    room.down()
    room.take()
    room.up()
    assert [event.text for event in room.take() if isinstance(event, ev.CreateText)] == ["question t1", "answer t1"]


def test_a_reply_that_was_cut_off_is_not_put_back_as_if_it_had_been_heard() -> None:
    room = Room().up()
    room.ask("t1", "tell me a story")
    room.hear(ev.ResponseCreated("r1", {}), ev.ReplyAudioDelta("r1", "i1", SECOND))
    room.hear(ev.ReplyTextDone("r1", "i1", "once upon a time"), done("r1", "t1"))
    room.put(StopReply("i1", 400))
    room.down()
    room.take()
    room.up()
    assert [event.text for event in room.take() if isinstance(event, ev.CreateText)] == ["tell me a story"]


def test_nobody_goes_on_and_the_conversation_is_over() -> None:
    room = Room(conversation={"idle_reset_s": 60}).up()
    converse(room, "t1")
    room.wait(59)
    assert room.close is None
    room.wait(2)
    assert room.close == RESET
    room.down(RESET)
    room.take()
    room.up()
    assert kinds(room.take()) == ["UpdateSession"]
    room.wait(300, 10)
    assert room.close is None, "nothing is left to forget: no connection after the other"


@pytest.mark.parametrize("is_up", [True, False])
def test_a_reset_forgets(is_up: bool) -> None:
    room = Room().up()
    converse(room, "t1")
    if not is_up:
        room.down()
    room.put(ResetConversation())
    if is_up:
        assert room.close == RESET
        room.down(RESET)
    room.take()
    room.up()
    assert kinds(room.take()) == ["UpdateSession"]
