"""Where each provider's Realtime sessions are opened, and with which headers.

Sources: OpenAI, Azure OpenAI and xAI references as of 2026-11. `OpenAI-Beta` is never sent: OpenAI refuses it since
2026-05 with close code 4000.
"""

from dataclasses import dataclass, field
from typing import assert_never
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

from voice_node.settings.session import SessionSettings


@dataclass(frozen=True, slots=True)
class Endpoint:
    """What a WebSocket is opened with."""

    url: str
    headers: dict[str, str] = field(default_factory=dict, repr=False)
    """Hold the key: never logged."""


def endpoint(settings: SessionSettings, key: str | None, local_url: str | None = None) -> Endpoint:
    """The endpoint of the room's provider; `local_url` is where the embedded server listens."""
    match settings.provider:
        case "openai":
            base = settings.url or "wss://api.openai.com/v1/realtime"
        case "xai":
            base = settings.url or "wss://api.x.ai/v1/realtime"
        case "azure" | "custom":
            base = settings.url or ""  # the schema demands it
        case "local":
            base = local_url or ""  # the app starts the server first
        case _:
            assert_never(settings.provider)
    return Endpoint(_with_model(base, settings.model), _headers(settings, key))


def _with_model(url: str, model: str) -> str:
    """The URL as a WebSocket's, with `?model=` unless it names a model already."""
    scheme, host, path, query, _ = urlsplit(url)
    scheme = {"http": "ws", "https": "wss"}.get(scheme, scheme)
    if not any(name == "model" for name, _ in parse_qsl(query)):
        query = f"{query}&{urlencode({'model': model}, quote_via=quote)}".lstrip("&")
    return urlunsplit((scheme, host, path, query, ""))


def _headers(settings: SessionSettings, key: str | None) -> dict[str, str]:
    if not key:
        return {}
    if settings.provider == "azure":
        return {"api-key": key}
    return {"Authorization": f"Bearer {key}"}
