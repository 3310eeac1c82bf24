"""How the process is: for `health` on MQTT, once a minute."""

import resource
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

_PAGE_BYTES = resource.getpagesize()


class Health:
    """Facts about this process, and those that its parts give.

    Args:
        parts: name -> what gives its value now; None is left out.
    """

    def __init__(self, parts: Mapping[str, Callable[[], Any]]) -> None:
        self._parts = parts
        self._began_at = time.monotonic()
        self._asked_at = self._began_at
        self._used_s = time.process_time()

    def facts(self) -> dict[str, Any]:
        """`uptime_s`, `rss_mb`, `cpu_percent` of one core since the last time, and the parts."""
        now, used_s = time.monotonic(), time.process_time()
        span_s = max(now - self._asked_at, 1e-3)
        facts: dict[str, Any] = {
            "uptime_s": round(now - self._began_at),
            "rss_mb": round(_resident_bytes() / 1e6, 1),
            "cpu_percent": round(100 * (used_s - self._used_s) / span_s, 1),
        }
        self._asked_at, self._used_s = now, used_s
        for name, part in self._parts.items():
            value = part()
            if value is not None:
                facts[name] = value
        return facts


def _resident_bytes() -> int:
    """What the process holds in memory now; 0 where the system does not say."""
    try:
        return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * _PAGE_BYTES
    except (OSError, ValueError, IndexError):
        return 0
