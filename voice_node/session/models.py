"""The models that a service has, and what that means for a room.

Source: `GET /models` beside the sessions' address, OpenAI's reference as of 2026-11: `shutdown_date` is a day or null.
Services of one's own have the list without it.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from voice_node.session import reading as read
from voice_node.session.providers import endpoint
from voice_node.session.retry import Refusal, Retry
from voice_node.settings.session import AuthUrl, SessionSettings
from voice_node.settings.session_limits import dialect_of, is_written

PATIENCE_S = 10.0
MOST_MODELS = 1000
_SESSIONS = "/realtime"


@dataclass(frozen=True, slots=True)
class Model:
    """One that the service has."""

    name: str
    shutdown_date: date | None = None
    """Where the service has named the day."""


@dataclass(frozen=True, slots=True)
class Unlisted:
    """The service did not say which models it has."""

    detail: str
    """Why, for people; no secret."""


async def list_models(
    settings: SessionSettings, key: str | None, *, patience_s: float = PATIENCE_S
) -> tuple[Model, ...] | Unlisted:
    """What the room's service answers who has this key."""
    from voice_node.session.web import Request, exchange  # here: a room that runs does not pay for httpx

    if settings.provider == "local" and settings.url is None:
        return Unlisted("the local engine has no models to choose from")
    if isinstance(settings.auth, AuthUrl):
        return Unlisted("session.auth.url mints for sessions alone: the key is not the service's")
    place = endpoint(settings, key, settings.url)
    url = _models_url(place.url)
    if url is None:
        return Unlisted("session.url does not end with /realtime: where the list of models is cannot be told")
    match await exchange(Request("GET", url, place.headers), patience_s):
        case Retry(detail) | Refusal(detail):
            return Unlisted(detail)
        case answer:
            return _read(answer)


def troubles(settings: SessionSettings, models: Sequence[Model], today: date) -> Iterator[str]:
    """What a person should know of the models that the room names; nothing where all is well, or nothing is listed."""
    dated = {model.name: model.shutdown_date for model in models}
    for place, name in named_models(settings) if models else ():
        day = dated.get(name)
        if name not in dated:
            yield f"{place}: the service does not list {name}"
        elif day is not None:
            yield f"{place}: {name} {'was' if today >= day else 'will be'} shut down on {day}"


def named_models(settings: SessionSettings) -> Iterator[tuple[str, str]]:
    """The models that the room asks its service for, each with its place. Names that tell nothing are left out.

    Of Azure they are deployments, which have names of their own. speaches lists models of speech alone. A default that
    is OpenAI's is not sent to others, see `session_limits`.
    """
    if settings.provider in ("azure", "local"):
        return
    if settings.type == "realtime" and settings.provider != "speaches":
        yield "session.model", settings.model
    is_openai = settings.provider in ("openai", "custom") and dialect_of(settings) == "ga"
    is_sent = is_openai or is_written(settings, ("transcription", "model"))
    if settings.transcription is not None and settings.provider != "xai" and is_sent:  # xAI has one of its own
        yield "session.transcription.model", settings.transcription.model


def _models_url(url: str) -> str | None:
    """The list's address: where the sessions are, with another last word."""
    scheme, host, path, query, _ = urlsplit(url)
    path = path.rstrip("/")
    if not host or not path.endswith(_SESSIONS):
        return None
    version = "&".join(part for part in query.split("&") if part.startswith("api-version="))
    return urlunsplit(
        ({"ws": "http", "wss": "https"}[scheme], host, f"{path.removesuffix(_SESSIONS)}/models", version, "")
    )


def _read(answer: bytes) -> tuple[Model, ...] | Unlisted:
    try:
        found = json.loads(answer)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict) or not isinstance(found.get("data"), list):
        return Unlisted("the answer is no list of models")
    return tuple(_each(read.mappings(found, "data")[:MOST_MODELS]))


def _each(entries: Sequence[Any]) -> Iterator[Model]:
    for entry in entries:
        try:
            name = read.name(entry, "id")
        except read.Unreadable:
            continue
        try:
            day = date.fromisoformat(read.text_or(entry, "shutdown_date", ""))
        except ValueError:
            day = None
        yield Model(name, day)
