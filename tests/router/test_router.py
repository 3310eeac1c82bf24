"""What home automation is told: at first, of turns and devices, and of the state of the node."""

from typing import Any

import pytest

from tests.router.switchboard import (
    FACTS,
    TROUBLE,
    Switchboard,
    call,
    closed,
    errors,
    finished,
    lost,
    of,
    opened,
    states,
)
from voice_node.model import report as rep
from voice_node.model.report import EventType
from voice_node.model.turn import (
    CaptureChanged,
    LinkChanged,
    LostReason,
    MuteChanged,
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
from voice_node.settings.schema import BudgetSettings


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
