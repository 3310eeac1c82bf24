"""Muted, the microphone device is closed: nobody can record what it does not hear."""

import asyncio
import signal
from pathlib import Path

import pytest

from tests.fakes.broker import Broker
from tests.fakes.realtime_server import Expect, RealtimeServer, Stay, greet
from tests.fakes.sound_card import SoundCard
from tests.fakes.until import until
from tests.system.house import BASE, Program, below, event, home, met, met_on, online, recording, state, write_room


@pytest.mark.slow
async def test_mute_closes_the_device_and_outlives_a_crash(
    tmp_path: Path, broker: Broker, sound_card: SoundCard
) -> None:
    room = write_room(tmp_path, broker.port, capture={"device": "default"})
    async with home(broker.port) as spy:
        with Program(tmp_path, "run", room, environ=sound_card.environment) as node:
            await until(lambda: sound_card.listeners() == 1, 30)
            await online(spy)
            await spy.publish(BASE + "mute/set", "ON")
            await state(spy, "muted")
            await met(spy, lambda seen: below(seen) == "mute/state" and seen.payload == b"ON")
            assert sound_card.listeners() == 0, "the device is still open when the node says that it is muted"
            await spy.publish(BASE + "request/listen")
            answer = await met_on(spy, "response/listen")
            assert answer.json["error"] == "the microphone is muted"
            node.signal(signal.SIGKILL)
            await node.ended()
        mark = len(spy.messages)
        with Program(tmp_path, "run", room, environ=sound_card.environment) as node:
            opened = 0
            await state(spy, "muted", mark)
            await spy.publish(BASE + "request/ask", '{"text": "turn on the kitchen light"}')
            opened += sound_card.listeners()
            await event(spy, "turn_finished")
            opened += sound_card.listeners()
            assert opened == 0, "a muted node opened the device after a restart"
            await spy.publish(BASE + "mute/set", "OFF")
            await until(lambda: sound_card.listeners() == 1, 30)
            await state(spy, "idle", mark)
            assert node.is_running


async def test_only_the_switch_on_the_device_opens_it_where_the_room_says_so(
    tmp_path: Path, broker: Broker, sound_card: SoundCard
) -> None:
    room = write_room(tmp_path, broker.port, capture={"device": "default"}, mute={"remote_unmute": False})
    async with home(broker.port) as spy:
        with Program(tmp_path, "run", room, environ=sound_card.environment):
            await until(lambda: sound_card.listeners() == 1, 30)
            await online(spy)
            await spy.publish(BASE + "mute/set", "ON")
            mark = await state(spy, "muted")
            await spy.publish(BASE + "mute/set", "OFF")
            await event(spy, "error", code="unmute_refused")
            await spy.publish(BASE + "request/stop")
            await met_on(spy, "response/stop")
            assert sound_card.listeners() == 0
            assert not [seen for seen in spy.messages[mark:] if below(seen) == "mute/state" and seen.payload == b"OFF"]


@pytest.mark.slow
async def test_a_mute_in_the_middle_of_a_sentence_and_no_byte_of_it_leaves_any_more(
    tmp_path: Path, broker: Broker, sound_card: SoundCard
) -> None:
    """Nor does any of what was heard before it after the next unmute."""
    script = [*greet(), Expect("input_audio_buffer.commit"), Expect("response.create"), Stay()]  # what left is a turn
    async with RealtimeServer(script) as server, home(broker.port) as spy:
        room = write_room(
            tmp_path,
            broker.port,
            capture={"device": "default"},
            gate={"hang_over_ms": 2000, "confirm": "off"},
            session={"provider": "custom", "url": server.url, "output_modalities": ["text"], "connect": "always"},
        )
        with Program(tmp_path, "run", room, environ=sound_card.environment) as node:
            await until(lambda: sound_card.listeners() == 1, 20)
            await online(spy)
            player = sound_card.play(recording(tmp_path / "talk.wav", 1.0, 2, 2))
            await until(lambda: len(server.audio) > 24000, 20)
            await spy.publish(BASE + "mute/set", "ON")
            await met(spy, lambda seen: below(seen) == "mute/state" and seen.payload == b"ON")
            assert sound_card.listeners() == 0
            sent = len(server.audio)
            await until(lambda: player.poll() is not None, 30)
            assert len(server.audio) == sent, "sound left after the node said that it is muted"
            await spy.publish(BASE + "mute/set", "OFF")
            await until(lambda: sound_card.listeners() == 1, 20)
            await asyncio.sleep(1)  # what was kept would leave now
            assert len(server.audio) == sent, "what was heard before the mute left after it"
            assert node.is_running
            node.signal(signal.SIGTERM)
            await node.ended()


@pytest.mark.long
@pytest.mark.slow
@pytest.mark.timeout(900)
async def test_a_hundred_crashes_and_it_stays_muted(tmp_path: Path, broker: Broker, sound_card: SoundCard) -> None:
    """Each the moment after it said so."""
    room = write_room(tmp_path, broker.port, capture={"device": "default"})

    def said(payload: bytes, after: int) -> bool:
        return any(below(seen) == "mute/state" and seen.payload == payload for seen in spy.messages[after:])

    async with home(broker.port) as spy:
        for number in range(100):
            mark = len(spy.messages)
            with Program(tmp_path, "run", room, environ=sound_card.environment) as node:
                if number:
                    await state(spy, "muted", mark)
                    assert sound_card.listeners() == 0, f"crash {number}: it listens, and was muted"
                    mark = len(spy.messages)
                    await spy.publish(BASE + "mute/set", "OFF")
                await until(lambda: sound_card.listeners() == 1, 20)
                await until(lambda mark=mark: said(b"OFF", mark) or mark == 0, 20)  # type: ignore[misc]  # mypy knows no default in a lambda
                mark = len(spy.messages)
                await spy.publish(BASE + "mute/set", "ON")
                await until(lambda mark=mark: said(b"ON", mark), 20)  # type: ignore[misc]  # as above
                node.signal(signal.SIGKILL)
                await node.ended()
        mark = len(spy.messages)
        with Program(tmp_path, "run", room, environ=sound_card.environment):
            await state(spy, "muted", mark)
            assert sound_card.listeners() == 0
