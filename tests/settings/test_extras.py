"""What only an extra brings is asked for before a person waits in vain."""

import pytest

from voice_node.settings.extras import EXTRAS, check_extras, find_missed, is_installed
from voice_node.settings.schema import RoomSettings


def problems(is_there: bool, **sections: object) -> list[str]:
    settings = RoomSettings.model_validate({"room": "kitchen", **sections})
    return [f"{'.'.join(map(str, p.path))}: {p.text}" for p in check_extras(settings, lambda _: is_there)]


@pytest.mark.parametrize(
    ("sections", "problem"),
    [
        ({"gate": {"confirm": "silero"}}, "gate.confirm: needs the extra `confirm`"),
        ({"activation": {"mode": "wake_word"}}, "activation.mode: needs the extra `wake`"),
        ({"capture": {"echo": "cancel"}}, "capture.echo: needs the extra `aec`"),
        ({"activation": {"button_gpio": 17}}, "activation.button_gpio: needs the extra `gpio`"),
        ({"indicator": {"led_gpio": 18}}, "indicator.led_gpio: needs the extra `gpio`"),
        ({"mute": {"gpio": 22}}, "mute.gpio: needs the extra `gpio`"),
        ({"metrics": {"port": 9464}}, "metrics.port: needs the extra `metrics`"),
    ],
)
def test_what_is_not_installed_is_an_error_that_says_how_to_get_it(sections: dict[str, object], problem: str) -> None:
    (found,) = problems(False, **sections)
    assert found.startswith(problem)
    assert "pip install 'voice-node[" in found
    assert problems(True, **sections) == []


def test_a_room_that_asks_for_nothing_needs_nothing() -> None:
    assert problems(False) == []


def test_every_module_of_the_table_is_a_real_one() -> None:
    assert not is_installed("no_such_module_anywhere")
    missing = [extra.module for extra in EXTRAS if not is_installed(extra.module)]
    if missing:
        pytest.skip(f"not installed here: {missing}")


@pytest.mark.parametrize(
    ("confirm", "is_there", "is_missed"), [("auto", False, True), ("auto", True, False), ("off", False, False)]
)
def test_a_second_opinion_that_is_not_installed_is_missed(confirm: str, is_there: bool, is_missed: bool) -> None:
    settings = RoomSettings.model_validate({"room": "kitchen", "gate": {"confirm": confirm}})
    missed = list(find_missed(settings, lambda _: is_there))
    assert len(missed) == is_missed
    assert all("pip install 'voice-node[confirm]'" in problem.text for problem in missed)
