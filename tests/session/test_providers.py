"""Where sessions are opened, and with which headers."""

import pytest

from tests.session.room import settings
from tests.session.sessions import SERVICES
from voice_node.session.providers import capabilities, endpoint
from voice_node.settings.session import SessionSettings


@pytest.mark.parametrize(
    ("values", "url", "headers"),
    [
        (
            {"provider": "openai", "url": None, "model": "gpt-realtime-2.1"},
            "wss://api.openai.com/v1/realtime?model=gpt-realtime-2.1",
            {"Authorization": "Bearer k"},
        ),
        (
            {"provider": "xai", "url": None, "model": "grok-voice-latest"},
            "wss://api.x.ai/v1/realtime?model=grok-voice-latest",
            {"Authorization": "Bearer k"},
        ),
        (
            {"provider": "azure", "url": "https://home.openai.azure.com/openai/v1/realtime", "model": "my deployment"},
            "wss://home.openai.azure.com/openai/v1/realtime?model=my%20deployment",
            {"api-key": "k"},
        ),
        (
            {"provider": "azure", "url": "https://home.openai.azure.com/", "model": "mine"},
            "wss://home.openai.azure.com/openai/v1/realtime?model=mine",
            {"api-key": "k"},
        ),
        (
            {"provider": "azure", "url": "https://home.openai.azure.com", "model": "mine", "dialect": "beta"},
            "wss://home.openai.azure.com/openai/realtime?api-version=2025-04-01-preview&deployment=mine",
            {"api-key": "k", "OpenAI-Beta": "realtime=v1"},
        ),
        (
            {"provider": "localai", "url": "http://nas:8080", "model": "m"},
            "ws://nas:8080/v1/realtime?model=m",
            {"Authorization": "Bearer k"},
        ),
        (
            {"provider": "speaches", "url": "http://nas:8000", "model": "m"},
            "ws://nas:8000/v1/realtime?model=m",
            {"Authorization": "Bearer k"},
        ),
        (
            {"provider": "custom", "url": "ws://nas/v1/realtime", "model": "m", "dialect": "beta"},
            "ws://nas/v1/realtime?model=m",
            {"Authorization": "Bearer k", "OpenAI-Beta": "realtime=v1"},
        ),
        (
            {"provider": "custom", "url": "ws://nas:8080/v1/realtime?model=other&x=1", "model": "m"},
            "ws://nas:8080/v1/realtime?model=other&x=1",
            {"Authorization": "Bearer k"},
        ),
        (
            {"provider": "custom", "url": "http://nas:8080/v1/realtime?x=1", "model": "a&b=c"},
            "ws://nas:8080/v1/realtime?x=1&model=a%26b%3Dc",
            {"Authorization": "Bearer k"},
        ),
    ],
)
def test_endpoints(values: dict[str, str | None], url: str, headers: dict[str, str]) -> None:
    place = endpoint(settings(**values), "k")
    assert (place.url, place.headers) == (url, headers)
    assert "Bearer" not in repr(place)


def test_the_embedded_server() -> None:
    place = endpoint(settings(provider="local", url=None, model="m"), "word", "ws://127.0.0.1:5/v1/realtime")
    assert place.url == "ws://127.0.0.1:5/v1/realtime?model=m"


@pytest.mark.parametrize("key", [None, ""])
def test_without_a_key_there_is_no_header(key: str | None) -> None:
    assert endpoint(settings(model="m"), key).headers == {}


@pytest.mark.parametrize(
    ("values", "query"),
    [
        ({"provider": "openai", "url": None}, "intent=transcription"),
        ({"provider": "azure", "url": "https://home.openai.azure.com"}, "intent=transcription"),
        (
            {"provider": "azure", "url": "https://home.openai.azure.com", "dialect": "beta"},
            "api-version=2025-04-01-preview&intent=transcription",
        ),
        ({"provider": "custom", "url": "ws://nas/v1/realtime"}, "intent=transcription"),
        ({"provider": "localai", "url": "http://nas", "model": "m"}, "intent=transcription&model=m"),
        ({"provider": "speaches", "url": "http://nas"}, "intent=transcription&model=whisper"),
    ],
)
def test_a_transcription_session_is_asked_for_without_a_model_that_would_talk(
    values: dict[str, str | None], query: str
) -> None:
    section = settings(type="transcription", transcription={"model": "whisper"}, **values)
    assert endpoint(section, "k").url.partition("?")[2] == query


def test_the_old_header_is_for_those_who_want_it() -> None:
    """OpenAI closes a socket that brings it; speaches does not ask for it."""
    for provider in ("openai", "xai", "local", "localai", "speaches"):
        assert "OpenAI-Beta" not in endpoint(settings(provider=provider, url="ws://nas"), "k").headers


def test_what_each_service_can_do() -> None:
    able = {
        f"{service['provider']}-{service.get('dialect', 'auto')}": capabilities(SessionSettings.model_validate(service))
        for service in SERVICES
    }
    assert {name for name, can in able.items() if not can.can_truncate} == {"xai-auto", "speaches-auto"}
    assert {name for name, can in able.items() if not can.can_cancel} == {"speaches-auto"}
    assert {name for name, can in able.items() if not can.takes_null_turn_detection} == {"speaches-auto"}
    assert {name for name, can in able.items() if can.wants_real_time_audio} == {"speaches-auto"}
    without = {name for name, can in able.items() if not can.sends_item_done}
    assert without == {"xai-auto", "speaches-auto", "azure-beta", "custom-beta"}
    assert able["openai-auto"] == able["custom-auto"] == able["azure-auto"]


def test_the_dialect_that_the_server_showed_counts() -> None:
    assert not capabilities(settings(), "beta").sends_item_done
    assert capabilities(settings(dialect="beta"), "ga").sends_item_done
