"""What systemd is told: READY, STOPPING, WATCHDOG. The sd_notify protocol is one datagram a message."""

import os
import socket
from collections.abc import Mapping


class ServiceManager:
    """The socket of the service manager, if there is one."""

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        self._address = environ.get("NOTIFY_SOCKET", "")
        usec = environ.get("WATCHDOG_USEC", "")
        meant_for = environ.get("WATCHDOG_PID", "")
        is_ours = not meant_for or meant_for == str(os.getpid())
        self.watchdog_s: float | None = int(usec) / 1e6 if usec.isdecimal() and int(usec) and is_ours else None
        """Within so many seconds the next `WATCHDOG=1` must come; None: nobody watches."""

    def notify(self, message: str) -> None:
        """Send e.g. `READY=1`; a manager that is gone is no trouble of ours."""
        if not self._address:
            return
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as manager:
                manager.setblocking(False)
                manager.sendto(message.encode(), address)
        except OSError:
            return
