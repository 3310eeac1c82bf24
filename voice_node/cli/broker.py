"""A private mosquitto on a free loopback port, for the demo."""

import asyncio
import os
import shutil
import signal
import socket
from pathlib import Path
from types import TracebackType

from voice_node.model.errors import ConfigError
from voice_node.runtime.child import end

START_S = 10.0


class PrivateBroker:
    """Runs while the context is entered; everything it writes is below `directory`."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._process: asyncio.subprocess.Process | None = None
        self.port = 0

    async def __aenter__(self) -> "PrivateBroker":
        """Start, and wait until it listens; raises ConfigError."""
        program = shutil.which("mosquitto", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
        if program is None:
            raise ConfigError(
                "mosquitto is not installed: `sudo apt-get install mosquitto`, or name a broker: --broker"
            )
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        config = self._directory / "mosquitto.conf"
        user = "user root\n" if os.geteuid() == 0 else ""
        config.write_text(f"listener {self.port} 127.0.0.1\nallow_anonymous true\nset_tcp_nodelay true\n{user}")
        with (self._directory / "mosquitto.log").open("wb") as log:
            self._process = await asyncio.create_subprocess_exec(program, "-c", str(config), stdout=log, stderr=log)
        try:
            async with asyncio.timeout(START_S):
                await self._listening(self._process)
        except TimeoutError:
            await end(self._process, signal.SIGTERM)
            said = (self._directory / "mosquitto.log").read_text(errors="replace").strip()
            raise ConfigError(f"mosquitto does not start: {said}") from None
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None:
            await end(self._process, signal.SIGTERM)

    async def _listening(self, process: asyncio.subprocess.Process) -> None:
        """Wait until it takes connections; TimeoutError where it ended instead."""
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", self.port)
            except OSError:
                if process.returncode is not None:
                    raise TimeoutError from None
                await asyncio.sleep(0.02)
            else:
                writer.close()
                return
