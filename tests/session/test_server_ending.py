"""Turns that the service ends: the stream is kept alive, and what is committed finds its turn."""

from typing import Any

import pytest

from tests.session.room import SECOND, Room, ended, kinds
from voice_node.model.speech import SpeechAudio, SpeechStarted
from voice_node.model.turn import ResponseStatus, ServiceTrouble, Transcript, TurnFinished, TurnLost
from voice_node.session import events as ev
from voice_node.session.formats import InputEncoder
from voice_node.session.server_ending import DOUBTFUL_MARGIN_S, MARGIN_S, ServerEnding
from voice_node.settings.session import SemanticVad, ServerVad

VAD = {"type": "server_vad", "silence_duration_ms": 500}
LOUD = b"\1\0" * 24_000
"""One second."""


def room_with(**values: Any) -> Room:
    room = Room(**{"turn_detection": VAD} | values).up()
    room.take()
    return room


def sound(room: Room) -> bytes:
    """All that was appended since the last look."""
    return b"".join(event.pcm for event in room.take() if isinstance(event, ev.AppendAudio))


def silent_s(pcm: bytes) -> float:
    assert not any(pcm), "sound in the silence"
    return len(pcm) / 48_000


def named(room: Room, item_id: str) -> None:
    room.hear(ev.ServerSpeechStarted(item_id))


def end(room: Room, item_id: str) -> None:
    """The service's detector ends a turn."""
    room.hear(ev.ServerSpeechStopped(item_id), ev.AudioCommitted(item_id))


def answer(room: Room, response_id: str) -> None:
    """Unasked, without metadata, as a service does it of its own accord."""
    room.hear(ev.ResponseCreated(response_id, {}), ev.ReplyTextDone(response_id, f"i_{response_id}", "done"))
    room.hear(ev.ResponseDone(response_id, ResponseStatus.COMPLETED))


def test_silence_goes_on_in_real_time_until_the_service_commits() -> None:
    room = room_with()
    room.say("t1", LOUD)
    first = sound(room)
    assert first[: len(LOUD)] == LOUD
    assert silent_s(first[len(LOUD) :]) == pytest.approx(0.4), "what the gate withheld of its hang-over"
    for _ in range(4):
        room.wait(0.25, 0.25)
        assert silent_s(sound(room)) == pytest.approx(0.25, abs=0.001)
    named(room, "i1")
    end(room, "i1")
    room.wait(2)
    assert sound(room) == b""


@pytest.mark.parametrize("kind", [VAD, {"type": "semantic_vad"}])
def test_never_a_commit_by_hand(kind: dict[str, object]) -> None:
    room = room_with(turn_detection=kind)
    room.say("t1", LOUD)
    room.wait(1)
    end(room, "i1")
    answer(room, "r1")
    room.hear(ev.TranscriptDone("i1", "light on"))
    assert room.ends() == [("t1", "completed")]
    assert room.all(ev.CommitAudio) == []
    assert room.all(ev.CreateResponse) == [], "the service answers by itself"


def test_without_create_response_the_node_asks_once_it_is_committed() -> None:
    room = room_with(turn_detection=VAD | {"create_response": False})
    room.say("t1", LOUD)
    assert kinds(room.take()) == ["AppendAudio"]
    end(room, "i1")
    assert kinds(room.take()) == ["CreateResponse"]
    room.heard("i1")
    room.reply("r1", "t1")
    assert room.ends() == [("t1", "completed")]


def test_a_segment_that_the_service_cuts_in_two_is_two_turns() -> None:
    room = room_with()
    room.put(SpeechStarted("t1", 0), SpeechAudio("t1", LOUD))
    named(room, "i1")
    end(room, "i1")
    room.put(SpeechAudio("t1", SECOND))
    named(room, "i2")
    answer(room, "r1")
    room.put(ended("t1", 2.0))
    end(room, "i2")
    answer(room, "r2")
    room.hear(ev.TranscriptDone("i2", "and the fan"), ev.TranscriptDone("i1", "light on"))
    assert sorted(room.ends()) == [("t1", "completed"), ("t1.2", "completed")]
    words = {words.turn_id: words.text for words in room.all(Transcript) if words.role == "user"}
    assert words == {"t1": "light on", "t1.2": "and the fan"}
    assert room.protocol.is_quiet


def test_a_service_that_never_ends_a_turn() -> None:
    room = room_with()
    room.say("t1", LOUD)
    named(room, "i1")
    room.wait(0.5 + MARGIN_S - 0.5)
    assert room.ends() == []
    room.take()
    room.wait(1)
    assert room.ends() == [("t1", "timeout")]
    assert kinds(room.take())[-1] == "ClearAudio"
    room.wait(5)
    assert sound(room) == b""
    room.say("t2", LOUD)
    named(room, "i2")
    end(room, "i2")
    answer(room, "r2")
    room.hear(ev.TranscriptDone("i2", "words"))
    assert room.ends()[1:] == [("t2", "completed")]


