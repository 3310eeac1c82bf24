"""What signals ask of the process."""

import asyncio
import signal


class Orders:
    """They outlive a node, so that none comes while nobody listens."""

    def __init__(self) -> None:
        self.stop = asyncio.Event()
        self.reload = asyncio.Event()

    def listen(self) -> None:
        """Take TERM, INT and HUP from now on, until the running loop ends."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop.set)
        loop.add_signal_handler(signal.SIGHUP, self.reload.set)
