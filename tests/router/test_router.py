import json
import sys
from collections import Counter
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from tests.router.switchboard import (
    FACTS,
    TIMEOUT_S,
    Switchboard,
    answers,
    call,
    closed,
    errors,
    finished,
    lost,
    of,
    opened,
    states,
)
from voice_node.model import command as cmd
from voice_node.model import control as ctl
from voice_node.model import report as rep
from voice_node.model.report import EventType
from voice_node.model.turn import (
    AttentionChanged,
    CaptureChanged,
    LinkChanged,
    LostReason,
    MuteChanged,
    Outcome,
    PlaybackChanged,
    ProviderChanged,
    ReplyStarted,
    ResponseStatus,
    ServiceTrouble,
    SoundCounted,
    TokenCount,
    Transcript,
    TurnFinished,
    TurnLost,
    Usage,
)
from voice_node.router.budget import Budget
from voice_node.router.policy import MOST_CALLS
from voice_node.router.problems import MOST_PROBLEMS
from voice_node.router.router import MOST_TURNS
from voice_node.settings.schema import BudgetSettings

ASKED = cmd.ReplyTo("some/topic", b"1", "t-9")
TROUBLE = LinkChanged(is_up=False, detail="no network", is_trouble=True)


def words(text: str = "Licht an", *, role: Any = "user", is_final: bool = True) -> Transcript:
    now = Switchboard().now.wall
    return Transcript("t1", "i1", role, text, is_final, now, now)


# What home automation is told first


def test_the_first_reports() -> None:
    board = Switchboard()
    actions = board.router.started(board.now)
    assert actions == [
        rep.Info(FACTS),
        rep.SettingState("mute", "OFF"),
        rep.SettingState("volume", 70),
        rep.SettingState("gate_snr_db", 5.0),
        rep.SettingState("hang_over_ms", 500),
        rep.SettingState("follow_up_ms", 8000),
        rep.SettingState("budget_usd", 1.0),
        rep.Usages(Budget(BudgetSettings(), board.now.day).totals()),
        rep.State(rep.NodeState.IDLE, board.now.wall),
    ]


def test_a_node_that_starts_muted_says_so() -> None:
    board = Switchboard(is_muted=True)
    actions = board.router.started(board.now)
    assert rep.SettingState("mute", "ON") in actions
    assert states(actions) == ["muted"]


def test_what_was_told_does_not_change_afterwards() -> None:
    board = Switchboard()
    (info,) = of(rep.Info, board.router.started(board.now))
    board.hears(LinkChanged(is_up=True, session_id="sess_1", dialect="ga"))
    assert info.content == FACTS


# Outcomes


def test_final_words_are_told_as_transcript_as_last_words_and_as_event() -> None:
    board = Switchboard()
    heard, said = words(), words("Ist an.", role="assistant")
    assert board.hears(heard)[:3] == [
        heard,
        rep.LastWords("user", heard),
        rep.Happening(EventType.TRANSCRIPT, {"item_id": "i1", "role": "user", "text": "Licht an"}, "t1"),
    ]
    assert board.hears(said) == [
        said,
        rep.LastWords("assistant", said),
        rep.Happening(EventType.RESPONSE, {"item_id": "i1", "role": "assistant", "text": "Ist an."}, "t1"),
    ]


@pytest.mark.parametrize("is_wanted", [True, False])
def test_partial_words_are_told_where_they_are_wanted(is_wanted: bool) -> None:
    board = Switchboard(mqtt={"partials": is_wanted})
    partial = words(is_final=False)
    assert of(Transcript, board.hears(partial)) == ([partial] if is_wanted else [])


def test_a_call_goes_out_with_its_deadline() -> None:
    board = Switchboard()
    actions = board.hears(call())
    (report,) = of(rep.CallReport, actions)
    assert (report.call_id, report.turn_id, report.name, report.arguments) == ("c1", "t1", "light", {"on": True})
    assert report.issued_at == board.now.wall
    assert (report.expires_at - report.issued_at).total_seconds() == TIMEOUT_S
    assert actions[1] == rep.Happening(
        EventType.TOOL_CALL, {"call_id": "c1", "name": "light", "arguments": {"on": True}}, "t1"
    )
    assert board.router.next_deadline == board.at + TIMEOUT_S
    assert answers(actions) == []


