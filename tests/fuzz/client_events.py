"""What a client may send to the local server, in both dialects: every answer is one of the published schema."""

import asyncio
import base64
import json
from collections.abc import Coroutine
from random import Random
from typing import Any

from tests.fakes.schema import assert_published
from tests.fuzz.mutation import Mutator
from tests.local.rooms import ROOM, as_offered
from voice_node.local.dialect import DialectName, Ga
from voice_node.local.engine import Engine
from voice_node.local.peer import Peer
from voice_node.local.session import default_session
from voice_node.local.wire_beta import Beta

LIFE = 40
"""Events of one client."""
_LAST_CALL = "call_last"
"""Stands for the id of the server's last call, which its own dice make."""
_SOUND = base64.b64encode(bytes(960)).decode()


def _message(text: str) -> dict[str, Any]:
    return {"id": text[:4], "type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}


def _events(dialect: DialectName) -> list[dict[str, Any]]:
    if dialect == "beta":
        session: dict[str, Any] = {"modalities": ["text"], "temperature": 0.8, "input_audio_format": "pcm16"}
        session |= {"turn_detection": {"type": "server_vad", "threshold": 0.5}, "input_audio_transcription": None}
    else:
        detection = {"type": "server_vad", "threshold": 0.5, "idle_timeout_ms": 6000}
        sound = {"format": {"type": "audio/pcm", "rate": 24000}, "turn_detection": detection, "transcription": None}
        session = {"type": "realtime", "output_modalities": ["text"], "audio": {"input": sound}}
        session |= {"truncation": {"type": "retention_ratio", "retention_ratio": 0.8}, "max_output_tokens": 100}
        session |= {"tracing": {"workflow_name": "x", "metadata": {}}, "prompt": {"id": "p", "variables": {"a": "b"}}}
    session |= {"instructions": "x", "tools": as_offered(*ROOM), "tool_choice": "auto"}
    response = {"conversation": "none", "metadata": {"a": "b"}, "input": [_message("what time is it")]}
    bodies: list[dict[str, Any]] = [
        {"type": "session.update", "session": session},
        {"type": "input_audio_buffer.append", "audio": _SOUND},
        {"type": "input_audio_buffer.commit"},
        {"type": "input_audio_buffer.clear"},
        {"type": "conversation.item.create", "item": _message("turn on the kitchen light"), "previous_item_id": "root"},
        {"type": "conversation.item.create", "item": _message("what time is it")},
        {
            "type": "conversation.item.create",
            "item": {"type": "function_call_output", "call_id": _LAST_CALL, "output": "{}"},
        },
        {
            "type": "conversation.item.create",
            "item": {"type": "function_call", "call_id": "c", "name": "x", "arguments": "{}"},
        },
        {"type": "conversation.item.retrieve", "item_id": "what"},
        {"type": "conversation.item.truncate", "item_id": "what", "content_index": 0, "audio_end_ms": 10},
        {"type": "conversation.item.delete", "item_id": "turn"},
        {"type": "response.create"},
        {"type": "response.create", "response": response},
        {"type": "response.cancel", "response_id": "resp_1"},
    ]
    return [{"event_id": "e1", **body} for body in bodies]


class ClientEvents:
    """See `campaign.Target`."""

    def __init__(self, dice: Random) -> None:
        self._dice = dice
        self._mutator = Mutator(dice)
        self._loop = asyncio.new_event_loop()
        self._engine = Engine(ROOM, "de")  # it understands what is written, and needs no recogniser
        self._loop.run_until_complete(self._start())
        self._tasks: set[asyncio.Task[None]] = set()
        self._dialect: DialectName = "ga"
        self._call_id = "c"
        self.last_answer = ""
        """The type of the server's last event."""
        self._left = 0
        self._begin()

    def make(self) -> str | bytes:
        """A mutated client event, after a good one now and then."""
        if self._left <= 0:
            self._begin()
        self._left -= 1
        if self._left % 5 == 0:
            self._put(json.dumps(self._dice.choice(_events(self._dialect))))
        bad = self._mutator.json(self._dice.choice(_events(self._dialect)))
        return bad if self._dice.random() < 0.1 else bad.decode(errors="replace")

    def feed(self, case: str | bytes) -> None:
        """One frame of the client."""
        self._put(case)

    def close(self) -> None:
        """End the engine."""
        self._settle()
        self._loop.run_until_complete(self._engine.close())
        self._loop.close()

    async def _start(self) -> None:
        self._engine.start()

    def _begin(self) -> None:
        self._settle()
        self._left = LIFE
        self._dialect = self._dice.choice(("ga", "beta"))
        session = default_session("sess_1", "realtime", "gpt-realtime")
        dialect = Beta() if self._dialect == "beta" else Ga()
        self._peer = Peer(self._engine, session, dialect, self._send, self._spawn)
        self._put(json.dumps(_events(self._dialect)[0]))

    def _put(self, frame: str | bytes) -> None:
        if isinstance(frame, str):
            frame = frame.replace(_LAST_CALL, self._call_id)
        self._loop.run_until_complete(self._peer.receive(frame))
        for task in [task for task in self._tasks if task.done()]:
            self._tasks.discard(task)
            task.result()  # what a response did not stand

    def _settle(self) -> None:
        """The client leaves: what was begun for it is cancelled, as the server does."""
        tasks = list(getattr(self, "_tasks", ()))
        for task in tasks:
            task.cancel()
        if tasks:
            results = self._loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
            self._tasks.clear()
            for result in results:
                if isinstance(result, Exception):
                    raise result

    async def _send(self, event: dict[str, Any]) -> None:
        json.dumps(event, allow_nan=False).encode()
        assert_published("server", event, self._dialect)
        self.last_answer = event["type"]
        if event["type"] == "response.output_item.done" and "call_id" in event["item"]:
            self._call_id = event["item"]["call_id"]

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        return task
