"""What the server answers by HTTP: client secrets of both dialects, and the list of its one model."""

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from voice_node.local.access import Access, Headers
from voice_node.local.client_secrets import ClientSecret, ClientSecrets
from voice_node.local.flat_session import in_flat_words, read_flat, read_flat_transcription, write_flat
from voice_node.local.reading import read_object
from voice_node.local.refusal import Refused
from voice_node.local.session import SessionType, default_session, updated
from voice_node.local.wire import new_id

MODEL = "local"
CLIENT_SECRETS = "/v1/realtime/client_secrets"
SESSIONS = "/v1/realtime/sessions"
TRANSCRIPTION_SESSIONS = "/v1/realtime/transcription_sessions"
MODELS = "/v1/models"

_METHODS = {CLIENT_SECRETS: "POST", SESSIONS: "POST", TRANSCRIPTION_SESSIONS: "POST", MODELS: "GET"}
_AZURE = "/openai"
"""What Azure's paths have before OpenAI's."""
_SECONDS = 600
_SECONDS_BETA = 60
_SHORTEST_S, _LONGEST_S = 10, 7200


Read = Callable[[Mapping[str, Any]], dict[str, Any]]
"""A flat session -> GA's."""


class Api:
    """Answers one request at a time, at once."""

    def __init__(self, access: Access, secrets: ClientSecrets) -> None:
        self._access = access
        self._secrets = secrets

    def answer(self, method: str, target: str, headers: Headers, body: bytes, now: float) -> tuple[int, dict[str, Any]]:
        """Status and body; `now` is in epoch seconds. Raises Refused."""
        path = urlsplit(target).path.rstrip("/").removeprefix(_AZURE)
        if path not in _METHODS:
            raise Refused("not_found", f"Invalid URL ({method} {path[:64]}).", status=404)
        if method != _METHODS[path]:
            raise Refused("method_not_allowed", f"{path} is for {_METHODS[path]}, not for {method}.", status=405)
        self._access.use_key(headers)
        if path == MODELS:
            model = {"id": MODEL, "object": "model", "created": 0, "owned_by": "voice_node"}
            return 200, {"object": "list", "data": [model]}
        request = _parse(body)
        if path == CLIENT_SECRETS:
            return 200, self._client_secret(request, now)
        return 200, self._session(request, now, read_flat if path == SESSIONS else read_flat_transcription)

    def _client_secret(self, request: dict[str, Any], now: float) -> dict[str, Any]:
        _only(request, "expires_after", "session")
        seconds = _seconds(request, "expires_after", _SECONDS)
        secret = self._mint(request.get("session", {"type": "realtime"}), seconds, now)
        return {"value": secret.value, "expires_at": secret.expires_at, "session": secret.session}

    def _session(self, request: dict[str, Any], now: float, read: Read) -> dict[str, Any]:
        wanted = request.pop("client_secret", {})
        if not isinstance(wanted, dict):
            raise Refused("invalid_type", "Expected an object for 'client_secret'.", "client_secret")
        _only(wanted, "expires_after")
        seconds = _seconds(wanted, "client_secret.expires_after", _SECONDS_BETA)
        session = read(request)
        try:
            secret = self._mint(session, seconds, now)
        except Refused as refused:
            raise in_flat_words(refused) from None
        flat = write_flat(secret.session)
        flat |= {key: request[key] for key in ("temperature",) if key in request}
        return flat | {"client_secret": {"value": secret.value, "expires_at": secret.expires_at}}

    def _mint(self, wanted: Any, seconds: int, now: float) -> ClientSecret:
        model = wanted.get("model") if isinstance(wanted, dict) else None
        if model is not None and (not isinstance(model, str) or len(model) > 128):
            raise Refused("invalid_type", "Expected at most 128 characters for 'session.model'.", "session.model")
        kind = wanted.get("type") if isinstance(wanted, dict) else None
        known: SessionType = "transcription" if kind == "transcription" else "realtime"
        session = updated(default_session(new_id("sess"), known, model or MODEL), wanted)
        return self._secrets.mint(session, seconds, now)


def _parse(body: bytes) -> dict[str, Any]:
    try:
        text = body.decode()
    except UnicodeDecodeError:
        raise Refused("invalid_json", "The body is not UTF-8 text.") from None
    return read_object(text or "{}")


def _only(value: Mapping[str, Any], *known: str) -> None:
    for key in value:
        if key not in known:
            raise Refused("unknown_parameter", f"Unknown parameter: '{key[:64]}'.", key[:64])


def _seconds(request: Mapping[str, Any], place: str, default: int) -> int:
    after = request.get("expires_after")
    if after is None:
        return default
    if not isinstance(after, dict):
        raise Refused("invalid_type", f"Expected an object for '{place}'.", place)
    _only(after, "anchor", "seconds")
    if after.get("anchor", "created_at") != "created_at":
        raise Refused("invalid_value", f"Invalid value for '{place}.anchor': expected 'created_at'.", f"{place}.anchor")
    seconds = after.get("seconds", default)
    if isinstance(seconds, bool) or not isinstance(seconds, int) or not _SHORTEST_S <= seconds <= _LONGEST_S:
        place = f"{place}.seconds"
        raise Refused("invalid_value", f"Expected '{place}' to be {_SHORTEST_S} to {_LONGEST_S}.", place)
    return seconds
