"""The sections of a room."""

from typing import Any

import pytest
from pydantic import ValidationError

from voice_node.settings.schema import RoomSettings


def room(**sections: Any) -> RoomSettings:
    """A room with these sections."""
    return RoomSettings.model_validate({"room": "living_room", **sections})


def test_a_room_needs_only_its_id() -> None:
    assert room().display_name == "Living room"
    assert room(name="Lounge").display_name == "Lounge"


@pytest.mark.parametrize("identifier", ["", "A", "a/b", "a+", "#", "a" * 65, "ä", "a b", "a\n"])
def test_an_id_is_one_level_of_a_topic(identifier: str) -> None:
    with pytest.raises(ValidationError):
        RoomSettings.model_validate({"room": identifier})


@pytest.mark.parametrize(
    "sections",
    [
        {"capture": {"device": 0}},
        {"capture": {"device": "wav:a.wav", "sample_rate_hz": 44100}},
        {"gate": {"aggressiveness": 0, "min_speech_ms": 0}},
        {"playback": {"device": "none"}},
        {"mqtt": {"tls": {}, "protocol": 3}},
        {"budget": {"usd_per_day": None, "minutes_per_day": 0.5}},
        {"fallback": {"provider": None}},
    ],
)
def test_right_values(sections: dict[str, Any]) -> None:
    found = room(**sections).model_dump(mode="json", exclude_unset=True)
    assert found == {"room": "living_room", **sections}


@pytest.mark.parametrize(
    "sections",
    [
        {"capture": {"sample_rate_hz": 22050}},
        {"gate": {"aggressiveness": True}},
        {"gate": {"frame_ms": 15}},
        {"mqtt": {"port": 65536}},
        {"mqtt": {"tls": {"ca": ""}}},
        {"log": {"level": "INFO"}},
    ],
)
def test_wrong_values(sections: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        room(**sections)