@pytest.mark.parametrize(
    ("bad", "code"),
    [
        (call(name="rocket"), "unknown_tool"),
        (call(name="light/+/#"), "unknown_tool"),
        (call(arguments='{"on":"yes"}'), "bad_arguments"),
        (call(arguments="geheim"), "bad_arguments"),
        (call(name="garage", arguments="{}"), "denied"),
    ],
)
def test_a_call_that_may_not_be_carried_out_is_refused_to_the_model_at_once(bad: Any, code: str) -> None:
    board = Switchboard()
    actions = board.hears(bad)
    (answer,) = of(ctl.AnswerCall, actions)
    assert answer.call_id == "c1"
    assert set(json.loads(answer.output)) == {"error"}
    assert errors(actions) == [code]
    assert of(rep.CallReport, actions) == []
    assert board.router.next_deadline is None
    assert "rocket" not in str(of(rep.Happening, actions)), "names that the model made up are not passed on"
    assert "geheim" not in str(of(rep.Happening, actions)), "what was said is not passed on in errors"


def test_a_call_id_that_comes_again_is_not_published_again() -> None:
    board = Switchboard()
    board.hears(call())
    again = board.hears(call(turn_id="t2"))
    assert of(rep.CallReport, again) == []
    assert answers(again) == [], "the call is open: its one answer is still to come"
    assert errors(again) == ["repeated_call"]
    assert answers(board.gets(cmd.ToolResult("light", "c1", output=1))) == ["c1"]
    after = board.hears(call(turn_id="t3"))
    assert of(rep.CallReport, after) == []
    assert answers(after) == ["c1"], "another turn's model must not wait for ever"
    assert errors(after) == ["repeated_call"]


@pytest.mark.parametrize("end", [finished(), lost()])
def test_a_call_of_a_turn_that_is_over_does_not_act(end: Outcome) -> None:
    board = Switchboard()
    board.hears(end)
    actions = board.hears(call())
    assert of(rep.CallReport, actions) == []
    assert answers(actions) == []
    assert errors(actions) == ["late_call"]


def test_the_cost_of_a_turn_is_told_when_it_is_finished() -> None:
    board = Switchboard()
    board.hears(Usage("t1", "m", TokenCount(text=5, audio=10, cached_audio=3), TokenCount(text=1)))
    board.hears(Usage("t1", "m", TokenCount(text=2), TokenCount(audio=20)))
    board.hears(Usage("t1", "m", transcription_s=1.5))
    board.hears(Usage("t2", "m", TokenCount(text=100)))
    board.hears(Usage(None, "m", TokenCount(text=100)))
    actions = board.hears(TurnFinished("t1", ResponseStatus.FAILED, "insufficient_quota", {"done": 7}))
    assert actions[0] == rep.Happening(
        EventType.TURN_FINISHED,
        {
            "status": ResponseStatus.FAILED,
            "detail": "insufficient_quota",
            "timings_ms": {"done": 7},
            "usage": {
                "input": {"text": 7, "audio": 10, "cached_text": 0, "cached_audio": 3, "image": 0, "cached_image": 0},
                "output": {"text": 1, "audio": 20, "cached_text": 0, "cached_audio": 0, "image": 0, "cached_image": 0},
                "transcription_s": 1.5,
                "usd": 0.0,
            },
        },
        "t1",
    )


@pytest.mark.parametrize("detail", ["", "not sent within 10 s"])
def test_a_lost_turn_is_told_with_its_reason(detail: str) -> None:
    actions = Switchboard().hears(TurnLost("t1", LostReason.STALE, detail))
    (event,) = of(rep.Happening, actions)
    assert event.turn_id == "t1"
    assert event.fields["code"] == "turn_lost"
    assert event.fields["detail"] == "the turn was lost: stale" + (f": {detail}" if detail else "")


def test_the_gate_is_told() -> None:
    board = Switchboard()
    assert board.hears(opened())[0] == rep.GateOpen(is_open=True)
    assert board.hears(closed())[:2] == [
        rep.GateOpen(is_open=False),
        rep.Happening(EventType.SEGMENT, {"duration_ms": 1500, "voiced_ms": 900, "snr_db": 12.3}, "t1"),
    ]


def test_a_segment_that_was_not_sent_is_no_event() -> None:
    board = Switchboard()
    board.hears(opened())
    actions = board.hears(closed(is_kept=False))
    assert of(rep.GateOpen, actions) == [rep.GateOpen(is_open=False)]
    assert of(rep.Happening, actions) == []
    assert states(actions) == ["idle"]


def test_a_link_that_comes_up_is_told_with_the_session() -> None:
    actions = Switchboard().hears(LinkChanged(is_up=True, session_id="sess_1", dialect="ga"))
    assert of(rep.Info, actions) == [rep.Info({**FACTS, "session_id": "sess_1", "dialect": "ga", "open_ms": 0})]


