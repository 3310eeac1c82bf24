"""Calls that wait for a person, seen from outside: the router decides, each time as the rules say."""

import json
import random
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from tests.router.switchboard import Switchboard, answers, call, errors, finished, lost, of
from voice_node.model import command as cmd
from voice_node.model import control as ctl
from voice_node.model import report as rep
from voice_node.model.turn import NumberHeard, PlaybackChanged, SpeechChanged, Transcript
from voice_node.router.action import Action
from voice_node.router.confirmation import APPROVAL_S, CALL_S, GRACE_S, PIN_S, TRANSCRIPT_S
from voice_node.router.consent import PIN_AGAIN, PIN_QUESTION
from voice_node.router.pin import PinLock, matcher

CODE = "4711"
WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


def board(**options: Any) -> Switchboard:
    """A room with a tool for each way to confirm."""
    tools = [
        {"name": f"by_{way}", "description": "x", "confirm": way, "max_per_minute": 600}
        for way in ("mqtt", "voice", "pin")
    ]
    return Switchboard(tools=tools, pin=PinLock(matcher(CODE), {}), **options)


def published(actions: Sequence[Action]) -> list[str]:
    return [report.call_id for report in of(rep.CallReport, list(actions))]


def output(actions: Sequence[Action]) -> Any:
    (answer,) = of(ctl.AnswerCall, list(actions))
    return json.loads(answer.output)


def says(node: Switchboard, text: str, turn: str = "t2", role: Any = "user") -> list[Action]:
    """Somebody speaks, and is understood a second later."""
    begun = node.now.wall
    actions = node.hears(SpeechChanged(turn, is_open=True)) if role == "user" else []
    node.at += 1
    return [*actions, *node.hears(Transcript(turn, f"i{node.at}", role, text, True, begun, node.now.wall))]


# mqtt


def test_home_is_asked_and_the_call_goes_out_when_it_approves() -> None:
    node = board()
    asked = node.hears(call("c1", name="by_mqtt", arguments='{"a":1}'))
    (event,) = of(rep.Happening, asked)
    assert event.event_type == "tool_call"
    expires_at = event.fields["expires_at"]
    assert (expires_at - node.now.wall).total_seconds() == APPROVAL_S
    assert {**event.fields, "expires_at": None} == {
        "call_id": "c1",
        "name": "by_mqtt",
        "arguments": {"a": 1},
        "needs_approval": True,
        "expires_at": None,
    }
    assert published(asked) == answers(asked) == []
    assert node.router.next_deadline == node.at + APPROVAL_S
    node.at += 59
    approved = node.gets(cmd.Decide("c1", is_approved=True))
    assert published(approved) == ["c1"]
    assert of(rep.Response, approved)[0].error is None
    assert node.router.next_deadline == node.at + 5
    assert answers(node.gets(cmd.ToolResult("by_mqtt", "c1", output=1))) == ["c1"]


def test_the_first_decision_wins_and_others_are_errors() -> None:
    node = board()
    node.hears(call("c1", name="by_mqtt", arguments="{}"))
    denied = node.gets(cmd.Decide("c1", is_approved=False))
    assert output(denied)["error"].startswith("refused")
    assert errors(denied) == ["denied"]
    for is_approved in (True, False):
        late = node.gets(cmd.Decide("c1", is_approved=is_approved))
        assert published(late) == answers(late) == []
        assert of(rep.Response, late)[0].error == "no call c1 waits for a decision"


@pytest.mark.parametrize("way", ["voice", "pin"])
def test_home_cannot_approve_what_a_person_in_the_room_must(way: str) -> None:
    node = board()
    node.hears(call("c1", name=f"by_{way}", arguments="{}"))
    assert published(node.gets(cmd.Decide("c1", is_approved=True))) == []


@pytest.mark.parametrize(("way", "seconds"), [("mqtt", APPROVAL_S), ("pin", PIN_S)])
def test_silence_refuses(way: str, seconds: float) -> None:
    node = board()
    node.hears(call("c1", name=f"by_{way}", arguments="{}"))
    assert answers(node.after(seconds - 0.01)) == []
    refused = node.after(0.01)
    assert "in time" in output(refused)["error"]
    assert errors(refused) == ["not_confirmed"]
    assert published(node.gets(cmd.Decide("c1", is_approved=True))) == []


