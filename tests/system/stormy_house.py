"""The house of a storm: rooms as processes behind proxies that break, and home automation that notes what came."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from tests.fakes.answering_home import AnsweringHome
from tests.fakes.proxy import FaultProxy
from tests.fakes.until import until

HASTY_NODE = """
import sys
from voice_node.mqtt import bridge
bridge._SHORTEST_GAP_S, bridge._LONGEST_GAP_S, bridge._PROBE_S = 0.2, 1.0, 1.0
from voice_node.cli import main
main()
"""
TOOL_S = 2
"""A tool call's time; stalls are longer and shorter."""
TOOLS = tuple(f"set_light_{place}" for place in range(8))
"""As many as a turn may call."""

MARK = "home/mark"


class Home(AnsweringHome):
    """What came of each room's speech, and of each call."""

    def __init__(self, port: int) -> None:
        self.messages: list[tuple[str, Any]] = []
        """Transcripts and finished turns, as they came: room and content."""
        self.executed: list[tuple[str, float, float]] = []
        """Each call: its id, when it came, and how many seconds after its end."""
        self.turns = 0
        """So many were told to be over."""
        self.is_asking = False
        """Each room is asked again when its turn is over."""
        self.marks = 0
        """So many of its own came back."""
        super().__init__(port, MARK, "voice_node/+/transcript", "voice_node/+/event", "voice_node/+/tool/+/call")

    def ask(self, room: str) -> None:
        """Put a written turn to the room."""
        self.publish(f"voice_node/{room}/request/ask", text="switch everything on")

    async def catch_up(self) -> None:
        """Read what the broker has for it so far."""
        marks = self.marks
        async with asyncio.timeout(30):
            while self.marks == marks:  # one that is sent between two connections may be lost
                self.publish(MARK)
                with suppress(TimeoutError):
                    await until(lambda: self.marks > marks, 1)

    def note(self, topic: str, payload: bytes) -> None:
        if topic == MARK:
            self.marks += 1
            return
        now = time.time()
        content = json.loads(payload)
        room, kind = topic.split("/")[1:3]
        is_end = kind == "event" and content["event_type"] == "turn_finished"
        if kind == "tool":
            self.executed.append((content["call_id"], now, now - _seconds(content["expires_at"])))
        elif kind == "transcript" or is_end:
            self.messages.append((room, content))
        self.turns += is_end
        if is_end and self.is_asking:
            self.ask(room)

    def transcripts(self, room: str | None = None) -> list[Any]:
        with self.lock:
            return [c for place, c in self.messages if "item_id" in c and room in (None, place)]

    def finished(self) -> set[str]:
        with self.lock:
            return {c["turn_id"] for _, c in self.messages if c.get("event_type") == "turn_finished"}


class Room:
    """A node as a process, behind its proxies."""

    def __init__(self, folder: Path, name: str, sound: Path, proxy: FaultProxy, to_server: FaultProxy) -> None:
        self.name = name
        self.proxy = proxy
        self.to_server = to_server
        self._folder = folder / name
        self._folder.mkdir()
        self._room = self._folder / f"{name}.yaml"
        parameters = {"type": "object", "properties": {"state": {"type": "string"}}, "required": ["state"]}
        settings: dict[str, Any] = {
            "room": name,
            "capture": {"device": f"wav:{sound}", "echo": "off"},
            "gate": {"hang_over_ms": 300},
            "session": {
                "provider": "custom",
                "url": f"ws://127.0.0.1:{to_server.port}/v1/realtime",
                "output_modalities": ["text"],
                "connect": "always",
            },
            "playback": {"device": "none"},
            "budget": {"usd_per_day": None},
            "mqtt": {"port": proxy.port},
            "tools": [
                {"name": name, "description": "A light.", "parameters": parameters, "timeout_s": TOOL_S}
                | {"max_per_minute": 600}
                for name in TOOLS
            ],
        }
        self._room.write_text(json.dumps(settings))
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> str:
        return (self._folder / "log").read_text()

    def start(self) -> None:
        environ = os.environ | {"STATE_DIRECTORY": str(self._folder / "state")}
        with (self._folder / "log").open("ab") as file:
            command = [sys.executable, "-c", HASTY_NODE, "run", str(self._room)]
            self._process = subprocess.Popen(command, env=environ, stdout=file, stderr=file)

    async def end(self, how: signal.Signals) -> None:
        process = self._process
        assert process is not None
        process.send_signal(how)
        await until(lambda: process.poll() is not None, 20)

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None


def _seconds(timestamp: str) -> float:
    return datetime.fromisoformat(timestamp).timestamp()