def test_a_link_that_stays_away_is_told_once() -> None:
    board = Switchboard()
    assert errors(board.hears(TROUBLE)) == ["session_lost"]
    assert errors(board.hears(TROUBLE)) == []
    board.hears(LinkChanged(is_up=True))
    assert errors(board.hears(TROUBLE)) == ["session_lost"]


def test_a_link_that_was_not_wanted_any_more_is_no_trouble() -> None:
    board = Switchboard()
    board.router.started(board.now)
    board.hears(LinkChanged(is_up=True))
    assert board.hears(LinkChanged(is_up=False, detail="nothing was said for a while")) == []


def test_a_lost_microphone_is_told() -> None:
    board = Switchboard()
    (event,) = of(rep.Happening, board.hears(CaptureChanged(is_open=False, device="Seeed", detail="it went away")))
    assert event.fields == {"code": "capture", "detail": "Seeed: it went away"}
    assert errors(board.hears(CaptureChanged(is_open=True, device="Seeed"))) == []


def test_the_service_s_trouble_is_told() -> None:
    actions = Switchboard().hears(ServiceTrouble("rate_limit", "slow down", "t1"))
    assert actions[0] == rep.Happening(EventType.ERROR, {"code": "rate_limit", "detail": "slow down"}, "t1")


def test_the_beginning_of_a_reply_is_no_report() -> None:
    board = Switchboard()
    board.router.started(board.now)
    assert board.hears(ReplyStarted("t1")) == []


# Answers of home automation


@pytest.mark.parametrize("output", [None, True, 0, 1.5, "an", [1, {"a": None}], {"state": "on"}])
def test_the_first_answer_wins(output: Any) -> None:
    board = Switchboard()
    board.hears(call())
    board.at += 1.5
    actions = board.gets(cmd.ToolResult("light", "c1", output=output))
    (answer,) = of(ctl.AnswerCall, actions)
    assert json.loads(answer.output) == output
    (event,) = of(rep.Happening, actions)
    assert event.event_type is EventType.TOOL_RESULT
    assert event.fields == {"call_id": "c1", "name": "light", "is_ok": True, "duration_ms": 1500}
    again = board.gets(cmd.ToolResult("light", "c1", output="other"))
    assert answers(again) == []
    assert errors(again) == ["second_result"]


def test_an_error_of_home_automation_is_passed_on() -> None:
    board = Switchboard()
    board.hears(call())
    actions = board.gets(cmd.ToolResult("light", "c1", error="no such room"))
    (answer,) = of(ctl.AnswerCall, actions)
    assert json.loads(answer.output) == {"error": "no such room"}
    assert of(rep.Happening, actions)[0].fields["is_ok"] is False


def test_an_unknown_answer_is_reported_and_ignored() -> None:
    board = Switchboard()
    board.hears(call())
    assert errors(board.gets(cmd.ToolResult("light", "c2", output=1))) == ["unknown_result"]
    assert errors(board.gets(cmd.ToolResult("clock", "c1", output=1))) == ["unknown_result"]
    assert answers(board.gets(cmd.ToolResult("light", "c1", output=1))) == ["c1"]


def test_a_call_that_nobody_answers_is_answered_by_the_clock() -> None:
    board = Switchboard()
    board.hears(call())
    assert board.after(TIMEOUT_S - 0.001) == []
    actions = board.after(0.001)
    (answer,) = of(ctl.AnswerCall, actions)
    assert json.loads(answer.output) == {"error": "no answer in time"}
    assert errors(actions) == ["timeout"]
    (result,) = [event for event in of(rep.Happening, actions) if event.event_type is EventType.TOOL_RESULT]
    assert result.fields["duration_ms"] == TIMEOUT_S * 1000
    assert board.after(60) == []
    assert board.router.next_deadline is None
    late = board.gets(cmd.ToolResult("light", "c1", output=1))
    assert answers(late) == []
    assert errors(late) == ["late_result"]


def test_a_late_answer_is_late_even_where_no_tick_came_between() -> None:
    board = Switchboard()
    board.hears(call())
    board.at += TIMEOUT_S + 1
    actions = board.gets(cmd.ToolResult("light", "c1", output="on"))
    (answer,) = of(ctl.AnswerCall, actions)
    assert json.loads(answer.output) == {"error": "no answer in time"}
    assert errors(actions) == ["timeout", "late_result"]


def test_outcomes_do_not_hold_up_a_deadline() -> None:
    board = Switchboard()
    board.hears(call())
    board.at += TIMEOUT_S + 1
    assert answers(board.hears(ReplyStarted("t1"))) == ["c1"]