def test_a_call_never_waits_longer_than_its_session() -> None:
    slow = {"name": "slow", "description": "x", "confirm": "mqtt", "timeout_s": 60.0}
    node = Switchboard(tools=[slow])
    node.hears(call("c1", name="slow", arguments="{}"))
    assert node.router.next_deadline == node.at + CALL_S - 60


@pytest.mark.parametrize("end", [finished, lost])
def test_a_held_call_of_a_turn_that_is_over_is_dropped(end: Callable[[str], Any]) -> None:
    node = board()
    node.hears(call("c1", name="by_mqtt", arguments="{}"))
    node.hears(call("c2", name="by_pin", arguments="{}"))
    over = node.hears(end("t1"))
    assert answers(over) == []
    assert [entry.entry["outcome"] for entry in of(ctl.Audit, over)] == ["abandoned", "abandoned"]
    assert node.router.next_deadline is None
    assert published(node.gets(cmd.Decide("c1", is_approved=True))) == []


def test_stop_refuses_all_that_waits() -> None:
    node = board()
    node.hears(call("c1", name="by_mqtt", arguments="{}"))
    node.hears(call("c2", name="by_pin", arguments="{}"))
    stopped = node.gets(cmd.Stop())
    assert answers(stopped) == ["c1", "c2"]
    assert errors(stopped) == ["stopped", "stopped"]
    assert stopped[0] == ctl.StopReply()


# voice


def test_the_model_asks_and_a_yes_lets_the_same_call_pass() -> None:
    node = board()
    asked = node.hears(call("c1", name="by_voice", arguments='{"a":1}'))
    assert output(asked)["status"] == "confirmation_needed"
    assert published(asked) == []
    says(node, "Shall I?", "t1", "assistant")
    node.hears(finished("t1"))
    node.hears(PlaybackChanged(is_speaking=False))
    says(node, "Yes, please")
    assert published(node.hears(call("c2", "t2", "by_voice", '{"a": 1}'))) == ["c2"]


def test_a_second_call_that_is_quicker_than_the_transcript_waits_for_it() -> None:
    for text, is_yes in (("yes", True), ("no", False)):
        node = board()
        node.hears(call("c1", name="by_voice", arguments="{}"))
        node.hears(finished("t1"))
        begun = node.now.wall
        node.hears(SpeechChanged("t2", is_open=True))
        node.at += 1
        held = node.hears(call("c2", "t2", "by_voice", "{}"))
        assert published(held) == answers(held) == []
        decided = node.hears(Transcript("t2", "i2", "user", text, True, begun, node.now.wall))
        assert published(decided) == (["c2"] if is_yes else [])
        assert answers(decided) == ([] if is_yes else ["c2"])
    node = board()
    node.hears(call("c1", name="by_voice", arguments="{}"))
    node.hears(finished("t1"))
    node.hears(SpeechChanged("t2", is_open=True))
    node.hears(call("c2", "t2", "by_voice", "{}"))
    assert answers(node.after(TRANSCRIPT_S)) == ["c2"]


def test_a_yes_that_the_model_does_not_use_is_told() -> None:
    node = board()
    node.hears(call("c1", name="by_voice", arguments="{}"))
    node.hears(finished("t1"))
    says(node, "yes")
    assert errors(node.hears(finished("t2"))) == ["confirmed_unused"]


def test_a_typed_turn_is_no_yes() -> None:
    node = board()
    node.hears(call("c1", name="by_voice", arguments="{}"))
    node.hears(finished("t1"))
    asked = node.gets(cmd.Ask("yes"))
    (turn,) = of(ctl.AskText, asked)
    again = node.hears(call("c2", turn.turn_id, "by_voice", "{}"))
    assert output(again)["status"] == "confirmation_needed"


def test_a_question_that_was_forgotten_with_the_conversation_has_no_yes() -> None:
    node = board()
    node.hears(call("c1", name="by_voice", arguments="{}"))
    node.hears(finished("t1"))
    node.gets(cmd.Reset())
    says(node, "yes")
    again = node.hears(call("c2", "t2", "by_voice", "{}"))
    assert published(again) == []
    assert output(again)["status"] == "confirmation_needed"


# pin


