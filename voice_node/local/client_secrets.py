"""Client secrets: short-lived keys that open sessions of a given configuration.

The rules: a secret opens any number of sessions until it expires, and its end does not end them. Of more than
`MOST_SECRETS` the one that would expire first is forgotten.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

PREFIX = "ek_"
MOST_SECRETS = 256


@dataclass(frozen=True, slots=True)
class ClientSecret:
    """One secret."""

    value: str = field(repr=False)
    expires_at: int
    """Epoch seconds."""
    session: Mapping[str, Any]
    """How a session begins that is opened with it."""


class ClientSecrets:
    """All that are alive. `now` is in epoch seconds."""

    def __init__(self) -> None:
        self._alive: dict[str, ClientSecret] = {}

    def mint(self, session: Mapping[str, Any], seconds: int, now: float) -> ClientSecret:
        """A new one, good for so many seconds."""
        self._forget_expired(now)
        if len(self._alive) >= MOST_SECRETS:
            del self._alive[min(self._alive.values(), key=lambda secret: secret.expires_at).value]
        secret = ClientSecret(PREFIX + secrets.token_hex(24), int(now) + seconds, session)
        self._alive[secret.value] = secret
        return secret

    def find(self, value: str, now: float) -> ClientSecret | None:
        """The secret of this value; None where there is none, or none any more."""
        self._forget_expired(now)
        return self._alive.get(value)

    def _forget_expired(self, now: float) -> None:
        self._alive = {value: secret for value, secret in self._alive.items() if now < secret.expires_at}