def test_a_call_that_could_not_be_delivered_is_refused_to_the_model() -> None:
    board = Switchboard()
    board.hears(call())
    actions = board.router.undelivered("c1", "the broker is away", board.now)
    (answer,) = of(ctl.AnswerCall, actions)
    assert json.loads(answer.output) == {"error": "home unreachable"}
    assert errors(actions) == ["unreachable"]
    assert "the broker is away" in str(of(rep.Happening, actions)[-1].fields["detail"])
    assert board.router.undelivered("c1", "again", board.now) == []
    assert errors(board.gets(cmd.ToolResult("light", "c1", output=1))) == ["abandoned_result"]


def test_a_delivery_that_fails_after_the_answer_changes_nothing() -> None:
    board = Switchboard()
    board.hears(call())
    board.gets(cmd.ToolResult("light", "c1", output=1))
    assert board.router.undelivered("c1", "time-out", board.now) == []


def test_nobody_waits_for_the_calls_of_a_lost_turn() -> None:
    board = Switchboard()
    board.hears(call())
    assert answers(board.hears(lost())) == []
    assert board.router.next_deadline is None
    late = board.gets(cmd.ToolResult("light", "c1", output=1))
    assert answers(late) == []
    assert errors(late) == ["abandoned_result"]


def test_each_tool_has_its_own_deadline() -> None:
    board = Switchboard()
    board.hears(call("c1", name="clock", arguments="{}"))
    board.hears(call("c2"))
    assert answers(board.after(TIMEOUT_S)) == ["c2"]
    assert answers(board.after(TIMEOUT_S)) == ["c1"]


# Requests and settings


def test_listen() -> None:
    board = Switchboard(activation={"mode": "wake_word", "follow_up_ms": 4000})
    assert board.gets(cmd.Listen(2500, ASKED))[:2] == [
        ctl.OpenGate(2500),
        rep.Response("listen", None, {"timeout_ms": 2500}, ASKED),
    ]
    assert of(ctl.OpenGate, board.gets(cmd.Listen())) == [ctl.OpenGate(5000)], "time enough to begin to speak"


def test_a_muted_node_does_not_listen() -> None:
    board = Switchboard(is_muted=True)
    actions = board.gets(cmd.Listen(2500, ASKED))
    assert of(ctl.OpenGate, actions) == []
    (response,) = of(rep.Response, actions)
    assert response.error is not None
    assert response.reply_to == ASKED


def test_stop() -> None:
    assert Switchboard().gets(cmd.Stop(ASKED))[:2] == [ctl.StopReply(), rep.Response("stop", reply_to=ASKED)]


def test_say_and_ask_are_turns() -> None:
    board = Switchboard()
    said = board.gets(cmd.Say("Essen!", volume=30, reply_to=ASKED))
    assert said[:2] == [
        ctl.SayText("typed-1", "Essen!", 30),
        rep.Response("say", None, {"turn_id": "typed-1"}, ASKED),
    ]
    assert states(said) == ["thinking"]
    asked = board.gets(cmd.Ask("Wie spät?", "in short", ASKED))
    assert asked[:2] == [
        ctl.AskText("typed-2", "Wie spät?", "in short"),
        rep.Response("ask", None, {"turn_id": "typed-2"}, ASKED),
    ]
    board.hears(finished("typed-2"))
    assert states(board.hears(finished("typed-1"))) == ["idle"]


@pytest.mark.parametrize(("is_approved", "name"), [(True, "approve"), (False, "deny")])
def test_no_call_waits_for_a_decision_yet(is_approved: bool, name: str) -> None:
    (response,) = of(rep.Response, Switchboard().gets(cmd.Decide("c" * 500, is_approved, ASKED)))
    assert response.command == name
    assert response.error is not None
    assert len(response.error) < 200


def test_reset_and_reload() -> None:
    board = Switchboard()
    assert board.gets(cmd.Reset(ASKED))[:2] == [ctl.ResetConversation(), rep.Response("reset", reply_to=ASKED)]
    assert of(ctl.ReloadSettings, board.gets(cmd.Reload(ASKED))) == [ctl.ReloadSettings(ASKED)]


def test_diagnose() -> None:
    board = Switchboard()
    board.hears(call())
    board.hears(ServiceTrouble("odd", "x"))
    board.hears(ServiceTrouble("odd", "x"))
    (order,) = of(ctl.Examine, board.gets(cmd.Diagnose(ASKED)))
    assert order == ctl.Examine({"info": FACTS, "problems": {"odd": 2}, "open_calls": 1}, ASKED)


def test_the_volume() -> None:
    actions = Switchboard().gets(cmd.SetSetting("volume", 30))
    kept = ctl.Remember("settings", {"volume": {"value": 30, "file": 70}})
    assert actions == [ctl.SetVolume(30), rep.SettingState("volume", 30), kept, *actions[3:]]
    assert states(actions[3:]) == ["idle"]


