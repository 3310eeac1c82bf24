"""Sound through the air of a sound card: played into the room, recorded by the node, answered from its speaker."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.fakes.broker import Broker
from tests.fakes.mqtt_spy import MqttSpy
from tests.fakes.sound_card import SoundCard
from tests.fakes.until import until
from tests.system.house import (
    BASE,
    Program,
    calls,
    event,
    events,
    home,
    met,
    met_on,
    online,
    recording,
    state,
    write_room,
)


@asynccontextmanager
async def listening(
    tmp_path: Path, broker: Broker, card: SoundCard, **sections: Any
) -> AsyncIterator[tuple[MqttSpy, Program]]:
    """A node that hears the card, in a room with a little noise."""
    sections = {"capture": {"device": "default"}, "playback": {"device": "default"}} | sections
    room = write_room(tmp_path, broker.port, **sections)
    noise = card.play(recording(tmp_path / "noise.wav", 120.0))
    try:
        async with home(broker.port) as spy:
            with Program(tmp_path, "run", room, environ=card.environment) as node:
                await online(spy)
                await until(lambda: card.listeners() == 1, 30)
                yield spy, node
                assert node.is_running
                assert "Traceback" not in node.log
    finally:
        noise.kill()
        noise.wait()


def loudest(path: Path) -> int:
    """The highest sample of a raw recording."""
    samples = np.frombuffer(path.read_bytes()[: path.stat().st_size // 2 * 2], "<i2")
    return int(np.abs(samples.astype(int)).max()) if len(samples) else 0


async def test_a_sentence_in_the_room_is_a_call_at_home_and_a_reply_at_the_speaker(
    tmp_path: Path, broker: Broker, sound_card: SoundCard
) -> None:
    async with listening(tmp_path, broker, sound_card) as (spy, _):
        recorder = sound_card.record(tmp_path / "speaker.raw")
        player = sound_card.play(recording(tmp_path / "one.wav", 0.5, 1))
        finished = await event(spy, "turn_finished")
        mark = await state(spy, "speaking")
        await state(spy, "idle", mark)
        recorder.terminate()
        recorder.wait()
        player.wait()
        assert finished["status"] == "completed"
        assert [call["arguments"] for call in calls(spy)] == [{"state": "on", "area": "kitchen"}]
        assert loudest(tmp_path / "speaker.raw") > 1000, "the reply is silence"


@pytest.mark.slow
async def test_a_node_that_speaks_is_deaf(tmp_path: Path, broker: Broker, sound_card: SoundCard) -> None:
    """What is said while it speaks is no turn; what is said after it, is."""
    async with listening(tmp_path, broker, sound_card) as (spy, _):
        await spy.publish(BASE + "request/say", "one two three four five six seven eight nine ten " * 3)
        mark = await state(spy, "speaking")
        over = sound_card.play(recording(tmp_path / "over.wav", 1))
        over.wait()
        assert spy.on(BASE + "state")[-1].json["state"] == "speaking", "the announcement was too short for this test"
        await spy.publish(BASE + "request/stop")
        await state(spy, "idle", mark)
        assert events(spy, "segment") == []
        sound_card.play(recording(tmp_path / "after.wav", 0.5, 3)).wait()
        await met_on(spy, "tool/set_heating/call")
        assert len(calls(spy)) == 1


@pytest.mark.slow
async def test_its_own_voice_is_no_turn(tmp_path: Path, broker: Broker, sound_card: SoundCard) -> None:
    """The speaker stands beside the microphone: what it plays is heard in full."""
    sound_card.listen_to("speaker.monitor")
    async with listening(tmp_path, broker, sound_card) as (spy, _):
        await spy.publish(BASE + "request/say", "turn on the kitchen light")
        mark = await state(spy, "speaking")
        mark = await state(spy, "idle", mark)
        said = await met(spy, lambda seen: seen.topic == BASE + "response/say")
        await event(spy, "turn_finished", turn_id=said.json["data"]["turn_id"])
        await spy.publish(BASE + "request/ask", '{"text": "set the heating to twenty degrees"}')
        mark = await state(spy, "speaking", mark)
        await state(spy, "idle", mark)
        assert events(spy, "segment") == []
        assert not [seen for seen in spy.on(BASE + "speech") if seen.payload == b"ON"]
        assert [call["name"] for call in calls(spy)] == ["set_heating"]


@pytest.mark.slow
async def test_a_microphone_that_is_missing_at_the_start_is_used_when_it_comes(
    tmp_path: Path, broker: Broker, sound_card: SoundCard
) -> None:
    sound_card.kill()
    room = write_room(tmp_path, broker.port, capture={"device": "default"})
    async with home(broker.port) as spy:
        with Program(tmp_path, "run", room, environ=sound_card.environment) as node:
            await online(spy)
            await event(spy, "error", code="capture")
            await spy.publish(BASE + "request/ask", '{"text": "turn on the kitchen light"}')
            await event(spy, "turn_finished", status="completed")
            sound_card.start()
            noise = sound_card.play(recording(tmp_path / "noise.wav", 60.0))
            await until(lambda: sound_card.listeners() == 1, 20)
            await node.said("open,")
            sound_card.play(recording(tmp_path / "one.wav", 0.5, 3)).wait()
            await met_on(spy, "tool/set_heating/call")
            noise.kill()
            noise.wait()
        assert [call["name"] for call in calls(spy)] == ["set_light", "set_heating"]


@pytest.mark.slow
async def test_a_card_that_is_pulled_and_comes_back_hears_and_speaks_and_nothing_chatters(
    tmp_path: Path, broker: Broker, sound_card: SoundCard
) -> None:
    sound_card.plug("other")
    sound_card.plug("usb")
    room = write_room(
        tmp_path,
        broker.port,
        capture={"device": "usb", "auto_gain": True, "high_pass_hz": 80},
        playback={"device": "usb"},
    )
    async with home(broker.port) as spy:
        with Program(tmp_path, "run", room, environ=sound_card.environment) as node:
            await online(spy)
            await node.said("microphone usb: open")
            health = (await met_on(spy, "health")).json
            assert (health["lost_frames"], health["overruns"], health["clipped_s"], health["underruns"]) == (0, 0, 0, 0)
            sound_card.unplug("usb")
            await event(spy, "error", code="capture")
            sound_card.unplug("other")
            sound_card.plug("usb")
            noise = sound_card.play(recording(tmp_path / "noise.wav", 60.0), "usb")
            await until(lambda: node.log.count("microphone usb: open") == 2)
            sound_card.play(recording(tmp_path / "one.wav", 0.5, 3), "usb").wait()
            await met_on(spy, "tool/set_heating/call")
            noise.kill()
            noise.wait()
            assert "Expression" not in node.log
            assert "ALSA" not in node.log
