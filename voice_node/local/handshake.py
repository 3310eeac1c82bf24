"""What a client's first request says: which dialect it speaks, and which session it wants. No socket is known here."""

from collections.abc import Mapping
from typing import Any, Literal
from urllib.parse import parse_qs, urlsplit

from voice_node.local.access import Headers
from voice_node.local.api import MODEL
from voice_node.local.client_secrets import ClientSecret
from voice_node.local.dialect import DialectName
from voice_node.local.refusal import Refused
from voice_node.local.session import SessionType, begun, default_session
from voice_node.local.wire import new_id

PATH = "/v1/realtime"
_AZURE_PATH = "/openai/v1/realtime"
_AZURE_BETA_PATHS = ("/openai/realtime", "/voice-live/realtime")
_BETA_HEADER = "realtime=v1"
_BETA_PROTOCOL = "openai-beta.realtime-v1"

Choice = Literal["auto", "ga", "beta"]
"""Of the dialect: `auto` is each client's own."""


def is_session(target: str) -> bool:
    """Whether a session is asked for."""
    return _path(target) in (PATH, _AZURE_PATH, *_AZURE_BETA_PATHS)


def dialect_of(target: str, headers: Headers) -> DialectName:
    """The beta where a client says so: by header, by subprotocol, or by a path of Azure's."""
    is_beta = _path(target) in _AZURE_BETA_PATHS
    for name, value in headers:
        offered = [part.strip() for part in value.split(",")]
        is_beta |= name.lower() == "openai-beta" and _BETA_HEADER in offered
        is_beta |= name.lower() == "sec-websocket-protocol" and _BETA_PROTOCOL in offered
    return "beta" if is_beta else "ga"


def key_in(target: str) -> Headers:
    """The key where it stands in the address, as if it were a header: some clients for browsers know no other way."""
    query = _query(target)
    return [("api-key", value) for name in ("api-key", "api_key") for value in query.get(name, [])]


def check_secret(target: str, secret: ClientSecret | None) -> None:
    """A secret is for its type of session. Raises Refused."""
    kind = None if secret is None else secret.session["type"]
    if kind is not None and _query(target).get("intent", [kind]) != [kind]:
        raise Refused("invalid_value", f"The client secret is for sessions of type '{kind}'.", "intent")


def session_of(target: str, secret: ClientSecret | None, expires_at: float) -> dict[str, Any]:
    """How the session begins; `expires_at` is in epoch seconds."""
    if secret is not None:
        return begun(secret.session, new_id("sess"), int(expires_at))
    query = _query(target)
    kind: SessionType = "transcription" if query.get("intent") == ["transcription"] else "realtime"
    model = query.get("model", query.get("deployment", [MODEL]))[0][:128]
    return begun(default_session("", kind, model), new_id("sess"), int(expires_at))


def _path(target: str) -> str:
    return urlsplit(target).path.rstrip("/")


def _query(target: str) -> Mapping[str, list[str]]:
    return parse_qs(urlsplit(target).query)