def test_what_cannot_be_set_says_so_and_tells_the_old_value_again() -> None:
    actions = Switchboard(gate={"max_segment_s": 1.5}).gets(cmd.SetSetting("hang_over_ms", 4000))
    assert errors(actions) == ["bad_setting"]
    assert rep.SettingState("hang_over_ms", 500) in actions


def test_a_mute_is_told_when_the_device_is_closed_and_not_before() -> None:
    board = Switchboard()
    board.router.started(board.now)
    assert board.gets(cmd.SetMute(is_muted=True)) == [ctl.SetMuted(True)]
    actions = board.hears(MuteChanged(is_muted=True))
    assert actions[0] == rep.SettingState("mute", "ON")
    assert states(actions) == ["muted"]


def test_mute_and_unmute_from_afar() -> None:
    board = Switchboard(is_muted=True)
    assert of(ctl.SetMuted, board.gets(cmd.SetMute(is_muted=False))) == [ctl.SetMuted(False)]
    assert rep.SettingState("mute", "OFF") in board.hears(MuteChanged(is_muted=False))


def test_unmute_from_afar_can_be_forbidden() -> None:
    board = Switchboard(is_muted=True, mute={"remote_unmute": False})
    actions = board.gets(cmd.SetMute(is_muted=False))
    assert of(ctl.SetMuted, actions) == []
    assert errors(actions) == ["unmute_refused"]
    assert rep.SettingState("mute", "ON") in actions, "the switch of the dashboard goes back"


def test_unmute_from_afar_is_refused_while_the_device_is_still_closing() -> None:
    board = Switchboard(mute={"remote_unmute": False})
    assert of(ctl.SetMuted, board.gets(cmd.SetMute(is_muted=True))) == [ctl.SetMuted(True)]
    assert of(ctl.SetMuted, board.gets(cmd.SetMute(is_muted=False))) == []


def test_the_switch_on_the_device_overrides_what_comes_over_mqtt() -> None:
    board = Switchboard()
    assert of(ctl.SetMuted, board.gets(cmd.MuteSwitched(is_muted=True))) == [ctl.SetMuted(True)]
    board.hears(MuteChanged(is_muted=True))
    actions = board.gets(cmd.SetMute(is_muted=False))
    assert of(ctl.SetMuted, actions) == []
    assert errors(actions) == ["unmute_refused"]
    assert of(ctl.SetMuted, board.gets(cmd.MuteSwitched(is_muted=False))) == [ctl.SetMuted(False)]
    assert of(ctl.SetMuted, board.gets(cmd.SetMute(is_muted=False))) == [ctl.SetMuted(False)]


# Chimes


def test_a_room_that_waits_to_be_asked_says_by_sounds_what_it_does() -> None:
    board = Switchboard(activation={"mode": "wake_word"})
    sounded = [
        of(ctl.SoundChime, actions)
        for actions in (
            board.hears(AttentionChanged(is_open=True, wake_word="alexa")),
            board.hears(opened("t1")),
            board.hears(closed("t1")),
            board.hears(AttentionChanged(is_open=False)),
            board.hears(lost("t1")),
            board.gets(cmd.Listen()),
        )
    ]
    chimes = [sound.chime for sounds in sounded for sound in sounds]
    assert chimes == [ctl.Chime.WAKE, ctl.Chime.DONE, ctl.Chime.ERROR, ctl.Chime.LISTENING]


def test_a_room_that_always_listens_sounds_only_when_something_went_wrong() -> None:
    board = Switchboard()
    actions = [*board.hears(opened("t1")), *board.hears(closed("t1")), *board.hears(finished("t1"))]
    assert of(ctl.SoundChime, actions) == []
    assert of(ctl.SoundChime, board.hears(lost("t2"))) == [ctl.SoundChime(ctl.Chime.ERROR)]
    quiet = Switchboard(playback={"chimes": False})
    assert of(ctl.SoundChime, quiet.hears(lost("t2"))) == []
    assert of(ctl.SoundChime, board.hears(TurnLost("t3", LostReason.EMPTY))) == [], "nobody had spoken"


# Attention


def test_a_wake_word_is_told_and_the_room_listens_while_the_window_is_open() -> None:
    board = Switchboard(activation={"mode": "wake_word"})
    actions = board.hears(AttentionChanged(is_open=True, wake_word="okay_nabu"))
    assert of(rep.Happening, actions) == [rep.Happening(EventType.WAKE, {"wake_word": "okay_nabu"})]
    assert states(actions) == [rep.NodeState.LISTENING]
    assert states(board.hears(AttentionChanged(is_open=False))) == [rep.NodeState.IDLE]
    assert of(rep.Happening, board.hears(AttentionChanged(is_open=True))) == [], "a request is no wake word"


