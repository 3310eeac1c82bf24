"""Two processes of the same program: one hears, the other understands."""

from pathlib import Path

import pytest

from tests.fakes.broker import Broker
from tests.system.house import Program, calls, event, events, home, local_server, recording, write_room


@pytest.mark.slow
async def test_a_spoken_command_through_a_server_of_its_own(tmp_path: Path, broker: Broker, free_port: int) -> None:
    session = {"provider": "custom", "url": f"ws://127.0.0.1:{free_port}/v1/realtime"}
    sound = recording(tmp_path / "talk.wav", 0.5, 3, 60.0)
    room = write_room(tmp_path, broker.port, session=session, capture={"device": f"wav:{sound}"})
    with local_server(tmp_path, room, free_port) as server:
        await server.said("served at")
        async with home(broker.port) as spy:
            with Program(tmp_path, "run", room):
                finished = await event(spy, "turn_finished")
            assert finished["status"] == "completed"
            assert "first_sound" in finished["timings_ms"]
            assert [call["arguments"] for call in calls(spy)] == [{"temperature": 21}]
            (reply,) = events(spy, "response")
            assert reply["text"] == "The heating is set to 21 degrees."
