"""Whether and when to connect again after a connection failed or ended: the one place that decides.

Sources: close codes and handshake answers as the SDK and users report them. The `websockets` library counts 1000 and
1001 as good ends, but the service's 60-minute limit is a 1001, so every end is a disconnect here. After a policy close
(1008, 4xxx) the same comes again soon, so the next try is slow.
"""

from dataclasses import dataclass

SLOW_S = 60.0
RATE_LIMIT_S = 30.0
PAUSES_S = {"rate_limit_exceeded": RATE_LIMIT_S, "insufficient_quota": SLOW_S}
"""After these errors of a service that does not let a session begin; nobody pays a bill within seconds."""
FIRST_DELAY_S = 0.25
LONGEST_DELAY_S = 8.0


@dataclass(frozen=True, slots=True)
class Retry:
    """Try again."""

    detail: str
    at_least_s: float = 0.0
    """Not earlier than so many seconds from now."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Trying again cannot help."""

    detail: str


def after_close(code: int | None, reason: str) -> Retry | Refusal:
    """What a close frame means; `code` is None where the connection just broke."""
    said = f": {reason}" if reason else ""
    if code == 4000 and "beta" in reason:
        return Refusal(f"the service refuses the beta dialect{said}")
    if code is None or code == 1006:
        return Retry("the connection broke")
    if code == 1001:
        return Retry(f"the service ended the session (close code 1001){said}")
    if code == 1008 or code >= 4000:
        return Retry(f"the service closed the session (close code {code}){said}", SLOW_S)
    return Retry(f"the connection was closed (close code {code}){said}")


def after_status(status: int, retry_after: str | None) -> Retry | Refusal:
    """What the HTTP answer to the handshake means."""
    if status in (401, 403):
        return Refusal(f"the service refuses the API key (HTTP {status}): check the credential openai_api_key")
    if status in (400, 404):
        return Refusal(f"the service refuses the connection (HTTP {status}): check session.url and session.model")
    if status == 429:
        wait_s = float(retry_after) if retry_after is not None and retry_after.isdecimal() else RATE_LIMIT_S
        return Retry("the service is at its rate limit (HTTP 429)", min(max(wait_s, 1.0), 3600.0))
    return Retry(f"the service answered HTTP {status}")


def delay_s(failures: int, chance: float) -> float:
    """Seconds to wait after so many failures in a row; `chance` in 0..1 spreads the nodes of a home."""
    full = min(LONGEST_DELAY_S, FIRST_DELAY_S * 2.0 ** min(failures, 16))
    return full * (0.5 + 0.5 * chance)
