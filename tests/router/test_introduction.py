from typing import Any

import pytest

from tests.router.switchboard import FACTS, ROOM, START, Switchboard, of
from voice_node.model.command import HomeAssistantStatus
from voice_node.model.control import Remember
from voice_node.model.moment import Moment
from voice_node.model.report import Discovery, GateOpen, LastWords, SettingState, State
from voice_node.model.turn import Transcript
from voice_node.router.action import Action
from voice_node.router.costs import Costs
from voice_node.router.introduction import MEMORY, SETTLE_S, Introduction
from voice_node.router.router import Router
from voice_node.router.tuning import Tuning

LIGHT = {"platform": "switch", "name": "Light"}
OLD = {"platform": "sensor", "name": "Old", "unique_id": "u"}
SPREAD_S = 2.0
ALONE = {"platform": "sensor"}


def introduced(remembered: dict[str, Any], components: dict[str, Any] | None = None, **options: bool) -> Introduction:
    content = {"device": {}, "components": {"light": LIGHT} if components is None else components}
    return Introduction(content, remembered, SPREAD_S, **options)


def documents(actions: list[Action]) -> list[Any]:
    """The components of each, or None for the end of the device."""
    return [None if step.content is None else step.content["components"] for step in of(Discovery, actions)]


def memory(actions: list[Action]) -> list[Any]:
    return [action.value for action in of(Remember, actions) if action.key == MEMORY]


def story(introduction: Introduction, begin: float) -> list[tuple[float, Any]]:
    """What comes after `begin`, step by step: seconds, and the components or `again`."""
    told: list[tuple[float, Any]] = []
    while (at := introduction.next_at) is not None:
        assert introduction.due(at - 0.01) == ([], False)
        actions, is_again = introduction.due(at)
        told += [(at - begin, parts) for parts in documents(actions)]
        told += [(at - begin, "again")] if is_again else []
    return told


def test_the_first_document_comes_at_once_and_is_remembered_before() -> None:
    introduction = introduced({})
    remembered, document = introduction.started(100)
    assert memory([remembered]) == [{"components": {"light": LIGHT}, "words": False}]
    assert documents([document]) == [{"light": LIGHT}]
    assert story(introduction, 100) == [(SETTLE_S, "again")]


def test_what_has_not_changed_is_not_written_to_disk_again() -> None:
    assert memory(introduced({"components": {"light": LIGHT}}).started(0)) == []


def test_what_is_gone_is_removed_first_and_left_out_then() -> None:
    introduction = introduced({"components": {"light": LIGHT, "old": OLD}})
    actions = introduction.started(0)
    assert documents(actions) == [{"light": LIGHT}]
    assert memory(actions) == []
    assert story(introduction, 0) == [
        (SETTLE_S, {"light": LIGHT, "old": ALONE}),
        (2 * SETTLE_S, {"light": LIGHT}),
        (3 * SETTLE_S, "again"),
    ]


def test_a_home_assistant_that_was_away_then_is_told_of_it_first() -> None:
    introduction = introduced({"components": {"light": LIGHT, "old": OLD}})
    introduction.started(0)
    introduction.born(100)
    assert introduction.next_at == 100 + SPREAD_S
    first, _ = introduction.due(100 + SPREAD_S)
    assert documents(first) == [{"light": LIGHT, "old": OLD}]
    second, _ = introduction.due(100 + SPREAD_S + SETTLE_S)
    assert documents(second) == [{"light": LIGHT, "old": ALONE}]
    third, _ = introduction.due(100 + SPREAD_S + 2 * SETTLE_S)
    assert documents(third) == [{"light": LIGHT}]
    assert memory(third) == [{"components": {"light": LIGHT}, "words": False}]
    assert introduction.due(1000) == ([], True)
    introduction.born(2000)
    assert story(introduction, 2000) == [(SPREAD_S, {"light": LIGHT}), (SPREAD_S + SETTLE_S, "again")]


def test_births_that_follow_each_other_are_one() -> None:
    introduction = introduced({})
    introduction.started(0)
    for at in (10.0, 10.5, 11.0):
        introduction.born(at)
    assert story(introduction, 11) == [(SPREAD_S, {"light": LIGHT}), (SPREAD_S + SETTLE_S, "again")]


def test_a_component_of_another_platform_replaces_the_old_one() -> None:
    introduction = introduced({"components": {"light": OLD}})
    assert documents(introduction.started(0)) == [{}]
    assert story(introduction, 0)[:2] == [(SETTLE_S, {"light": ALONE}), (2 * SETTLE_S, {"light": LIGHT})]


def test_without_discovery_nothing_is_told_and_what_was_told_is_taken_back() -> None:
    assert introduced({}, is_wanted=False).started(0) == []
    introduction = introduced({"components": {"light": LIGHT}}, is_wanted=False)
    assert documents(introduction.started(0)) == [None]
    introduction.born(100)
    assert documents(introduction.due(100 + SPREAD_S)[0]) == [{"light": LIGHT}]
    last, _ = introduction.due(100 + SPREAD_S + SETTLE_S)
    assert documents(last) == [None]
    assert memory(last) == [{"components": {}, "words": False}]


def test_a_state_file_may_hold_anything() -> None:
    stored: tuple[Any, ...] = (5, [], {"a": 5, "b": {}, "c": {"platform": 5}}, None)
    for components in stored:
        assert documents(introduced({"components": components}).started(0)) == [{"light": LIGHT}]


def test_words_that_must_not_be_kept_any_more_are_cleared_once() -> None:
    first = introduced({}, keeps_words=True).started(0)
    assert memory(first) == [{"components": {"light": LIGHT}, "words": True}]
    second = introduced(memory(first)[0]).started(0)
    assert of(LastWords, second) == [LastWords("user", None), LastWords("assistant", None)]
    third = introduced(memory(second)[0]).started(0)
    assert of(LastWords, third) == []


def test_the_router_tells_it_when_home_assistant_has_started() -> None:
    def moment(at: float) -> Moment:
        return Moment(at, START)

    costs = Costs(ROOM.budget, START.astimezone().date(), None)
    tuning = Tuning(ROOM, {})
    router = Router(tuning, lambda: "t", FACTS, costs=costs, is_muted=False, introduction=introduced({}))
    assert documents(router.started(moment(0))) == [{"light": LIGHT}]
    assert router.next_deadline == SETTLE_S
    again = router.tick(moment(SETTLE_S))
    assert of(GateOpen, again) == [GateOpen(is_open=False)]
    assert of(State, again) != []
    assert SettingState("volume", 70) in again
    assert documents(router.command(HomeAssistantStatus(is_online=False), moment(50))) == []
    assert router.next_deadline is None
    assert documents(router.command(HomeAssistantStatus(is_online=True), moment(50))) == []
    assert router.next_deadline == 50 + SPREAD_S
    assert documents(router.tick(moment(50 + SPREAD_S))) == [{"light": LIGHT}]


@pytest.mark.parametrize("is_wanted", [True, False])
def test_last_words_are_kept_by_the_broker_where_that_is_wanted(is_wanted: bool) -> None:
    board = Switchboard(mqtt={"retain_last": is_wanted})
    heard = Transcript("t1", "i1", "user", "Licht an", is_final=True, started_at=START, ended_at=START)
    assert of(LastWords, board.hears(heard)) == [LastWords("user", heard, is_retained=is_wanted)]