@pytest.mark.parametrize(("language", "short"), [("en", "en"), ("de-AT", "de"), ("xx", "en")])
def test_the_node_asks_for_the_code_and_hears_it_alone(language: str, short: str) -> None:
    node = board(hears_privately=True, language=language)
    asked = node.hears(call("c1", name="by_pin", arguments="{}"))
    assert of(ctl.HearPrivately, asked) == [ctl.HearPrivately(is_private=True)]
    assert [say.text for say in of(ctl.SayText, asked)] == [PIN_QUESTION[short]]
    assert published(asked) == answers(asked) == []
    second = node.hears(call("c2", name="by_pin", arguments='{"other":1}'))
    assert of(ctl.SayText, second) == [], "it is asked for once"
    opened = node.hears(NumberHeard("t2", CODE))
    assert published(opened) == ["c1", "c2"]
    assert of(ctl.HearPrivately, opened) == [ctl.HearPrivately(is_private=False)]
    assert CODE not in str(opened)


def test_a_wrong_code_may_be_said_again_and_the_third_locks() -> None:
    node = board(hears_privately=True)
    node.hears(call("c1", name="by_pin", arguments="{}"))
    for number in range(2):
        node.at += 29
        wrong = node.hears(NumberHeard(f"t{number}", "0000"))
        assert [say.text for say in of(ctl.SayText, wrong)] == [PIN_AGAIN["en"]]
        assert answers(wrong) == []
    for unclear in ("", "47"):
        node.hears(NumberHeard("t8", unclear))
    locked = node.hears(NumberHeard("t9", "1111"))
    assert errors(locked) == ["pin_locked"]
    assert answers(locked) == ["c1"]
    assert of(ctl.HearPrivately, locked) == [ctl.HearPrivately(is_private=False)]
    assert answers(node.hears(NumberHeard("t10", CODE))) == []
    again = node.hears(call("c2", "t3", "by_pin", "{}"))
    assert errors(again) == ["pin_locked"]
    node.at += 15 * 60
    assert errors(node.hears(call("c3", "t4", "by_pin", "{}"))) == []
    assert published(node.hears(NumberHeard("t11", CODE))) == ["c3"]


def test_without_a_recogniser_the_words_of_the_code_are_repeated_nowhere() -> None:
    node = board(mqtt={"partials": True}, log={"transcripts": True})
    before = says(node, "open the door", "t1")
    assert "open the door" in str(before)
    asked = node.hears(call("c1", name="by_pin", arguments="{}"))
    assert of(ctl.HearPrivately, asked) == []
    node.hears(SpeechChanged("t2", is_open=True))
    begun = node.now.wall
    told = node.hears(Transcript("t2", "i2", "user", "four seven", False, begun, begun))
    told += node.hears(Transcript("t2", "a2", "assistant", "I heard 4711", True, begun, begun))
    told += node.hears(Transcript("t2", "i2", "user", "four, seven, one, one.", True, begun, begun))
    assert published(told) == ["c1"]
    for secret in ("four", "seven", CODE):
        assert secret not in str(told)
    assert {words.text for words in of(Transcript, told)} == {"[PIN]"}
    after = says(node, "thank you", "t3")
    assert "thank you" in str(after), "who has opened the door may speak freely again"


def test_a_code_that_comes_a_little_too_late_is_not_repeated_either() -> None:
    node = board()
    node.hears(call("c1", name="by_pin", arguments="{}"))
    node.after(PIN_S)
    node.at += GRACE_S - 2
    assert "four" not in str(says(node, "four seven one one", "t2"))
    assert "good night" in str(says(node, "good night", "t3"))
    assert "four" in str(says(node, "four seven one one", "t4"))


# 500 cases against rules that are written a second time


