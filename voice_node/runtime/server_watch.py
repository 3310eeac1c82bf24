"""Notices that PulseAudio lost a source or a sink: it moves the streams of a lost one to another, without a word.

A room that named its microphone must not go on with one that nobody named. `pactl subscribe` costs nothing while
nothing happens.
"""

import os
import subprocess
from threading import Thread

from voice_node.runtime.sound_devices import Direction


class ServerWatch:
    """From `start` to `stop`. Without the program `pactl` nothing is ever noticed."""

    def __init__(self, direction: Direction) -> None:
        kind = "source" if direction == "input" else "sink"
        self._sign = f"'remove' on {kind} #"
        self._process: subprocess.Popen[str] | None = None
        self.has_lost = False
        """A source or a sink went, maybe the one in use: open it again, which tells."""

    def start(self) -> None:
        """Begin to watch."""
        try:
            self._process = subprocess.Popen(
                ["pactl", "subscribe"],
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                env={**os.environ, "LC_ALL": "C"},
            )  # fmt: skip
        except OSError:
            return
        Thread(target=self._read, args=(self._process,), name="sound server", daemon=True).start()

    def stop(self) -> None:
        """End it; the program is gone on return."""
        process, self._process = self._process, None
        if process is not None:
            process.terminate()
            process.wait()

    def _read(self, process: "subprocess.Popen[str]") -> None:
        assert process.stdout is not None
        with process.stdout as lines:
            for line in lines:
                self.has_lost |= self._sign in line
