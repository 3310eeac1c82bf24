"""Client secrets: a short-lived key for each connection, minted by the provider or by a server at home.

Sources: `POST /realtime/client_secrets` (GA) and `POST /realtime/sessions` (beta) of OpenAI's reference as of 2026-11;
Azure has the first below `/openai/v1`, with the header `api-key`. A secret opens sessions for some seconds and does not
end them, so a fresh one belongs to every connection: one that has expired would be refused.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from voice_node.session.providers import Endpoint
from voice_node.session.retry import SLOW_S, Refusal, Retry
from voice_node.session.setup import session_beta, session_ga
from voice_node.session.web import Request, exchange
from voice_node.settings.session import AuthUrl, SessionSettings
from voice_node.settings.session_limits import dialect_of
from voice_node.settings.tools import Tool

MINT_S = 10.0
SECONDS = 60
"""How long a secret can open a session: a handshake and its retries."""
_KEY_HEADERS = ("authorization", "api-key")
_VALUE = re.compile(r"[!-~]{1,4096}")


@dataclass(frozen=True, slots=True)
class Secret:
    """What opens a session."""

    value: str = field(repr=False)
    expires_at: int | None
    """Epoch seconds, where the service says so."""


class ClientSecrets:
    """Mints secrets for one room's session."""

    def __init__(
        self,
        place: Endpoint,
        settings: SessionSettings,
        tools: Sequence[Tool],
        key: str | None,
        *,
        seconds: int = SECONDS,
        patience_s: float = MINT_S,
    ) -> None:
        """`place` is where sessions are opened with `key` itself; `seconds` (10 to 7200) is how long a secret lasts."""
        self._place = place
        self._body = json.dumps(_body(settings, tools, seconds)).encode()
        self._patience_s = patience_s
        if isinstance(settings.auth, AuthUrl):
            self._url = settings.auth.url
            self._headers = {"Authorization": f"Bearer {key}"} if key else {}
        else:
            self._url = _mint_url(place.url, settings)
            self._headers = place.headers

    @property
    def address(self) -> str:
        """Where secrets are minted: the address without a user, a password or a query."""
        scheme, host, path, _, _ = urlsplit(self._url)
        return urlunsplit((scheme, host.rpartition("@")[2], path, "", ""))

    async def endpoint(self) -> Endpoint | Retry | Refusal:
        """Where to connect, and with a secret of its own."""
        match await self.mint():
            case Secret(value):
                headers = {name: text for name, text in self._place.headers.items() if name.lower() not in _KEY_HEADERS}
                return Endpoint(self._place.url, headers | {"Authorization": f"Bearer {value}"})
            case verdict:
                return verdict

    async def mint(self) -> Secret | Retry | Refusal:
        """A fresh secret, or what its absence means."""
        headers = {"Content-Type": "application/json", **self._headers}
        match await exchange(Request("POST", self._url, headers, self._body), self._patience_s):
            case Retry(detail, at_least_s):
                return Retry(f"no client secret: {detail}", at_least_s)
            case Refusal(detail):
                return Refusal(f"no client secret: {detail}")
            case answer:
                return _read(answer)


def _body(settings: SessionSettings, tools: Sequence[Tool], seconds: int) -> dict[str, Any]:
    """What the session's first `session.update` will say, and the model, which only this can choose."""
    expires_after = {"anchor": "created_at", "seconds": seconds}
    model = {"model": settings.model} if settings.type == "realtime" else {}
    if dialect_of(settings) == "beta":
        return {**session_beta(settings, tools), **model, "client_secret": {"expires_after": expires_after}}
    return {"expires_after": expires_after, "session": {**session_ga(settings, tools), **model}}


def _mint_url(url: str, settings: SessionSettings) -> str:
    scheme, host, path, _, _ = urlsplit(url)
    name = "sessions" if dialect_of(settings) == "beta" else "client_secrets"
    return urlunsplit(({"ws": "http", "wss": "https"}[scheme], host, f"{path.rstrip('/')}/{name}", "", ""))


def _read(answer: bytes) -> Secret | Retry:
    """The secret of either dialect's answer."""
    try:
        found = json.loads(answer)
    except (ValueError, RecursionError):
        found = None
    if isinstance(found, dict) and isinstance(found.get("client_secret"), dict):
        found = found["client_secret"]
    value = found.get("value") if isinstance(found, dict) else None
    if not isinstance(value, str) or not _VALUE.fullmatch(value):
        return Retry("no client secret: the answer holds none", SLOW_S)
    expires_at = found.get("expires_at")
    return Secret(value, expires_at if isinstance(expires_at, int) else None)
