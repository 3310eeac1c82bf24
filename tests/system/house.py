"""A room as the processes that it is made of: the node, its server, the home that answers, and what is said in it."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import wave
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.fakes.mqtt_spy import MqttSpy, Seen
from tests.fakes.until import until
from tests.fakes.wire_net import recording_node, torn_by

RECORDING = Path(__file__).parents[2] / "config" / "demo" / "three_sentences.wav"
SENTENCES_S = {1: (0.5, 2.7), 2: (3.6, 7.1), 3: (8.0, 11.4)}
"""Where each sentence stands in it: a light is switched on, somebody talks of dinner, the heating is set."""
SPOKEN = ("pasta", "dinner", "twenty one", "is set to", "sorry", "turn on")
"""Words of the sentences and of the replies that stand nowhere else."""
BASE = "voice_node/kitchen/"
DEADLINE_S = 60.0
"""For what takes a second or two on a machine that has nothing else to do."""

LIGHT = {
    "name": "set_light",
    "description": "Switch a light on or off.",
    "parameters": {
        "type": "object",
        "properties": {
            "area": {"type": "string", "enum": ["kitchen", "bedroom"]},
            "state": {"type": "string", "enum": ["on", "off"]},
        },
        "required": ["area", "state"],
        "additionalProperties": False,
    },
    "say": "The {area} light is {state}.",
    "sentences": ["(turn|switch) {state} [the] {area} (light|lights)"],
}
HEATING = {
    "name": "set_heating",
    "description": "Set the temperature of the heating.",
    "parameters": {
        "type": "object",
        "properties": {"temperature": {"type": "integer", "minimum": 10, "maximum": 25}},
        "required": ["temperature"],
        "additionalProperties": False,
    },
    "say": "The heating is set to {temperature} degrees.",
    "sentences": ["set [the] heating to {temperature} degrees"],
}


def recording(path: Path, *parts: int | float) -> Path:
    """A WAV file: an int is that sentence of the shipped recording, a float so many seconds of its background."""
    with wave.open(str(RECORDING)) as source:
        rate_hz = source.getframerate()
        pcm: bytes = source.readframes(source.getnframes())

    def cut(begin_s: float, end_s: float) -> bytes:
        return pcm[2 * int(begin_s * rate_hz) : 2 * int(end_s * rate_hz)]

    noise = cut(2.7, 3.5)
    with wave.open(str(path), "wb") as target:
        target.setparams((1, 2, rate_hz, 0, "NONE", ""))
        for part in parts:
            if isinstance(part, int):
                target.writeframes(cut(*SENTENCES_S[part]))
            else:
                size = 2 * int(part * rate_hz)
                target.writeframes((noise * (size // len(noise) + 1))[:size])
    return path


def write_room(folder: Path, broker_port: int, **sections: Any) -> Path:
    """A room file; JSON is YAML. What is not given: an endless quiet microphone, no speaker, two tools."""
    if "capture" not in sections:
        quiet = folder / "quiet.wav"
        if not quiet.exists():  # a node may be listening to it
            recording(quiet, 300.0)
        sections["capture"] = {"device": f"wav:{quiet}"}
    room = {
        "room": "kitchen",
        "gate": {"hang_over_ms": 300},
        "playback": {"device": "none"},
        "tools": [LIGHT, HEATING],
        "fallback": {"provider": None},
        "log": {"level": "debug"},
    } | sections
    room["mqtt"] = {"port": broker_port} | sections.get("mqtt", {})
    path = folder / "kitchen.yaml"
    path.write_text(json.dumps(room, indent=1))
    return path


class Program:
    """`voice-node ...` as a process of its own: killed when the block is left, if it still runs."""

    def __init__(self, folder: Path, *arguments: str | Path, environ: Mapping[str, str] | None = None) -> None:
        self._arguments = [str(argument) for argument in arguments]
        ours = ("OPENAI_API_KEY", "MQTT_PASSWORD", "CREDENTIALS_DIRECTORY", "NOTIFY_SOCKET", "JOURNAL_STREAM")
        inherited = {name: value for name, value in os.environ.items() if name not in ours}
        no_sound_card = {"PULSE_SERVER": "unix:/nonexistent"}
        state = {"STATE_DIRECTORY": str(folder / "state")}
        self._environ = inherited | no_sound_card | state | {"PYTHONUNBUFFERED": "1"} | dict(environ or {})
        self._files = folder / f"program-{len(list(folder.glob('program-*')))}"
        self._process: subprocess.Popen[bytes] | None = None
        self.was_told_to_stop = False

    @property
    def log(self) -> str:
        """What it wrote to standard error."""
        return (self._files / "err").read_text()

    @property
    def output(self) -> str:
        """What it wrote to standard output."""
        return (self._files / "out").read_text()

    @property
    def pid(self) -> int:
        """Of the process."""
        assert self._process is not None
        return self._process.pid

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self.was_told_to_stop |= number in (signal.SIGTERM, signal.SIGINT)
        os.kill(self.pid, number)

    @property
    def is_running(self) -> bool:
        """It has not ended."""
        assert self._process is not None
        return self._process.poll() is None

    async def ended(self, deadline_s: float = DEADLINE_S) -> int:
        """Its exit code, when it is gone; TimeoutError after that."""
        assert self._process is not None
        await until(lambda: not self.is_running, deadline_s)
        return self._process.returncode

    async def said(self, text: str, deadline_s: float = DEADLINE_S) -> None:
        """Return when this stands in its log or output."""
        await until(lambda: text in self.log + self.output or not self.is_running, deadline_s)
        assert text in self.log + self.output

    def __enter__(self) -> Self:
        self._files.mkdir()
        with (self._files / "out").open("wb") as out, (self._files / "err").open("wb") as err:
            self._process = subprocess.Popen(
                [sys.executable, *recording_node(self._files / "sent"), *self._arguments],
                env=self._environ,
                stdout=out,
                stderr=err,
            )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process is not None
        if self._process.poll() is None:
            self.signal(signal.SIGCONT)
            self._process.kill()
            self._process.wait()
        if error is None:
            assert torn_by(self._files / "sent") == [], "the node sent what is not as published"
        else:
            print(f"--- {' '.join(self._arguments)}\n{self.output}{self.log}")  # noqa: T201 - pytest shows it on failure


@contextmanager
def local_server(folder: Path, room: Path, port: int) -> Iterator[Program]:
    """`voice-node serve`, on this port; say `await server.said("served at")` before it is used."""
    with Program(folder, "serve", room, "--port", str(port)) as server:
        yield server


def is_call(seen: Seen) -> bool:
    """It calls a tool."""
    return below(seen).startswith("tool/") and seen.topic.endswith("/call")


async def met(spy: MqttSpy, predicate: Callable[[Seen], bool]) -> Seen:
    """The first such message, come or to come."""
    return await spy.wait_for(predicate, DEADLINE_S)


async def met_on(spy: MqttSpy, place: str) -> Seen:
    """The first message on this topic of the room, come or to come."""
    return await spy.wait_for_topic(BASE + place, DEADLINE_S)


def below(seen: Seen) -> str:
    """The topic below the room's branch."""
    return seen.topic.removeprefix(BASE)


