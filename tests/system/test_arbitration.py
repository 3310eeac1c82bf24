"""Rooms that hear the same words, at a real broker: one answers, and the others say who."""

import asyncio
import itertools
import json
import shutil
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from tests.fakes import broker as fake
from tests.fakes.broker import Broker
from tests.fakes.mqtt_spy import MqttSpy, Seen
from tests.fakes.until import until
from tests.system.house import DEADLINE_S, HEATING, LIGHT, Program, recording, write_room

pytest.importorskip("pocketsphinx", reason="the extra `local` is not installed")
pytestmark = pytest.mark.skipif(bool(fake.ABSENT), reason=fake.ABSENT)


class House:
    """Rooms that listen from the same moment on, and a home that answers the calls of all."""

    def __init__(self, spy: MqttSpy, rooms: dict[str, Program]) -> None:
        self.spy = spy
        self.rooms = rooms

    def of(self, event_type: str, **fields: Any) -> list[Any]:
        """Events of all rooms so far."""
        contents = [seen.json for seen in self.spy.messages if seen.topic.endswith("/event")]
        return [one for one in contents if one["event_type"] == event_type and one | fields == one]

    @property
    def calls(self) -> list[Seen]:
        """Of all rooms."""
        return [seen for seen in self.spy.messages if seen.topic.endswith("/call")]

    async def listen(self) -> None:
        """All rooms begin to hear, when none of them is still busy with its start."""
        await asyncio.gather(*(program.said("the recogniser is ready") for program in self.rooms.values()))
        await asyncio.gather(*(self.spy.publish(f"voice_node/{room}/mute/set", "OFF") for room in self.rooms))

    async def heard_all(self) -> None:
        """The recordings are over, and so are the rooms."""
        await asyncio.gather(*(program.ended() for program in self.rooms.values()))

    async def answer(self) -> None:
        """Carry out every call."""
        for number in itertools.count():
            call = await self._call(number)
            result = json.dumps({"call_id": call.json["call_id"], "output": "done"})
            await self.spy.publish(call.topic.removesuffix("call") + "result", result)

    async def _call(self, number: int) -> Seen:
        await self.spy.wait_for(lambda _: len(self.calls) > number, 600)
        return self.calls[number]


@asynccontextmanager
async def house(
    folder: Path,
    port: int,
    said: Mapping[str, Sequence[Any]],
    *,
    make: Callable[..., Path] = recording,
    activation: Mapping[str, Any] = MappingProxyType({}),
    **login: str,
) -> AsyncIterator[House]:
    """Each room hears its own version of what is said: the file that `make` writes of its parts."""
    rooms: dict[str, Program] = {}
    async with AsyncExitStack() as stack:
        spy = await stack.enter_async_context(MqttSpy(port, **login))
        for room, parts in said.items():
            own = folder / room
            (own / "state").mkdir(parents=True)
            # Muted, so that all begin to hear at one moment.
            (own / "state" / "state.json").write_text('{"is_muted": true}')
            path = write_room(
                own,
                port,
                room=room,
                capture={"device": f"wav:{make(own / 'said.wav', *parts)}"},
                activation={"arbitration": "on", **activation},
                session={"output_modalities": ["text"]},
                tools=[LIGHT, HEATING],
                mqtt={"username": room} if login else {},
            )
            environ = {"MQTT_PASSWORD": "x"} if login else {}
            rooms[room] = stack.enter_context(Program(own, "run", path, environ=environ))
        it = House(spy, rooms)
        answering = asyncio.create_task(it.answer())
        try:
            online = {f"voice_node/{room}/availability" for room in said}
            await until(
                lambda: online <= {seen.topic for seen in spy.messages if seen.payload == b"online"}, DEADLINE_S
            )
            yield it
        finally:
            answering.cancel()
            await asyncio.wait([answering])


@pytest.mark.slow
async def test_of_three_rooms_one_answers_and_goes_on_with_it(tmp_path: Path, broker: Broker) -> None:
    said = {
        "kitchen": (0.5, 1, 2.5, 3, 1.0),
        "hall": (0.8, 1, 2.0, 3, 1.2),  # is reached second by the first sentence, and first by the second
        "bedroom": (0.9, 1, 2.2, 3, 0.9),
    }
    async with house(tmp_path, broker.port, said) as it:
        await it.listen()
        await it.heard_all()
        first, second = it.calls
        assert first.json["arguments"] == {"area": "kitchen", "state": "on"}
        assert second.json["arguments"] == {"temperature": 21}
        winner = first.json["room"]
        assert second.json["room"] == winner, "who talks with a room goes on with it"
        losers = set(said) - {winner}
        yielded = it.of("yielded", to=winner)
        assert len(it.of("yielded")) == len(yielded) == 4
        assert {event["room"] for event in yielded} == losers
        assert all(event["turn_id"] for event in yielded)
        for kind in ("segment", "transcript", "response", "turn_finished", "error"):
            assert not [event for event in it.of(kind) if event["room"] in losers], kind
        for room in losers:
            shown = [seen.payload for seen in it.spy.on(f"voice_node/{room}/speech")]
            assert b"ON" not in shown, "nor did it show anything"
            states = [seen.json["state"] for seen in it.spy.on(f"voice_node/{room}/state")]
            assert set(states) == {"muted", "idle"}


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("espeak-ng") or not shutil.which("sox"), reason="no espeak-ng, sox")
async def test_of_three_rooms_that_hear_the_wake_word_one_wakes(tmp_path: Path, broker: Broker) -> None:
    pytest.importorskip("pymicro_wakeword", reason="the extra `wake` is not installed")
    from tests.system.test_wake_word import spoken

    words = ("alexa, turn on the kitchen light", 1.0)
    said = {"kitchen": (1.0, *words), "hall": (1.15, *words), "bedroom": (1.3, *words)}
    waking = {"mode": "wake_word", "wake_word": "alexa"}
    async with house(tmp_path, broker.port, said, make=spoken, activation=waking) as it:
        await it.listen()
        await it.heard_all()
        (woken,) = it.of("wake")
        winner = woken["room"]
        yielded = it.of("yielded", to=winner)
        assert {event["room"] for event in yielded} == set(said) - {winner}
        assert len(yielded) == len(it.of("yielded")) == 2
        assert [event["room"] for event in it.of("segment")] == [winner]
        assert {event["room"] for event in it.of("turn_finished")} == {winner}


ACL = """
user everybody
topic readwrite #
user kitchen
topic readwrite voice_node/kitchen/#
user hall
topic readwrite voice_node/hall/#
"""


@pytest.mark.slow
async def test_rooms_that_may_not_claim_answer_each_and_tell(tmp_path: Path) -> None:
    users = dict.fromkeys(("everybody", "kitchen", "hall"), "x")
    with Broker(users=users, acl=ACL) as broker:
        said = {"kitchen": (0.5, 1, 1.0), "hall": (0.6, 1, 1.0)}
        async with house(tmp_path, broker.port, said, username="everybody", password="x") as it:
            await it.listen()
            await it.heard_all()
            assert {call.json["room"] for call in it.calls} == set(said)
            told = it.of("error", code="arbitration")
            assert {event["room"] for event in told} == set(said)
            assert all("access rules" in event["detail"] for event in told)
            assert not it.of("yielded")
