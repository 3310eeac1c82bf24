"""Several people type at once: each gets the answer to their own words, and each call is made once."""

import json
from pathlib import Path

from tests.fakes.broker import Broker
from tests.system.house import BASE, Program, calls, event, events, home, met, online, write_room

SENTENCES = {
    "turn on the kitchen light": "The kitchen light is on.",
    "turn off the bedroom light": "The bedroom light is off.",
    "set the heating to twenty one degrees": "The heating is set to 21 degrees.",
    "what is the meaning of life": "Sorry, I did not understand that.",
}


async def test_each_gets_its_own_answer(tmp_path: Path, broker: Broker) -> None:
    asked = [*SENTENCES, *SENTENCES]
    async with home(broker.port) as spy:
        with Program(tmp_path, "run", write_room(tmp_path, broker.port)) as node:
            await online(spy)
            for number, text in enumerate(asked):
                await spy.publish(
                    BASE + "request/ask", json.dumps({"text": text}), response_topic=f"{BASE}reply/{number}"
                )
            await met(spy, lambda _: len(events(spy, "turn_finished")) == len(asked))
            for number, text in enumerate(asked):
                (response,) = [seen.json for seen in spy.on(f"{BASE}reply/{number}")]
                answer = await event(spy, "response", turn_id=response["data"]["turn_id"])
                assert answer["text"] == SENTENCES[text], text
            assert len(calls(spy)) == 6
            assert len({call["call_id"] for call in calls(spy)}) == 6
            assert "Traceback" not in node.log