def test_the_last_silence_of_a_segment_is_no_turn() -> None:
    """A service that ends a turn after 200 ms does so while the gate still sends the rest of its 300."""
    room = room_with(turn_detection=VAD | {"silence_duration_ms": 200})
    room.put(SpeechStarted("t1", 0), SpeechAudio("t1", LOUD))
    named(room, "i1")
    end(room, "i1")
    room.put(SpeechAudio("t1", bytes(4800)), ended("t1", 1.1))
    answer(room, "r1")
    room.hear(ev.TranscriptDone("i1", "light on"))
    room.wait(0.2 + DOUBTFUL_MARGIN_S + 0.5)
    assert room.ends() == [("t1", "completed")], "and nobody is told of another"
    assert room.protocol.is_quiet


def test_the_last_silence_of_a_segment_does_not_take_the_next_segments_item() -> None:
    room = room_with(turn_detection=VAD | {"silence_duration_ms": 200})
    room.put(SpeechStarted("t1", 0), SpeechAudio("t1", LOUD))
    named(room, "i1")
    end(room, "i1")
    room.put(SpeechAudio("t1", bytes(4800)), ended("t1", 1.1))
    answer(room, "r1")
    room.hear(ev.TranscriptDone("i1", "light on"))
    room.wait(0.5)
    room.put(SpeechStarted("t2", 0), SpeechAudio("t2", LOUD))
    named(room, "i2")
    room.put(ended("t2"))
    end(room, "i2")
    answer(room, "r2")
    room.hear(ev.TranscriptDone("i2", "fan on"))
    assert room.ends() == [("t1", "completed"), ("t2", "completed")]
    assert [words.turn_id for words in room.all(Transcript) if words.text == "fan on"] == ["t2"]


def test_two_segments_that_the_service_hears_as_one_turn() -> None:
    """Semantic detection waits where the gate does not: the second half is a part of the first turn."""
    room = room_with(turn_detection={"type": "semantic_vad"})
    room.say("t1", LOUD)
    named(room, "i1")
    room.wait(1)
    room.say("t2", LOUD)
    room.wait(1)
    end(room, "i1")
    answer(room, "r1")
    room.hear(ev.TranscriptDone("i1", "i want the light on"))
    assert room.ends() == [("t1", "completed")]
    room.put(SpeechStarted("t3", 0), SpeechAudio("t3", LOUD))
    named(room, "i3")
    room.put(ended("t3"))
    end(room, "i3")
    answer(room, "r3")
    room.hear(ev.TranscriptDone("i3", "and the fan"))
    assert room.ends() == [("t1", "completed"), ("t2", "empty"), ("t3", "completed")]
    assert [words.turn_id for words in room.all(Transcript) if words.text == "and the fan"] == ["t3"]


def test_no_silence_is_put_into_the_middle_of_what_is_said() -> None:
    room = room_with(turn_detection={"type": "semantic_vad"})
    room.say("t1", LOUD)
    room.wait(1)
    room.put(SpeechStarted("t2", 0), SpeechAudio("t2", LOUD))
    room.take()
    room.wait(2)
    assert sound(room) == b"", "t1 waits for its end, but somebody speaks"
    room.put(SpeechAudio("t2", LOUD))
    assert sound(room) == LOUD


def test_a_turn_that_is_given_up_does_not_take_the_next_ones_sound_with_it() -> None:
    room = room_with()
    room.say("t1", LOUD)
    room.wait(4)
    room.put(SpeechStarted("t2", 0), SpeechAudio("t2", LOUD))
    room.wait(1)
    assert room.ends() == [("t1", "timeout")]
    assert room.all(ev.ClearAudio) == []


def test_a_reconnect_in_the_middle() -> None:
    room = room_with()
    room.put(SpeechStarted("t1", 0), SpeechAudio("t1", LOUD))
    named(room, "i1")
    room.down()
    room.put(SpeechAudio("t1", LOUD), ended("t1", 2.0))
    room.wait(6)
    room.take()
    room.up()
    sent = sound(room)
    assert sent[: 2 * len(LOUD)] == LOUD * 2, "from its beginning"
    assert silent_s(sent[2 * len(LOUD) :]) == pytest.approx(0.4)
    room.wait(1)
    assert room.ends() == [], "the service has its whole patience again"
    assert silent_s(sound(room)) == pytest.approx(1.0, abs=0.01)
    named(room, "i9")
    end(room, "i9")
    answer(room, "r9")
    room.hear(ev.TranscriptDone("i9", "words"))
    assert room.ends() == [("t1", "completed")]