def events(spy: MqttSpy, event_type: str) -> list[Any]:
    """The events of one type so far."""
    return [seen.json for seen in spy.on(BASE + "event") if seen.json["event_type"] == event_type]


async def event(spy: MqttSpy, event_type: str, deadline_s: float = DEADLINE_S, **fields: Any) -> Any:
    """The first event of this type with these fields, come or to come."""

    def is_it(seen: Seen) -> bool:
        if seen.topic != BASE + "event":
            return False
        content = seen.json
        return bool(content["event_type"] == event_type and content | fields == content)

    return (await spy.wait_for(is_it, deadline_s)).json


async def state(spy: MqttSpy, wanted: str, after: int = 0, deadline_s: float = DEADLINE_S) -> int:
    """Wait for this state, among the messages from number `after` on; the number of the message after it."""

    def place() -> int | None:
        found = [i for i, seen in enumerate(spy.messages) if seen.topic == BASE + "state" and i >= after]
        return next((i + 1 for i in found if spy.messages[i].json["state"] == wanted), None)

    await spy.wait_for(lambda _: place() is not None, deadline_s)
    number = place()
    assert number is not None
    return number


async def online(spy: MqttSpy, deadline_s: float = DEADLINE_S) -> None:
    """Wait until the node says so on this connection of the spy."""
    await spy.wait_for(lambda seen: seen.topic == BASE + "availability" and seen.payload == b"online", deadline_s)


def calls(spy: MqttSpy) -> list[Any]:
    """The tool calls so far."""
    return [seen.json for seen in spy.messages if is_call(seen)]


@asynccontextmanager
async def home(port: int, **login: str) -> AsyncIterator[MqttSpy]:
    """A spy, and a stand-in for home automation that answers every call at once."""
    async with MqttSpy(port, **login) as spy:
        answering = asyncio.create_task(_answer(spy))
        try:
            yield spy
        finally:
            answering.cancel()
            await asyncio.wait([answering])


async def _answer(spy: MqttSpy) -> None:
    answered: set[str] = set()

    def is_new(seen: Seen) -> bool:
        return is_call(seen) and seen.json["call_id"] not in answered

    while True:
        call = (await spy.wait_for(is_new, 600)).json
        answered.add(call["call_id"])
        answer = {"call_id": call["call_id"], "output": {"result": "done"}}
        await spy.publish(f"{BASE}tool/{call['name']}/result", json.dumps(answer))
