import pytest

from voice_node.settings.schema import RoomSettings
from voice_node.settings.tunable import PLACES, span


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("volume", "an integer from 0 to 100"),
        ("gate_snr_db", "a number from 0 to 40"),
        ("hang_over_ms", "an integer from 100 to 5000"),
        ("follow_up_ms", "an integer from 0 to 60000"),
        ("budget_usd", "a number above 0 to 1000"),
    ],
)
def test_what_a_number_may_be_stands_in_the_schema(name: str, text: str) -> None:
    assert str(span(name)) == text


@pytest.mark.parametrize("name", ["wake_word", "mute", "nothing"])
def test_what_is_no_number_has_no_span(name: str) -> None:
    with pytest.raises(KeyError):
        span(name)


@pytest.mark.parametrize("name", [name for name in PLACES if name != "wake_word"])
def test_a_room_file_may_say_what_a_dashboard_may_and_nothing_below(name: str) -> None:
    place, key = PLACES[name]
    wanted = span(name)
    assert wanted.holds(wanted.lowest) == wanted.is_lowest_allowed
    for value in (wanted.lowest, wanted.highest, 1.5, -1, True, "5", None):
        if wanted.holds(value):
            RoomSettings.model_validate({"room": "den", place: {key: value}})
    assert not wanted.holds(wanted.highest + 1)
    assert not wanted.holds(wanted.lowest - 1)
    assert not wanted.holds(True)
    assert not wanted.holds("5")
