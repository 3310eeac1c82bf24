"""Steps of the wall clock, as a Pi without one makes when a time server answers at last: no deadline moves."""

from datetime import datetime
from pathlib import Path

import pytest

from tests.fakes.broker import Broker
from tests.fakes.mqtt_spy import MqttSpy, Seen
from tests.system.house import BASE, Program, below, calls, home, met, online, write_room

LIBRARIES = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
STEPS = ("+1h", "-1h", "-2200d", "+400d", "+0")
"""From the true time: the last but two is a clock of a few years ago, which nobody has set yet."""

pytestmark = pytest.mark.skipif(not LIBRARIES, reason="libfaketime is not installed")


def _count(spy: MqttSpy, event_type: str) -> int:
    return sum(seen.json["event_type"] == event_type for seen in spy.on(BASE + "event"))


@pytest.mark.slow
@pytest.mark.timeout(240)
async def test_steps_of_the_clock_move_no_deadline(tmp_path: Path, broker: Broker) -> None:
    stamp = tmp_path / "clock"
    stamp.write_text("+0")
    environ = {
        "LD_PRELOAD": str(LIBRARIES[0]),
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "FAKETIME_TIMESTAMP_FILE": str(stamp),
        "FAKETIME_NO_CACHE": "1",
    }
    room = write_room(tmp_path, broker.port)
    years: set[int] = set()
    async with home(broker.port) as spy:
        with Program(tmp_path, "run", room, environ=environ) as node:
            await online(spy)
            for number, step in enumerate(STEPS, start=1):
                stamp.write_text(step)
                await spy.publish(BASE + "request/ask", '{"text": "turn on the kitchen light"}')

                def is_over(_: Seen, number: int = number) -> bool:
                    return _count(spy, "turn_finished") == number

                await met(spy, is_over)
                assert _count(spy, "tool_result") == number, f"step {step}: the call was not answered in time"
                call = calls(spy)[-1]
                issued, ends = (datetime.fromisoformat(call[name]) for name in ("issued_at", "expires_at"))
                assert (ends - issued).total_seconds() == 5, f"step {step}: the call's life has changed"
                years.add(issued.year)
            assert node.is_running
            assert not [seen for seen in spy.messages if below(seen) == "availability" and seen.payload == b"offline"]
    assert len(years) >= 3, f"the clock was not stepped: {years}"
    assert "Traceback" not in node.log