def test_after_a_reply_the_room_listens_without_its_wake_word() -> None:
    board = Switchboard(activation={"mode": "wake_word", "follow_up_ms": 4000})
    board.hears(ReplyStarted("t1"))
    board.hears(PlaybackChanged(is_speaking=True))
    assert of(ctl.OpenGate, board.hears(finished("t1"))) == [], "it sounds on"
    assert of(ctl.OpenGate, board.hears(PlaybackChanged(is_speaking=False))) == [ctl.OpenGate(4000)]
    board.hears(ReplyStarted("t2"))
    assert of(ctl.OpenGate, board.hears(finished("t2"))) == [ctl.OpenGate(4000)], "it was written, not spoken"
    board.gets(cmd.SetSetting("follow_up_ms", 0))
    board.hears(ReplyStarted("t3"))
    assert of(ctl.OpenGate, board.hears(finished("t3"))) == []


def test_after_a_reply_that_was_stopped_from_outside_nobody_is_listened_to() -> None:
    board = Switchboard(activation={"mode": "wake_word", "follow_up_ms": 4000})
    board.hears(ReplyStarted("t1"))
    board.hears(PlaybackChanged(is_speaking=True))
    board.gets(cmd.Stop())
    assert of(ctl.OpenGate, board.hears(PlaybackChanged(is_speaking=False))) == []
    assert of(ctl.OpenGate, board.hears(finished("t1"))) == []


@pytest.mark.parametrize("listens", [True, False])
def test_an_announcement_is_followed_up_where_that_was_asked_for(listens: bool) -> None:
    board = Switchboard(activation={"mode": "push_to_talk"})
    (said,) = of(ctl.SayText, board.gets(cmd.Say("Dinner is ready", listen_after=listens)))
    board.hears(ReplyStarted(said.turn_id))
    board.hears(PlaybackChanged(is_speaking=True))
    assert bool(of(ctl.OpenGate, board.hears(PlaybackChanged(is_speaking=False)))) == listens


def test_bad_input_is_told_where_it_was_asked() -> None:
    board = Switchboard()
    board.router.started(board.now)
    assert errors(board.gets(cmd.BadInput("tool/light/result", "not JSON"))) == ["bad_input"]
    asked = board.gets(cmd.BadInput("request/say", "`text` is missing", "say", ASKED))
    assert asked == [rep.Response("say", "`text` is missing", {}, ASKED)]


@pytest.mark.parametrize(
    "command", [cmd.HomeAssistantStatus(is_online=True), cmd.BrokerChanged(is_connected=False, detail="gone")]
)
def test_comings_and_goings_of_others(command: cmd.Command) -> None:
    board = Switchboard()
    board.router.started(board.now)
    assert board.gets(command) == []


# The state of the node


def test_the_states_of_a_turn() -> None:
    board = Switchboard()
    assert states(board.router.started(board.now)) == ["idle"]
    assert states(board.hears(opened())) == ["listening"]
    assert states(board.hears(closed())) == ["thinking"]
    assert states(board.hears(call())) == []
    assert states(board.hears(PlaybackChanged(is_speaking=True))) == ["speaking"]
    assert states(board.hears(finished())) == ["speaking"], "the turn is over, the sound is not"
    assert states(board.hears(PlaybackChanged(is_speaking=False))) == ["idle"]


def test_a_turn_that_was_lost_before_its_segment_closed_is_not_thought_about() -> None:
    board = Switchboard()
    board.hears(opened())
    board.hears(lost())
    assert states(board.hears(closed())) == ["idle"]


def test_muted_while_somebody_speaks_and_offline_while_one_waits() -> None:
    board = Switchboard()
    board.hears(opened())
    assert states(board.hears(MuteChanged(is_muted=True))) == ["muted"]
    assert states(board.hears(closed())) == []
    assert states(board.hears(MuteChanged(is_muted=False))) == ["thinking"]
    assert states(board.hears(TROUBLE)) == ["offline"]
    assert states(board.hears(opened("t2"))) == ["listening"]
    assert states(board.hears(closed("t2"))) == ["offline"]
    assert states(board.hears(LinkChanged(is_up=True))) == ["thinking"]


# Nothing grows


def size_of(value: Any, seen: set[int] | None = None) -> int:
    """Entries in all containers below `value`."""
    seen = set() if seen is None else seen
    if id(value) in seen or isinstance(value, str | bytes | type):
        return 0
    seen.add(id(value))
    if isinstance(value, dict):
        return len(value) + sum(size_of(entry, seen) for entry in value.values())
    if hasattr(value, "__len__") and hasattr(value, "__iter__") and not hasattr(value, "__dict__"):
        return len(value) + sum(size_of(entry, seen) for entry in value)
    return sum(size_of(entry, seen) for name, entry in getattr(value, "__dict__", {}).items() if name != "_settings")


