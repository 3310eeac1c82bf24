"""Who serves sessions: where they are opened, with which headers, and what the service can do.

Sources: OpenAI's, Azure's and xAI's references, the sources of speaches (870e1e1) and LocalAI (82c191a), and what both
did when they were run; as of 2026-11. OpenAI itself is never sent `OpenAI-Beta`: it closes such a socket with 4000.
"""

from dataclasses import dataclass, field, replace
from typing import assert_never
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

from voice_node.settings.session import SessionSettings
from voice_node.settings.session_limits import Dialect, dialect_of

_AZURE_PREVIEW = "2025-04-01-preview"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """What a WebSocket is opened with."""

    url: str
    headers: dict[str, str] = field(default_factory=dict, repr=False)
    """Hold the key: never logged."""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a service does; the default is all that OpenAI does. Where one is missing, the node does without."""

    can_truncate: bool = True
    """Takes `conversation.item.truncate`; else it believes that all of a reply was heard."""
    can_cancel: bool = True
    """Takes `response.cancel`; else what still comes of a reply is dropped here."""
    sends_item_done: bool = True
    """Sends `conversation.item.done`."""
    sends_rate_limits: bool = True
    sends_transcription_deltas: bool = True
    sends_transcription_failed: bool = True
    takes_null_turn_detection: bool = True
    """Else the service always ends the turns itself, and must hear the silence after the words."""
    takes_transcription_session_update: bool = True
    """In the beta dialect; else a `session.update` is sent for transcription too."""
    wants_real_time_audio: bool = False
    """Sound must not come faster than it was spoken."""


_FULL = Capabilities()
_BETA = replace(_FULL, sends_item_done=False)
_XAI = Capabilities(
    can_truncate=False,
    sends_item_done=False,
    sends_rate_limits=False,
    sends_transcription_deltas=False,
    sends_transcription_failed=False,
)
_LOCALAI = replace(_FULL, sends_rate_limits=False)
_SPEACHES = Capabilities(
    can_truncate=False,
    can_cancel=False,
    sends_item_done=False,
    sends_rate_limits=False,
    sends_transcription_deltas=False,
    takes_null_turn_detection=False,
    takes_transcription_session_update=False,
    wants_real_time_audio=True,
)


def capabilities(settings: SessionSettings, dialect: Dialect | None = None) -> Capabilities:
    """What the room's service can do; `dialect` where the server's first event told it, else the room file's."""
    match settings.provider:
        case "local":
            return _FULL
        case "xai":
            return _XAI
        case "localai":
            return _LOCALAI
        case "speaches":
            return _SPEACHES
        case "openai" | "azure" | "custom":
            return _BETA if (dialect or dialect_of(settings)) == "beta" else _FULL
        case _:
            assert_never(settings.provider)


def endpoint(settings: SessionSettings, key: str | None, local_url: str | None = None) -> Endpoint:
    """The endpoint of the room's provider; `local_url` is where the embedded server listens."""
    base = (local_url if settings.provider == "local" else settings.url) or ""  # `check` demands what is needed
    match settings.provider:
        case "openai":
            base = base or "wss://api.openai.com/v1/realtime"
        case "xai":
            base = base or "wss://api.x.ai/v1/realtime"
        case "azure":
            base = _with_path(base, "/openai/realtime" if dialect_of(settings) == "beta" else "/openai/v1/realtime")
        case "localai" | "speaches":
            base = _with_path(base, "/v1/realtime")
        case "local" | "custom":
            pass
        case _:
            assert_never(settings.provider)
    return Endpoint(_with_query(base, _query(settings)), _headers(settings, key))


def _query(settings: SessionSettings) -> dict[str, str]:
    """What the URL asks for. A transcription session is asked for without a model: OpenAI would make it talk."""
    query = {}
    if settings.provider == "azure" and dialect_of(settings) == "beta":
        query = {"api-version": _AZURE_PREVIEW}
        name = "deployment"
    else:
        name = "model"
    if settings.type == "realtime":
        return query | {name: settings.model}
    query["intent"] = "transcription"
    if settings.provider == "localai":
        query["model"] = settings.model
    if settings.provider == "speaches" and settings.transcription is not None:
        query["model"] = settings.transcription.model
    return query


def _with_path(url: str, path: str) -> str:
    """The URL with this path, unless it has one."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(path=path)) if parts.path in ("", "/") else url


def _with_query(url: str, query: dict[str, str]) -> str:
    """The URL as a WebSocket's, with these parameters unless it has them already."""
    scheme, host, path, old, _ = urlsplit(url)
    scheme = {"http": "ws", "https": "wss"}.get(scheme, scheme)
    given = {name for name, _ in parse_qsl(old, keep_blank_values=True)}
    missing = urlencode({name: value for name, value in query.items() if name not in given}, quote_via=quote)
    return urlunsplit((scheme, host, path, "&".join(filter(None, (old, missing))), ""))


def _headers(settings: SessionSettings, key: str | None) -> dict[str, str]:
    headers = {}
    if settings.provider in ("azure", "custom") and dialect_of(settings) == "beta":
        headers["OpenAI-Beta"] = "realtime=v1"
    if key:
        headers |= {"api-key": key} if settings.provider == "azure" else {"Authorization": f"Bearer {key}"}
    return headers
