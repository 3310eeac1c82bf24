"""Muted, the microphone device is closed: nobody can record what it does not hear."""

import signal
from pathlib import Path

from tests.fakes.broker import Broker
from tests.fakes.sound_card import SoundCard
from tests.fakes.until import until
from tests.system.house import BASE, Program, below, event, home, met, met_on, online, state, write_room


async def test_mute_closes_the_device_and_outlives_a_crash(
    tmp_path: Path, broker: Broker, sound_card: SoundCard
) -> None:
    room = write_room(tmp_path, broker.port, capture={"device": "default"})
    async with home(broker.port) as spy:
        with Program(tmp_path, "run", room, environ=sound_card.environment) as node:
            await until(lambda: sound_card.listeners() == 1)
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
            await until(lambda: sound_card.listeners() == 1)
            await state(spy, "idle", mark)
            assert node.is_running


async def test_only_the_switch_on_the_device_opens_it_where_the_room_says_so(
    tmp_path: Path, broker: Broker, sound_card: SoundCard
) -> None:
    room = write_room(tmp_path, broker.port, capture={"device": "default"}, mute={"remote_unmute": False})
    async with home(broker.port) as spy:
        with Program(tmp_path, "run", room, environ=sound_card.environment):
            await until(lambda: sound_card.listeners() == 1)
            await online(spy)
            await spy.publish(BASE + "mute/set", "ON")
            mark = await state(spy, "muted")
            await spy.publish(BASE + "mute/set", "OFF")
            await event(spy, "error", code="unmute_refused")
            await spy.publish(BASE + "request/stop")
            await met_on(spy, "response/stop")
            assert sound_card.listeners() == 0
            assert not [seen for seen in spy.messages[mark:] if below(seen) == "mute/state" and seen.payload == b"OFF"]