def live(board: Switchboard, number: int) -> None:
    """One turn, ended in one of many ways; every id is new."""
    turn_id = f"t{number}"
    board.hears(opened(turn_id))
    board.hears(Usage(turn_id, "m", TokenCount(text=1)))
    board.hears(ServiceTrouble(f"code_{number}", "x", turn_id))
    if number % 7:
        board.hears(closed(turn_id))
    board.hears(call(f"c{number}", turn_id))
    board.gets(cmd.Ask("?"))
    match number % 6:
        case 0:
            board.gets(cmd.ToolResult("light", f"c{number}", output=1))
            board.hears(finished(turn_id))
        case 1:
            board.hears(lost(turn_id))
            board.hears(closed(turn_id))
        case 2:
            pass  # never ends, never answered
        case 3:
            board.hears(finished(f"t{number - 3}"))
        case 4:
            board.router.undelivered(f"c{number}", "away", board.now)
            board.hears(finished(turn_id))
            board.hears(finished(turn_id))
        case _:
            board.hears(finished(turn_id))
            board.hears(Usage(turn_id, "m", transcription_s=1))
    board.after(1)


def test_nothing_grows_over_a_thousand_turns() -> None:
    board = Switchboard()
    for number in range(400):
        live(board, number)
    before = size_of(board.router)
    for number in range(400, 1400):
        live(board, number)
    assert size_of(board.router) <= before + 20
    assert before > MOST_TURNS + MOST_PROBLEMS, "the measure sees what is there"
    assert sys.getsizeof(board.router.__dict__) < 10_000


def test_codes_beyond_the_most_are_counted_together() -> None:
    board = Switchboard()
    for number in range(MOST_PROBLEMS + 5):
        board.hears(ServiceTrouble(f"code_{number}", "x"))
    (order,) = of(ctl.Examine, board.gets(cmd.Diagnose()))
    assert order.data["problems"]["others"] == 5
    assert len(order.data["problems"]) == MOST_PROBLEMS + 1


# Any order of calls, answers, deadlines and ends


class Interleaved(RuleBasedStateMachine):
    """A small model of the promise: one report and one answer a call, none for a turn that is over."""

    def __init__(self) -> None:
        super().__init__()
        self.board = Switchboard()
        self.published: dict[str, str] = {}
        self.waiting: dict[str, float] = {}
        """Calls that the model waits for, and their deadlines."""
        self.over: set[str] = set()
        self.number = 0
        self.passed: Counter[str] = Counter()
        """Calls that passed, by turn."""

    def check(self, actions: list[Any], may_be_answered: tuple[str, ...] = ()) -> None:
        expired = [call_id for call_id, deadline in self.waiting.items() if deadline <= self.board.at]
        answered = answers(actions)
        assert sorted(answered) == sorted([*expired, *may_be_answered]), "each exactly once, and no other"
        for answer in of(ctl.AnswerCall, actions):
            json.loads(answer.output)
            self.waiting.pop(answer.call_id, None)
        for report in of(rep.CallReport, actions):
            assert report.call_id not in self.published
            self.published[report.call_id] = report.turn_id

    @rule(turn=st.integers(0, 3))
    def ask(self, turn: int) -> None:
        self.number += 1
        call_id, turn_id = f"c{self.number}", f"t{turn}"
        is_too_many = turn_id not in self.over and self.passed[turn_id] == MOST_CALLS
        actions = self.board.hears(call(call_id, turn_id, arguments=json.dumps({"on": True, "number": self.number})))
        self.check(actions, (call_id,) if is_too_many else ())
        if turn_id in self.over or is_too_many:
            assert call_id not in self.published
        else:
            assert call_id in self.published
            self.passed[turn_id] += 1
            self.waiting[call_id] = self.board.at + TIMEOUT_S

    @rule(turn=st.integers(0, 3), name=st.sampled_from(["rocket", "door", "light"]))
    def ask_badly(self, turn: int, name: str) -> None:
        self.number += 1
        call_id, turn_id = f"c{self.number}", f"t{turn}"
        self.check(self.board.hears(call(call_id, turn_id, name, "[]")), () if turn_id in self.over else (call_id,))

    @rule(number=st.integers(1, 12), turn=st.integers(0, 3))
    def ask_again(self, number: int, turn: int) -> None:
        call_id, turn_id = f"c{number}", f"t{turn}"
        if call_id not in self.published:
            return
        is_open = self.waiting.get(call_id, 0.0) > self.board.at
        is_ignored = is_open or turn_id in self.over
        self.check(self.board.hears(call(call_id, turn_id)), () if is_ignored else (call_id,))

    @rule(number=st.integers(1, 12), name=st.sampled_from(["light", "light", "clock"]), is_error=st.booleans())
    def answer(self, number: int, name: str, is_error: bool) -> None:
        call_id = f"c{number}"
        result = cmd.ToolResult(name, call_id, error="no") if is_error else cmd.ToolResult(name, call_id, output=[1])
        is_first = name == "light" and self.waiting.get(call_id, 0.0) > self.board.at
        actions = self.board.gets(result)
        self.check(actions, (call_id,) if is_first else ())
        assert any(code.endswith("_result") for code in errors(actions)) is not is_first

    @rule(number=st.integers(1, 12))
    def fail_to_deliver(self, number: int) -> None:
        call_id = f"c{number}"
        is_open = call_id in self.waiting
        actions = self.board.router.undelivered(call_id, "away", self.board.now)
        assert answers(actions) == ([call_id] if is_open else [])
        self.waiting.pop(call_id, None)

    @rule(seconds=st.sampled_from([0.1, 1.0, 4.9, 5.0, 60.0]), is_seen=st.booleans())
    def pass_time(self, seconds: float, is_seen: bool) -> None:
        if is_seen:
            self.check(self.board.after(seconds))
        else:
            self.board.at += seconds

    @rule(turn=st.integers(0, 3), end=st.sampled_from([finished, lost]))
    def end_turn(self, turn: int, end: Any) -> None:
        turn_id = f"t{turn}"
        self.check(self.board.hears(end(turn_id)))
        self.over.add(turn_id)
        for call_id in [one for one in self.waiting if self.published[one] == turn_id]:
            del self.waiting[call_id]

    @invariant()
    def the_next_deadline_is_that_of_the_first_call(self) -> None:
        assert self.board.router.next_deadline == min(self.waiting.values(), default=None)

    def teardown(self) -> None:
        self.check(self.board.after(3600))
        assert self.waiting == {}
        assert self.board.router.next_deadline is None


