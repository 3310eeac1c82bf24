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


class PrivateBroker:
    """Runs while the context is entered; everything it writes is below `directory`."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._process: asyncio.subprocess.Process | None = None
        self.port = 0

    async def __aenter__(self) -> "PrivateBroker":
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
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None:
            await end(self._process, signal.SIGTERM)
