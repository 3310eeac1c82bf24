from pathlib import Path
from typing import Any

import pytest

from voice_node.model.control import ListenFor, Remember, SetVolume, TuneGate
from voice_node.model.report import SettingState
from voice_node.router.action import Action
from voice_node.router.tuning import Tuning, Unusable
from voice_node.settings.schema import RoomSettings


def room(**sections: Any) -> RoomSettings:
    return RoomSettings.model_validate({"room": "kitchen", **sections})


def kept(actions: list[Action]) -> Any:
    (memory,) = [action for action in actions if isinstance(action, Remember)]
    assert memory.key == "settings"
    return memory.value


def states(tuning: Tuning) -> dict[str, Any]:
    return {state.name: state.value for state in tuning.states() if isinstance(state, SettingState)}


@pytest.mark.parametrize(
    ("name", "value", "controls"),
    [
        ("volume", 30, [SetVolume(30)]),
        ("gate_snr_db", 9.5, [TuneGate(9.5, 500)]),
        ("hang_over_ms", 400, [TuneGate(5, 400)]),
        ("follow_up_ms", 0, []),
        ("budget_usd", 2.5, []),
    ],
)
def test_a_setting_acts_is_told_and_is_kept(name: str, value: float, controls: list[Action]) -> None:
    tuning = Tuning(room(), {})
    file = states(tuning)[name]
    actions = tuning.set(name, value)
    assert actions == [
        *controls,
        SettingState(name, value),
        Remember("settings", {name: {"value": value, "file": file}}),
    ]
    again = Tuning(room(), kept(actions))
    assert states(again)[name] == value
    assert again.settings == tuning.settings != room()


def test_a_kept_value_ends_when_the_file_says_something_else() -> None:
    first = Tuning(room(playback={"volume": 50}), {})
    memory = kept([*first.set("volume", 30)])
    assert Tuning(room(playback={"volume": 50}), memory).settings.playback.volume == 30
    assert Tuning(room(playback={"volume": 55}), memory).settings.playback.volume == 55


def test_several_settings_are_kept_together() -> None:
    tuning = Tuning(room(), {})
    tuning.set("volume", 30)
    memory = kept(tuning.set("gate_snr_db", 9))
    assert set(memory) == {"volume", "gate_snr_db"}
    assert set(kept(Tuning(room(), memory).set("hang_over_ms", 300))) == {"volume", "gate_snr_db", "hang_over_ms"}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("volume", 101),
        ("volume", "loud"),
        ("gate_snr_db", 41),
        ("hang_over_ms", 99),
        ("hang_over_ms", 5000),
        ("budget_usd", 0),
        ("wake_word", "okay_nabu"),
        ("colour", 1),
    ],
)
def test_what_cannot_be_changes_nothing(name: str, value: Any) -> None:
    tuning = Tuning(room(gate={"max_segment_s": 5}), {})
    before = states(tuning)
    with pytest.raises(Unusable) as error:
        tuning.set(name, value)
    assert "loud" not in str(error.value)
    assert states(tuning) == before


@pytest.mark.parametrize(
    "memory",
    [
        {"volume": 30},
        {"volume": {"value": 30}},
        {"volume": {"file": 70}},
        {"volume": {"value": "x", "file": 70}},
        {"volume": {"value": 300, "file": 70}},
        {"other": {"value": 1, "file": 1}},
        {"volume": None},
    ],
)
def test_what_is_no_memory_is_none(memory: dict[str, Any]) -> None:
    assert Tuning(room(), memory).settings == room()


def test_a_room_tells_only_the_settings_that_it_has() -> None:
    tuning = Tuning(room(budget={"usd_per_day": None}), {})
    assert set(states(tuning)) == {"volume", "gate_snr_db", "hang_over_ms", "follow_up_ms"}
    woken = Tuning(room(activation={"mode": "wake_word"}), {})
    assert states(woken)["wake_word"] == "okay_nabu"
    assert woken.state("wake_word") == [SettingState("wake_word", "okay_nabu")]
    assert woken.state("mute") == []


def test_a_wake_word_is_chosen_among_those_that_are_there(tmp_path: Path) -> None:
    own = str(tmp_path / "house.json")
    tuning = Tuning(room(activation={"mode": "wake_word", "wake_word": ["alexa", own]}), {})
    assert states(tuning)["wake_word"] == "alexa + house"
    listens, told, kept = tuning.set("wake_word", "house")
    assert listens == ListenFor((own,), 8000)
    assert told == SettingState("wake_word", "house")
    assert isinstance(kept, Remember)
    assert isinstance(kept.value, dict)
    again = Tuning(room(activation={"mode": "wake_word", "wake_word": ["alexa", own]}), kept.value)
    assert again.settings.activation.wake_words == (own,)
    assert tuning.set("wake_word", "alexa + house")[0] == ListenFor(("alexa", own), 8000)
    with pytest.raises(Unusable, match="choose one of alexa"):
        tuning.set("wake_word", "computer")
    with pytest.raises(Unusable, match="listens without one"):
        Tuning(room(), {}).set("wake_word", "alexa")