def test_a_reconnect_while_the_service_waits_for_silence() -> None:
    room = room_with()
    room.say("t1", LOUD)
    room.wait(0.25, 0.25)
    room.down()
    room.up()
    room.take()
    room.wait(1)
    assert silent_s(sound(room)) > 0.9


def test_turns_that_were_held_stay_apart() -> None:
    room = Room(turn_detection=VAD)
    room.say("t1", LOUD)
    room.say("t2", LOUD)
    room.up()
    sent = sound(room)
    assert sent.startswith(LOUD)
    pause = sent[len(LOUD) :].partition(LOUD)[0]
    assert silent_s(pause) > 0.5, "longer than the service's own silence"
    end(room, "i1")
    end(room, "i2")
    answer(room, "r1")
    answer(room, "r2")
    room.hear(ev.TranscriptDone("i1", "one"), ev.TranscriptDone("i2", "two"))
    assert room.ends() == [("t1", "completed"), ("t2", "completed")]


def test_what_is_expected_is_not_lost_by_an_error_that_names_no_request() -> None:
    room = room_with()
    room.say("t1", LOUD)
    end(room, "i1")
    for code in ("invalid_value", "server_error", "conversation_already_has_active_response"):
        room.hear(ev.ServerError(code, "of something else"))
    assert room.ends() == []
    answer(room, "r1")
    room.hear(ev.TranscriptDone("i1", "words"))
    assert room.ends() == [("t1", "completed")]
    assert room.all(ev.CreateResponse) == []


def test_the_service_answers_what_is_said_while_we_ask_for_something_else() -> None:
    """Its response comes first, and ours is refused: the first is the spoken turn's, the other is asked for again."""
    room = room_with()
    room.put(SpeechStarted("t1", 0), SpeechAudio("t1", LOUD), ended("t1"))
    room.ask("t2")
    (create,) = room.all(ev.CreateResponse)
    end(room, "i1")
    room.hear(ev.ResponseCreated("r1", {}))
    room.hear(ev.ServerError("conversation_already_has_active_response", "no", create.event_id))
    room.take()
    room.hear(ev.ReplyTextDone("r1", "i_r1", "it is on"), ev.ResponseDone("r1", ResponseStatus.COMPLETED))
    room.hear(ev.TranscriptDone("i1", "light on"))
    assert room.ends() == [("t1", "completed")]
    assert [words.turn_id for words in room.all(Transcript) if words.role == "assistant"] == ["t1"]
    assert kinds(room.take()) == ["CreateResponse"]
    room.reply("r2", "t2")
    assert room.ends() == [("t1", "completed"), ("t2", "completed")]
    assert room.all(ev.CancelResponse) == []


def test_a_commit_of_nothing_that_was_said_here() -> None:
    room = room_with()
    end(room, "i1")
    answer(room, "r1")
    assert room.ends() == []
    assert kinds(room.take()) == ["CancelResponse"]
    assert room.protocol.is_quiet


def test_segments_that_were_not_kept_leave_nothing_behind() -> None:
    room = room_with()
    for number in range(50):
        room.put(SpeechStarted(f"t{number}", 0), ended(f"t{number}", is_kept=False))
        room.wait(0.25, 0.25)
    assert room.take() == []
    ending = room.protocol._conversation._ending
    assert ending is not None
    assert (ending._waits, ending._parts, ending._part_numbers) == ({}, {}, {})


def test_nothing_grows() -> None:
    room = room_with()
    for number in range(100):
        room.say(f"t{number}", bytes(9600))
        named(room, f"i{number}")
        if number % 5:
            end(room, f"i{number}")
            answer(room, f"r{number}")
            room.hear(ev.TranscriptDone(f"i{number}", "words"))
        room.wait(6)
    ending = room.protocol._conversation._ending
    assert ending is not None
    assert (ending._waits, ending._parts, ending._part_numbers) == ({}, {}, {})
    assert len(room.all(TurnFinished)) == 80
    assert len(room.all(TurnLost)) == 20
    assert room.all(ServiceTrouble) == []


@pytest.mark.parametrize("form", ["pcm", "pcmu", "pcma"])
def test_silence_in_each_format(form: Any) -> None:
    encoder = InputEncoder(form)
    ending = ServerEnding(ServerVad(type="server_vad"), encoder)
    assert len(ending.separation()) == int(0.8 * encoder.bytes_per_second)
    assert len(set(ending.separation())) == 1
    assert ServerEnding(SemanticVad(type="semantic_vad"), encoder).creates_responses
