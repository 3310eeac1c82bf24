"""`voice-node fleet` as a process of its own, with a true broker and a true room."""

import asyncio
import fcntl
import json
import os
import pty
import struct
import subprocess
import sys
import termios
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.fakes import broker as fake
from tests.fakes.broker import Broker
from tests.fakes.mqtt_spy import MqttSpy
from tests.fakes.until import until
from tests.system.house import Program, online, write_room

pytestmark = pytest.mark.skipif(bool(fake.ABSENT), reason=fake.ABSENT)

READER = "user reader\ntopic read voice_node/#\nuser writer\ntopic readwrite #\n"


@pytest.mark.slow
async def test_a_room_that_lives_and_one_that_does_not(tmp_path: Path) -> None:
    with Broker(users={"reader": "canary-r", "writer": "w"}, acl=READER) as broker:
        room = write_room(tmp_path, broker.port, mqtt={"username": "writer"})
        with Program(tmp_path, "run", room, environ={"MQTT_PASSWORD": "w"}) as node:
            async with MqttSpy(broker.port, username="writer", password="w") as spy:
                await online(spy)
                await spy.wait_for(lambda seen: seen.topic == "voice_node/kitchen/health")
                await spy.publish("voice_node/hall/availability", b"offline", retain=True)
            url = f"mqtt://reader@127.0.0.1:{broker.port}"
            environ = {"MQTT_PASSWORD": "canary-r"}
            with Program(tmp_path, "fleet", "--broker", url, "--once", "--json", environ=environ) as command:
                assert await command.ended() == 0, "a login that may only read is enough"
                rooms = {told["room"]: told for told in json.loads(command.output)}
            with Program(tmp_path, "fleet", "--broker", url, environ=environ) as command:
                assert await command.ended() == 0, "into a file it is written once"
                lines = command.output.splitlines()
            assert node.is_running
    assert set(rooms) == {"kitchen", "hall"}
    assert (rooms["kitchen"]["online"], rooms["kitchen"]["state"]) == (True, "idle")
    assert rooms["kitchen"]["version"]
    assert rooms["hall"]["online"] is False
    assert lines[0].startswith("2 rooms  1 online")
    assert [line.split()[:2] for line in lines[3:]] == [["hall", "down"], ["kitchen", "idle"]]


async def test_more_rooms_than_a_broker_queues_messages(tmp_path: Path) -> None:
    """mosquitto queues a thousand for a listener, of those that are delivered for sure."""
    with Broker() as broker:
        async with MqttSpy(broker.port, wanted="the/end") as spy:
            for number in range(600):
                await spy.publish(f"voice_node/room_{number}/availability", b"online", qos=0, retain=True)
                await spy.publish(f"voice_node/room_{number}/state", b'{"state":"idle"}', qos=0, retain=True)
            await spy.publish("the/end")
            await spy.wait_for_topic("the/end")
        with Program(tmp_path, "fleet", "--broker", f"127.0.0.1:{broker.port}", "--once", "--json") as command:
            assert await command.ended() == 0
            rooms = json.loads(command.output)
    assert sum((told["online"], told["state"]) == (True, "idle") for told in rooms) == 600


async def test_a_line_for_each_room_that_tells_something_and_it_comes_back_to_a_broker(tmp_path: Path) -> None:
    with Broker() as broker, Program(tmp_path, "fleet", "--broker", f"127.0.0.1:{broker.port}", "--json") as command:
        await tell_until(broker.port, "idle", command)
        broker.kill()
        broker.restart()
        await tell_until(broker.port, "listening", command)
        assert all(told["room"] == "bath" for told in lines_of(command))


async def tell_until(port: int, state: str, command: Program) -> None:
    """Tell it until it was heard: nobody knows when the command has subscribed."""
    async with asyncio.timeout(30), MqttSpy(port) as spy:
        while not any(told["state"] == state for told in lines_of(command)):
            await spy.publish("voice_node/bath/state", json.dumps({"state": state}))
            await asyncio.sleep(0.1)


def lines_of(command: Program) -> list[dict[str, Any]]:
    whole = command.output.rpartition("\n")[0]
    return [json.loads(line) for line in whole.splitlines()]


async def test_the_table_lives_in_a_terminal() -> None:
    """A pseudo-terminal: what is drawn, drawn anew and left clean at Ctrl-C."""
    with Broker() as broker:
        async with MqttSpy(broker.port) as spy:
            await spy.publish("voice_node/bath/state", json.dumps({"state": "idle"}), retain=True)
            ours, theirs = pty.openpty()
            fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 130, 0, 0))
            os.set_blocking(ours, False)
            drawn = bytearray()

            def shows(text: bytes) -> bool:
                with suppress(BlockingIOError):
                    drawn.extend(os.read(ours, 1 << 16))
                return text in drawn

            arguments = [sys.executable, "-m", "voice_node", "fleet", "--broker", f"127.0.0.1:{broker.port}"]
            environ = {**os.environ, "TERM": "xterm-256color"}
            process = subprocess.Popen(  # noqa: ASYNC220 - it returns at once
                arguments, stdin=theirs, stdout=theirs, stderr=theirs, env=environ, start_new_session=True
            )
            try:
                await until(lambda: shows(b"1 room"), 30)
                await spy.publish("voice_node/hall/state", json.dumps({"state": "thinking"}), retain=True)
                await until(lambda: shows(b"2 rooms"), 30)
                broker.kill()
                await until(lambda: shows(b"The broker is away"), 30)
                process.send_signal(2)
                await until(lambda: process.poll() is not None or shows(b"nothing"), 30)
            finally:
                process.kill()
                process.wait()
                shows(b"")
                os.close(ours)
                os.close(theirs)
            assert process.returncode == 130
            assert b"\x1b[?1049l" in drawn, "the terminal is as before"
            assert b"Traceback" not in drawn


async def test_a_broker_that_is_away_is_named(tmp_path: Path, free_port: int) -> None:
    with Program(tmp_path, "fleet", "--broker", f"127.0.0.1:{free_port}", "--once") as command:
        assert await command.ended() == 1
        assert f"127.0.0.1:{free_port}" in command.log
        assert "Traceback" not in command.log


async def test_a_base_that_is_none_is_refused(tmp_path: Path) -> None:
    with Program(tmp_path, "fleet", "--broker", "127.0.0.1", "--base", "a/#") as command:
        assert await command.ended() == 78
        assert "--base" in command.log
