"""Who may use the server: by its key, by a client secret, or, where it has no key, from this machine's own programs."""

import hmac
import urllib.parse
from collections.abc import Iterator, Sequence

from voice_node.local.client_secrets import PREFIX, ClientSecret, ClientSecrets
from voice_node.local.refusal import Refused

Headers = Sequence[tuple[str, str]]
"""Names in any case, and values, as they came."""

_KEY_PROTOCOL = "openai-insecure-api-key."
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


class Access:
    """Judges requests by their headers. `api_key` None: everybody who reaches the port is let in, but web pages."""

    def __init__(self, api_key: str | None, secrets: ClientSecrets) -> None:
        self._api_key = api_key
        self._secrets = secrets

    def open_session(self, headers: Headers, now: float) -> ClientSecret | None:
        """The client secret that a session is opened with; None: without one. Raises Refused."""
        offered = list(_credentials(headers))
        if self._is_key_among(offered):
            return None
        for value in offered:
            secret = self._secrets.find(value, now)
            if secret is not None:
                return secret
        self._check(headers, offered)
        return None

    def use_key(self, headers: Headers) -> None:
        """What needs the key itself: a client secret is not enough. Raises Refused."""
        offered = list(_credentials(headers))
        if not self._is_key_among(offered):
            self._check(headers, offered)

    def _check(self, headers: Headers, offered: Sequence[str]) -> None:
        if any(value.startswith(PREFIX) for value in offered):
            message = "The client secret is unknown or has expired, or does not suffice for this."
            raise Refused("invalid_api_key", message, status=401)
        if self._api_key is not None:
            raise Refused("invalid_api_key", "The API key is missing or wrong.", status=401)
        if not all(_is_near(value) for value in _values(headers, "origin")):
            raise Refused("forbidden_origin", "Web pages from elsewhere may not use this server.", status=403)

    def _is_key_among(self, offered: Sequence[str]) -> bool:
        key = self._api_key
        if key is None:
            return False
        return any(hmac.compare_digest(value.encode(errors="replace"), key.encode()) for value in offered)


def _credentials(headers: Headers) -> Iterator[str]:
    for value in _values(headers, "authorization"):
        yield value.removeprefix("Bearer ")
    yield from _values(headers, "api-key")
    for value in _values(headers, "sec-websocket-protocol"):
        for protocol in value.split(","):
            if protocol.strip().startswith(_KEY_PROTOCOL):
                yield protocol.strip().removeprefix(_KEY_PROTOCOL)


def _values(headers: Headers, name: str) -> Iterator[str]:
    return (value for key, value in headers if key.lower() == name)


def _is_near(origin: str) -> bool:
    try:
        return urllib.parse.urlsplit(origin).hostname in _LOOPBACK
    except ValueError:
        return False
