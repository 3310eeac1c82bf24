"""A private mosquitto on a free loopback port, that tests may kill, freeze and start again."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

_MOSQUITTO = shutil.which("mosquitto") or ("/usr/sbin/mosquitto" if Path("/usr/sbin/mosquitto").exists() else None)
_DEADLINE_S = 10.0

ABSENT = "" if _MOSQUITTO else "mosquitto is not installed"
"""Why tests with a broker are skipped; empty: they are not. `pytest.mark.skipif(bool(ABSENT), reason=ABSENT)`."""


class Broker:
    """`with Broker() as broker:` and `async with` alike; `broker.port` stays the same over restarts.

    Args:
        users: name to password; None lets everybody in.
        acl: the text of an ACL file.
        tls: files of the certificate authority, the broker's certificate and its key.
        config: further lines of the configuration, such as `message_size_limit 1000`.
    """

    def __init__(
        self,
        *,
        users: Mapping[str, str] | None = None,
        acl: str | None = None,
        tls: tuple[Path, Path, Path] | None = None,
        config: tuple[str, ...] = (),
    ) -> None:
        self.port = 0
        self._users = users
        self._acl = acl
        self._tls = tls
        self._config = config
        self._folder: Path | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start and wait until it listens."""
        for _ in range(5):
            self.port = _free_port()
            if self._launch():
                return
        raise RuntimeError("mosquitto did not start; run it with the configuration by hand to see why")

    def restart(self) -> None:
        """Start again on the same port, after `kill` or `stop`; nothing was persisted."""
        if not self._launch():
            raise RuntimeError("mosquitto did not start again")

    def kill(self) -> None:
        """kill -9."""
        self._signal(signal.SIGKILL)

    def freeze(self) -> None:
        """Stop answering, with all connections open."""
        self._running().send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Go on after `freeze`."""
        self._running().send_signal(signal.SIGCONT)

    def stop(self) -> None:
        """End in order, even when frozen."""
        if self._process is not None:
            self.thaw()
            self._end()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, trace)

    def _running(self) -> subprocess.Popen[bytes]:
        assert self._process is not None, "the broker does not run"
        return self._process

    def _signal(self, number: signal.Signals) -> None:
        process = self._running()
        process.send_signal(number)
        process.wait(_DEADLINE_S)
        self._process = None

    def _end(self) -> None:
        """mosquitto 2.0.11 forgets a SIGTERM that comes between its first listening and its loop: it is said again."""
        process = self._running()
        deadline = time.monotonic() + _DEADLINE_S
        while process.poll() is None and time.monotonic() < deadline:
            process.send_signal(signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                process.wait(1)
        process.wait(0)
        self._process = None

    def _launch(self) -> bool:
        assert _MOSQUITTO is not None, ABSENT
        configuration = self._write_configuration()
        self._process = subprocess.Popen(
            [_MOSQUITTO, "-c", str(configuration)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        deadline = time.monotonic() + _DEADLINE_S
        while time.monotonic() < deadline and self._process.poll() is None:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return True
            time.sleep(0.01)
        if self._process.poll() is None:
            self._signal(signal.SIGKILL)
        self._process = None
        return False

    def _write_configuration(self) -> Path:
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="broker-"))
        lines = ["persistence false", "set_tcp_nodelay true", f"listener {self.port} 127.0.0.1", *self._config]
        if os.geteuid() == 0:
            lines.insert(0, "user root")
        if self._users is None:
            lines.append("allow_anonymous true")
        else:
            passwords = self._folder / "passwords"
            passwords.write_text("")
            passwords.chmod(0o600)
            for name, password in self._users.items():
                subprocess.run(["mosquitto_passwd", "-b", str(passwords), name, password], check=True)
            lines += ["allow_anonymous false", f"password_file {passwords}"]
        if self._acl is not None:
            access = self._folder / "acl"
            access.write_text(self._acl)
            access.chmod(0o600)
            lines.append(f"acl_file {access}")
        if self._tls is not None:
            authority, certificate, key = self._tls
            lines += [f"cafile {authority}", f"certfile {certificate}", f"keyfile {key}"]
        configuration = self._folder / "mosquitto.conf"
        configuration.write_text("\n".join(lines) + "\n")
        return configuration


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
