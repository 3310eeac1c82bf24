"""Rooms in which the microphone hears the loudspeaker: both are one sink of a sound server."""

import asyncio
from pathlib import Path

import pytest

from tests.fakes.broker import Broker
from tests.fakes.sound_card import SoundCard
from tests.system.house import BASE, calls, event, events, met, recording, state
from tests.system.test_sound_card import listening

pytest.importorskip("livekit.rtc", reason="the extra `aec` is not installed")

LONG = "I have counted them again. " + "There are nine apples, seven pears and eleven plums in the larger basket. " * 8
"""Half a minute and more, if it is let."""


@pytest.mark.slow
async def test_with_cancel_the_node_does_not_answer_itself_and_hears_who_speaks_over_it(
    tmp_path: Path, broker: Broker, sound_card: SoundCard
) -> None:
    """What it says is a command of its own: whoever heard it would act on it.

    Where a hole is torn into what is played or captured, as a busy machine does, the node is deaf for a second rather
    than that it hears itself (rule 4 of `capture.echo`): who was not heard says it again.
    """
    sound_card.carry_back()
    sections = {"capture": {"device": "default", "echo": "cancel"}, "playback": {"device": "default", "volume": 50}}
    async with listening(tmp_path, broker, sound_card, **sections) as (spy, _):
        await spy.publish(BASE + "request/say", "turn on the kitchen light. set the heating to twenty degrees. " * 3)
        mark = await state(spy, "speaking")
        mark = await state(spy, "idle", mark)
        said = await met(spy, lambda seen: seen.topic == BASE + "response/say")
        await event(spy, "turn_finished", turn_id=said.json["data"]["turn_id"])
        assert events(spy, "segment") == []
        assert calls(spy) == []

        await spy.publish(BASE + "request/say", LONG)
        mark = await state(spy, "speaking", mark)
        sentence = recording(tmp_path / "over.wav", 2.0, 3, 2.0)
        while not events(spy, "segment") and spy.on(BASE + "state")[-1].json["state"] == "speaking":
            assert await asyncio.to_thread(sound_card.play(sentence).wait) == 0
        segment = await event(spy, "segment")
        await event(spy, "turn_finished", turn_id=segment["turn_id"], status="completed")
        opened = next(seen for seen in spy.on(BASE + "speech") if seen.payload == b"ON")
        states = [seen for seen in spy.messages[: spy.messages.index(opened)] if seen.topic == BASE + "state"]
        assert states[-1].json["state"] == "speaking", "it was heard over the reply, not behind it"
        # What of it is understood is the recogniser's affair; what the node itself said is never obeyed.
        assert {call["name"] for call in calls(spy)} <= {"set_heating"}