def by_pin(chance: random.Random, node: Switchboard) -> tuple[bool, list[Action]]:
    """Up to five tries, each with its own recogniser's luck; open if a right one comes in time and not after three."""
    is_private = chance.random() < 0.5
    node = board(hears_privately=is_private)
    actions = node.hears(call("c1", name="by_pin", arguments="{}"))
    begun, deadline, wrong = node.at, node.at + PIN_S, 0
    expected = None
    for number in range(chance.randint(0, 5)):
        node.at += chance.choice([1, 5, 20])
        guess = chance.choice([CODE, CODE[:-1], CODE + "1", "0000", f"{chance.randrange(10000):04}", "12", ""])
        heard_at = node.at if is_private else node.at + 1
        if heard_at >= deadline:
            expected = False
        elif guess == CODE:
            expected = True
        elif len(guess) >= 3:
            wrong += 1
            deadline = min(heard_at + PIN_S, begun + CALL_S - 5)
            expected = False if wrong == 3 else None
        if is_private:
            actions += node.hears(NumberHeard(f"p{number}", guess))
        else:
            spoken = " ".join(WORDS[int(digit)] for digit in guess) if chance.random() < 0.5 else guess
            actions += says(node, spoken, f"p{number}")
        if expected is not None:
            break
    assert CODE not in str(actions)
    return expected is True, [*actions, *node.after(100)]


def by_home(chance: random.Random, node: Switchboard) -> tuple[bool, list[Action]]:
    """Decisions in any order, of any call, at any time."""
    actions = node.hears(call("c1", name="by_mqtt", arguments="{}"))
    expected = None
    passed_s = 0.0
    for _ in range(chance.randint(0, 4)):
        wait_s = chance.choice([0, 10, 29.9, 45])
        passed_s += wait_s
        node.at += wait_s
        is_approved, call_id = chance.random() < 0.5, chance.choice(["c1", "c1", "c2", ""])
        if expected is None and call_id == "c1":
            expected = is_approved and passed_s < APPROVAL_S
        actions += node.gets(cmd.Decide(call_id, is_approved))
    return expected is True, [*actions, *node.after(100)]


def by_voice(chance: random.Random, node: Switchboard) -> tuple[bool, list[Action]]:
    """What is said in the next turn, how soon, and which call is made then."""
    yes, no = ("Yes.", "yes please", "OK, go ahead", "Sure!"), ("no", "yes but no", "", "later", "is that a yes?")
    actions = node.hears(call("c1", name="by_voice", arguments='{"a":1}'))
    node.hears(finished("t1"))
    wait_s = chance.choice([0.5, 3, 7.9, 8.1, 60])
    node.at += wait_s
    is_yes = chance.random() < 0.6
    actions += says(node, chance.choice(yes if is_yes else no))
    is_next = chance.random() < 0.7
    if not is_next:
        actions += [*node.hears(finished("t2")), *says(node, chance.choice(yes), "t3")]
    is_same = chance.random() < 0.8
    arguments = '{"a":1}' if is_same else '{"a":2}'
    actions += node.hears(call("c1b", "t2" if is_next else "t3", "by_voice", arguments))
    expected = is_yes and is_next and is_same and wait_s < 8
    return expected, [*actions, *node.after(200)]


def by_name(chance: random.Random, node: Switchboard) -> tuple[bool, list[Action]]:
    """Names that look dangerous, and harmless ones that resemble them."""
    bad = ("unlock", "lock_door", "open_garage", "front_gate", "alarm_off", "disarm", "oven_on", "haustuer", "doors")
    good = ("set_clock", "outdoor_light", "indoor_fan", "navigate", "block_ads", "doorbell", "report", "flock", "tea")
    is_bad = chance.random() < 0.5
    name = chance.choice(bad if is_bad else good)
    confirm = chance.choice([{}, {}, {"confirm": "never"}])
    node = Switchboard(tools=[{"name": name, "description": "x"} | confirm])
    return not is_bad or bool(confirm), node.hears(call("c1", name=name, arguments="{}"))


@pytest.mark.parametrize(("way", "count"), [(by_pin, 150), (by_home, 150), (by_voice, 150), (by_name, 50)])
def test_500_cases_decide_right(
    way: Callable[[random.Random, Switchboard], tuple[bool, list[Action]]], count: int
) -> None:
    passed = 0
    for seed in range(count):
        expected, actions = way(random.Random(seed), board())
        assert bool(published(actions)) is expected, f"{way.__name__}, seed {seed}"
        assert len(published(actions)) <= 1, f"{way.__name__}, seed {seed}"
        assert len(answers(actions)) == len(set(answers(actions))), f"{way.__name__}, seed {seed}"
        passed += expected
    assert count / 10 < passed < count * 9 / 10, "the cases try both"