TestInterleaved = Interleaved.TestCase
TestInterleaved.settings = settings(max_examples=120, stateful_step_count=30, deadline=None)


def test_another_problem_is_in_health_at_once_and_the_same_one_is_not_told_again() -> None:
    board = Switchboard()
    (health,) = of(rep.Health, board.hears(SoundCounted(1.0, {"uptime_s": 5})))
    assert health.content["last_error"] is None
    trouble = ServiceTrouble("state", "the disk is full")
    (health,) = of(rep.Health, board.hears(trouble))
    assert health.content == {"uptime_s": 5, "problems": {"state": 1}, "last_error": "state"}
    assert of(rep.Health, board.hears(trouble)) == []


def test_a_finished_turn_names_the_conversation_of_the_service_where_it_told_one() -> None:
    board = Switchboard()
    told = TurnFinished("t1", ResponseStatus.COMPLETED, conversation_id="conv_1")
    (event,) = of(rep.Happening, board.hears(told))
    assert event.fields["conversation_id"] == "conv_1"
    (event,) = of(rep.Happening, board.hears(finished("t2")))
    assert "conversation_id" not in event.fields


# Somebody else answers


def test_another_provider_is_in_info_and_what_it_is_for_is_told_once() -> None:
    board = Switchboard()
    board.router.started(board.now)
    actions = board.hears(ProviderChanged("local", "the connection broke"))
    assert of(rep.Info, actions) == [rep.Info({**FACTS, "provider": "local"})]
    assert errors(actions) == ["service_away"]
    (told,) = of(rep.Happening, actions)
    assert told.fields["detail"] == "the connection broke; this device answers by itself meanwhile"
    assert states(actions) == [], "the room is not offline"
    actions = board.hears(ProviderChanged("openai"))
    assert of(rep.Info, actions) == [rep.Info({**FACTS, "provider": "openai"})]
    assert errors(actions) == []


def test_what_stays_on_the_device_is_not_counted_as_streamed() -> None:
    board = Switchboard()

    def streamed_s() -> float:
        return float(of(rep.Usages, board.hears(finished("t1")))[-1].content["streamed_s"])

    board.hears(closed("t1"))
    before = streamed_s()
    board.hears(ProviderChanged("local", "the connection broke"))
    board.hears(closed("t2"))
    assert streamed_s() == before
    board.hears(ProviderChanged("openai"))
    board.hears(closed("t3"))
    assert streamed_s() > before
