"""Which models a service has, asked over true sockets, and what that means for a room."""

from datetime import date
from typing import Any

import pytest

from tests.fakes.http_server import Answer, Hangup, HttpServer, Silence
from tests.session.room import settings
from voice_node.session.models import Model, Unlisted, list_models, troubles

KEY = "sk-canary-0123456789abcdef"
TODAY = date(2026, 11, 20)


async def listed(answer: Answer | Silence | Hangup) -> tuple[Model, ...] | Unlisted:
    async with HttpServer(answer) as server:
        return await list_models(settings(url=f"ws://127.0.0.1:{server.port}/v1/realtime"), KEY, patience_s=1)


def entry(name: Any, **more: Any) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": 0, "owned_by": "openai"} | more


@pytest.mark.parametrize(
    ("values", "path", "header"),
    [
        ({"url": "ws://HOST/v1/realtime"}, "/v1/models", "authorization"),
        ({"url": "http://HOST/v1/realtime/?model=m"}, "/v1/models", "authorization"),
        ({"provider": "localai", "url": "http://HOST"}, "/v1/models", "authorization"),
        ({"provider": "speaches", "url": "http://HOST"}, "/v1/models", "authorization"),
        ({"provider": "xai", "url": "ws://HOST/v1/realtime"}, "/v1/models", "authorization"),
        ({"provider": "openai", "url": "ws://HOST/v1/realtime"}, "/v1/models", "authorization"),
        ({"provider": "azure", "url": "http://HOST"}, "/openai/v1/models", "api-key"),
        (
            {"provider": "azure", "url": "http://HOST", "dialect": "beta"},
            "/openai/models?api-version=2025-04-01-preview",
            "api-key",
        ),
        ({"provider": "local", "url": "ws://HOST/v1/realtime"}, "/v1/models", "authorization"),
    ],
)
async def test_where_each_provider_is_asked(values: dict[str, Any], path: str, header: str) -> None:
    async with HttpServer(Answer({"object": "list", "data": []})) as server:
        section = settings(**values | {"url": values["url"].replace("HOST", f"127.0.0.1:{server.port}")})
        assert await list_models(section, KEY) == ()
    (asked,) = server.asked
    assert (asked.method, asked.path) == ("GET", path)
    assert KEY in asked.headers[header]


async def test_names_and_days() -> None:
    data = [entry("gpt-realtime", shutdown_date="2027-01-20"), entry("gpt-realtime-2.1", shutdown_date=None)]
    odd = [entry(5), entry("x" * 300), "nothing", entry("new", shutdown_date="soon")]
    assert await listed(Answer({"object": "list", "data": data + odd})) == (
        Model("gpt-realtime", date(2027, 1, 20)),
        Model("gpt-realtime-2.1"),
        Model("new"),
    )


@pytest.mark.parametrize(
    ("answer", "detail"),
    [
        (Answer(status=401), "API key"),
        (Answer(status=404), "HTTP 404"),
        (Answer(status=503), "HTTP 503"),
        (Answer(b"<html>"), "no list of models"),
        (Answer([]), "no list of models"),
        (Answer({"data": {}}), "no list of models"),
        (Answer(b"[" * 100_000), "no list of models"),
        (Hangup(), "cannot be reached"),
        (Silence(), "no answer within 1 s"),
    ],
)
async def test_what_is_no_list_is_told_plainly(answer: Answer | Silence | Hangup, detail: str) -> None:
    found = await listed(answer)
    assert isinstance(found, Unlisted)
    assert detail in found.detail
    assert KEY not in found.detail


def test_a_service_that_lists_nothing_tells_nothing() -> None:
    assert list(troubles(settings(model="other"), [], TODAY)) == []


async def test_a_key_that_is_for_a_server_at_home_goes_nowhere_else() -> None:
    async with HttpServer() as server:
        section = settings(url=f"ws://127.0.0.1:{server.port}/v1/realtime", auth={"url": "http://nas/mint"})
        assert isinstance(await list_models(section, KEY), Unlisted)
        assert server.asked == []


async def test_who_cannot_be_asked() -> None:
    assert isinstance(await list_models(settings(provider="local", url=None), None), Unlisted)
    elsewhere = await list_models(settings(url="ws://nas/voice"), None)
    assert isinstance(elsewhere, Unlisted)
    assert "session.url" in elsewhere.detail


HAS = [
    Model("gpt-realtime", date(2027, 1, 20)),
    Model("old", date(2026, 11, 20)),
    Model("mine"),
    Model("whisper", date(2027, 2, 26)),
]


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"model": "mine", "transcription": {"model": "mine"}}, []),
        ({"model": "mine", "transcription": None}, []),
        (
            {"model": "gpt-realtime", "transcription": {"model": "whisper"}},
            [
                "session.model: gpt-realtime will be shut down on 2027-01-20",
                "session.transcription.model: whisper will be shut down on 2027-02-26",
            ],
        ),
        ({"model": "old", "transcription": None}, ["session.model: old was shut down on 2026-11-20"]),
        ({"model": "other", "transcription": None}, ["session.model: the service does not list other"]),
        ({"model": "other", "type": "transcription", "transcription": {"model": "mine"}}, []),
        ({"provider": "azure", "url": "https://a", "model": "my-deployment"}, []),
        ({"provider": "xai", "model": "mine"}, []),
        ({"provider": "local", "model": "other"}, []),
        ({"provider": "speaches", "model": "some-llm"}, []),
        ({"provider": "localai", "model": "mine"}, []),
        ({"model": "mine", "dialect": "beta"}, []),
        (
            {"provider": "localai", "model": "mine", "transcription": {"model": "other"}},
            ["session.transcription.model: the service does not list other"],
        ),
    ],
)
def test_what_a_person_should_know(values: dict[str, Any], said: list[str]) -> None:
    assert list(troubles(settings(**values), HAS, TODAY)) == said
