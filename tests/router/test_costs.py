"""What turns and days cost, and what the router does about it."""

from datetime import timedelta

from tests.router.switchboard import START, Switchboard, of
from voice_node.model import control as ctl
from voice_node.model import report as rep
from voice_node.model.command import SetSetting
from voice_node.model.moment import Moment
from voice_node.model.turn import ResponseStatus as Status
from voice_node.model.turn import SoundCounted, SpeechChanged, TokenCount, TurnFinished, Usage
from voice_node.router.action import Action
from voice_node.router.costs import MOST_TURNS, Costs
from voice_node.settings.schema import BudgetSettings

TODAY = START.astimezone().date()


def budget_events(actions: list[Action]) -> list[float]:
    return [event.fields["share"] for event in of(rep.Happening, actions) if event.event_type == "budget"]


def test_at_80_percent_an_event_at_100_the_end_of_sound_and_a_state() -> None:
    board = Switchboard()
    board.router.started(board.now)
    assert budget_events(board.hears(Usage("t1", "m", usd=0.79))) == []
    assert budget_events(board.hears(Usage("t1", "m", usd=0.02))) == [0.8]
    actions = board.hears(Usage("t1", "m", usd=0.2))
    assert budget_events(actions) == [1.0]
    assert of(ctl.SetSpent, actions) == [ctl.SetSpent(is_spent=True)]
    assert [state.state for state in of(rep.State, actions)] == ["over_budget"]
    assert of(ctl.SetSpent, board.hears(Usage("t1", "m", usd=0.2))) == []


def test_a_higher_budget_and_a_new_day_let_sound_out_again() -> None:
    board = Switchboard()
    board.hears(Usage("t1", "m", usd=1.5))
    actions = board.gets(SetSetting("budget_usd", 5.0))
    assert of(ctl.SetSpent, actions) == [ctl.SetSpent(is_spent=False)]
    assert rep.SettingState("budget_usd", 5.0) in actions
    board.hears(Usage("t2", "m", usd=5))
    tomorrow = Moment(board.at, board.now.wall + timedelta(days=1))
    actions = board.router.outcome(SoundCounted(60), tomorrow)
    assert of(ctl.SetSpent, actions) == [ctl.SetSpent(is_spent=False)]
    assert of(rep.Usages, actions)[0].content["usd"] == 0


def test_the_day_is_told_and_kept_after_each_turn() -> None:
    board = Switchboard()
    board.hears(SpeechChanged("t1", is_open=False, duration_ms=1500, voiced_ms=900))
    board.hears(Usage("t1", "m", TokenCount(audio=15), TokenCount(audio=40), usd=0.01))
    board.hears(SoundCounted(60))
    actions = board.hears(TurnFinished("t1", Status.COMPLETED))
    totals = of(rep.Usages, actions)[0].content
    assert (totals["turns"], totals["streamed_s"], totals["captured_s"], totals["usd"]) == (1, 1.5, 60.0, 0.01)
    assert totals["input_tokens"]["audio"] == 15
    assert ctl.Remember("usage", totals) in actions


def test_what_was_spent_before_a_restart_is_spent() -> None:
    before = Costs(BudgetSettings(), TODAY, None)
    before.use(Usage("t", "m", usd=2))
    totals = of(rep.Usages, before.turn_over("t")[1])[0].content
    after = Costs(BudgetSettings(), TODAY, totals)
    assert ctl.SetSpent(is_spent=True) in after.started()


def test_turns_that_never_end_are_forgotten() -> None:
    costs = Costs(BudgetSettings(), TODAY, None)
    for number in range(1000):
        costs.use(Usage(f"t{number}", "m"))
    assert len(costs._turns) == MOST_TURNS


def test_no_budget_has_no_setting() -> None:
    started = Costs(BudgetSettings(usd_per_day=None), TODAY, None).started()
    assert of(rep.SettingState, started) == []
