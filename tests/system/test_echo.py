"""Rooms in which the microphone hears the loudspeaker: a sound server carries what is played back to the microphone."""

import os
from pathlib import Path

import pytest

from tests.fakes.broker import Broker
from tests.fakes.sound_card import SoundCard
from tests.system.house import BASE, calls, event, events, met, recording, state
from tests.system.test_sound_card import listening

pytest.importorskip("livekit.rtc", reason="the extra `aec` is not installed")

LONG = "I have counted them again. " + "There are nine apples, seven pears and eleven plums in the larger basket. " * 4


@pytest.mark.slow
async def test_with_cancel_the_node_does_not_answer_itself_and_hears_who_speaks_over_it(
    tmp_path: Path, broker: Broker, sound_card: SoundCard
) -> None:
    """What it says is a command of its own: whoever heard it would act on it."""
    sound_card.carry_back()
    capture = {"device": "default", "echo": "cancel"}
    async with listening(tmp_path, broker, sound_card, capture=capture) as (spy, _):
        await spy.publish(BASE + "request/say", "turn on the kitchen light. set the heating to twenty degrees. " * 3)
        mark = await state(spy, "speaking")
        mark = await state(spy, "idle", mark)
        said = await met(spy, lambda seen: seen.topic == BASE + "response/say")
        await event(spy, "turn_finished", turn_id=said.json["data"]["turn_id"])
        if events(spy, "segment") and os.getloadavg()[0] > 2 * (os.cpu_count() or 1):
            pytest.skip("this machine is too busy for sound in real time: what is carried back comes torn")
        assert events(spy, "segment") == []
        assert calls(spy) == []

        await spy.publish(BASE + "request/say", LONG)
        mark = await state(spy, "speaking", mark)
        over = sound_card.play(recording(tmp_path / "over.wav", 2.0, 3))
        await met(spy, lambda seen: seen.topic == BASE + "speech" and seen.payload == b"ON")
        await event(spy, "segment")
        over.wait()
