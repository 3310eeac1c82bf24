"""`voice-node demo`: the first thing that anybody sees."""

import re
import signal
import time
from pathlib import Path

import pytest

from tests.fakes import broker as fake
from tests.fakes.broker import Broker
from tests.fakes.mqtt_spy import MqttSpy
from tests.system.house import Program

pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(fake.ABSENT), reason=fake.ABSENT)]

SUMMARY = "3 sentences heard, 2 tool calls, 2 of them answered, 3 replies; 1 without a command called nothing."


def plain(program: Program) -> str:
    """What it printed, without line breaks of its own."""
    return " ".join(program.output.split())


async def test_two_at_once_hear_obey_and_answer(tmp_path: Path) -> None:
    """Each has a broker of its own, and leaves nothing behind."""
    began = time.monotonic()
    wide = {"COLUMNS": "200"}
    with Program(tmp_path, "demo", environ=wide) as one, Program(tmp_path, "demo", environ=wide) as other:
        assert [await demo.ended(60) for demo in (one, other)] == [0, 0]
    assert time.monotonic() - began < 60
    for demo in (one, other):
        assert SUMMARY in plain(demo)
        assert "set_light state=on area=kitchen → done" in plain(demo)
        assert "set_heating temperature=21 → done" in plain(demo)
        assert demo.log == ""
        assert "Traceback" not in demo.output
    ports = [re.search(r"Broker \(private\): 127\.0\.0\.1:(\d+)", demo.output) for demo in (one, other)]
    assert len({port and port[1] for port in ports}) == 2
    assert not (tmp_path / "state").exists()


async def test_it_uses_the_broker_that_it_is_given(tmp_path: Path) -> None:
    with Broker(users={"me": "canary-2718281828"}) as broker:
        async with MqttSpy(broker.port, username="me", password="canary-2718281828") as spy:
            url = f"mqtt://me@127.0.0.1:{broker.port}"
            with Program(tmp_path, "demo", "--broker", url, environ={"MQTT_PASSWORD": "canary-2718281828"}) as demo:
                assert await demo.ended(60) == 0
            assert sum(seen.topic.endswith("/call") for seen in spy.messages) == 2
    assert SUMMARY in plain(demo)
    assert "canary" not in demo.output + demo.log


@pytest.mark.parametrize(("options", "code"), [((), 130), (("--keep",), 0)])
async def test_ctrl_c(tmp_path: Path, options: tuple[str, ...], code: int) -> None:
    """Of a demo that ends by itself it is an interruption, of one that stays the ordinary end."""
    with Program(tmp_path, "demo", *options) as demo:
        await demo.said("the room is online")
        demo.signal(signal.SIGINT)
        assert await demo.ended() == code
    assert "Traceback" not in demo.log + demo.output
    assert "What happened" in demo.output
