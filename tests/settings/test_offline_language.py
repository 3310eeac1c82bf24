from typing import Any

import pytest

from voice_node.settings.offline_language import find_unheard_language
from voice_node.settings.schema import RoomSettings

OPENAI = {"provider": "openai"}


def warnings(language: str, **sections: Any) -> list[str]:
    settings = RoomSettings.model_validate({"room": "a", "language": language, **sections})
    return [f"{problem.path[0]}: {problem.text}" for problem in find_unheard_language(settings)]


@pytest.mark.parametrize("language", ["en", "en-GB", "EN-us"])
def test_english_is_heard(language: str) -> None:
    assert warnings(language) == []
    assert warnings(language, session=OPENAI, fallback={"provider": "local"}) == []


def test_other_languages_are_not() -> None:
    assert warnings("de-DE") == [
        "language: de-DE: the offline engine (session.provider: local) hears English only: "
        "other languages need a Realtime service"
    ]


def test_nor_in_the_service_s_place_where_the_file_asks_for_it() -> None:
    (warning,) = warnings("de", session=OPENAI, fallback={"provider": "local"})
    assert "fallback.provider: local" in warning
    assert warnings("de", session=OPENAI) == []
    assert warnings("de", session=OPENAI, fallback={"provider": None}) == []
