"""Every command of the contract, by hand and over MQTT, at a running node."""

import asyncio
import json
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.broker import Broker
from tests.fakes.mqtt_spy import MqttSpy
from tests.system.house import BASE, Program, below, home, online, write_room


async def command(folder: Path, name: str, room: Path, *arguments: str) -> tuple[int, str, str]:
    """Exit code, output and errors of `voice-node NAME ROOM ...`."""
    with Program(folder, name, room, *arguments) as program:
        code = await program.ended(30)
        return code, program.output, program.log


@pytest.mark.slow
@pytest.mark.parametrize("protocol", [5, 3])
async def test_each_command_by_hand(tmp_path: Path, broker: Broker, protocol: int) -> None:
    room = write_room(tmp_path, broker.port, mqtt={"protocol": protocol})
    async with home(broker.port) as spy:
        with Program(tmp_path, "run", room) as node:
            await online(spy)
            assert (await command(tmp_path, "say", room, "dinner", "is", "ready"))[:2][1].startswith("ok: turn ")
            asked = await command(tmp_path, "ask", room, "turn on the kitchen light")
            assert asked == (0, "The kitchen light is on.\n", '[set_light {"area": "kitchen", "state": "on"}]\n')
            assert await command(tmp_path, "mute", room) == (0, "ok: the microphone is closed\n", "")
            code, _, error = await command(tmp_path, "listen", room)
            assert (code, error) == (1, "kitchen: the microphone is muted\n")
            assert await command(tmp_path, "unmute", room) == (0, "ok: the microphone is open\n", "")
            for name, shown in (("listen", "it listens"), ("stop", "it is silent"), ("reset", "it remembers nothing")):
                code, output, _ = await command(tmp_path, name, room)
                assert (code, output.startswith(f"ok: {shown}")) == (0, True), name
            assert (await command(tmp_path, "reload", room))[:2] == (0, "ok: the file is read\n")
            assert node.is_running
            assert "Traceback" not in node.log


async def test_a_room_that_does_not_run_is_said(tmp_path: Path, broker: Broker) -> None:
    room = write_room(tmp_path, broker.port)
    assert await command(tmp_path, "stop", room, "--timeout", "0.5") == (
        1,
        "",
        "the room kitchen does not answer within 0.5 s: does it run?\n",
    )


SET = {"volume": 55, "gate_snr_db": 9.5, "hang_over_ms": 450, "follow_up_ms": 3000, "budget_usd": 2.5}


def states(spy: MqttSpy, begin: int = 0) -> dict[str, Any]:
    """The last of each `<setting>/state` since then."""
    found = {}
    for seen in spy.messages[begin:]:
        name, _, last = below(seen).partition("/")
        if last == "state" and name in SET:
            found[name] = json.loads(seen.payload)
    return found


async def assert_told(spy: MqttSpy, wanted: dict[str, Any], begin: int = 0) -> None:
    """Wait until the settings are these."""
    try:
        await spy.wait_for(lambda _: wanted.items() <= states(spy, begin).items())
    except TimeoutError:
        assert states(spy, begin) == wanted


@pytest.mark.slow
async def test_settings_act_and_last_until_the_file_says_something_else(tmp_path: Path, broker: Broker) -> None:
    file = {"volume": 70, "gate_snr_db": 5.0, "hang_over_ms": 300, "follow_up_ms": 8000, "budget_usd": 1.0}
    room = write_room(tmp_path, broker.port)
    async with MqttSpy(broker.port) as spy:
        with Program(tmp_path, "run", room) as node:
            await assert_told(spy, file)
            for name, value in SET.items():
                await spy.publish(f"{BASE}{name}/set", json.dumps(value))
            await assert_told(spy, SET)
            for name, bad in (("volume", "101"), ("hang_over_ms", "99"), ("gate_snr_db", '"loud"')):
                await spy.publish(f"{BASE}{name}/set", bad)
            await spy.publish(f"{BASE}wake_word/set", "okay_nabu")
            await spy.wait_for(lambda seen: below(seen) == "event" and seen.json.get("code") == "bad_setting")
            assert states(spy) == SET
            node.signal(signal.SIGTERM)
            assert await node.ended() == 0
        begin = len(spy.messages)
        with Program(tmp_path, "run", room) as node:
            await assert_told(spy, SET, begin)
            node.signal(signal.SIGTERM)
            assert await node.ended() == 0
        write_room(tmp_path, broker.port, playback={"device": "none", "volume": 20})
        begin = len(spy.messages)
        with Program(tmp_path, "run", room):
            await assert_told(spy, SET | {"volume": 20}, begin)
            assert await asyncio.to_thread((tmp_path / "state" / "state.json").exists)
