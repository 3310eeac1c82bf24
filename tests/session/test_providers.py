"""Where sessions are opened, and with which headers."""

import pytest

from tests.session.room import settings
from voice_node.session.providers import endpoint


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
    assert "OpenAI-Beta" not in place.headers


def test_the_embedded_server() -> None:
    place = endpoint(settings(provider="local", url=None, model="m"), "word", "ws://127.0.0.1:5/v1/realtime")
    assert place.url == "ws://127.0.0.1:5/v1/realtime?model=m"


@pytest.mark.parametrize("key", [None, ""])
def test_without_a_key_there_is_no_header(key: str | None) -> None:
    assert endpoint(settings(model="m"), key).headers == {}
