"""The responses of one client: which may run, what they are asked for, and what is decided to say.

The rules:

1. One response at a time belongs to the conversation; a few out-of-band ones may run beside it.
2. A response waits for what was committed before it.
3. Speech interrupts the conversation's response where the session says so. A turn that ends while a response still
   runs is answered after it. A silence that timed out is answered by a question.
4. An out-of-band response whose metadata has `voice_node: say` speaks the text of its input as it stands.
5. A client has a number of responses a minute; one more fails.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Any

from voice_node.local import wire
from voice_node.local.conversation import Conversation, Item, entries_of, read_item
from voice_node.local.dialogue import Answer, Say
from voice_node.local.engine import Engine
from voice_node.local.hearing import Hearing, Spawn
from voice_node.local.rate_limit import RateLimit
from voice_node.local.refusal import Refused
from voice_node.local.responding import Order, Response, Send
from voice_node.local.session import check_response

STILL_THERE = "Are you still there?"
_MOST_OUT_OF_BAND = 4


class Answering:
    """`session` is to be replaced at every `session.update`."""

    def __init__(
        self,
        engine: Engine,
        conversation: Conversation,
        hearing: Hearing,
        session: Mapping[str, Any],
        send: Send,
        spawn: Spawn,
    ) -> None:
        self.session = session
        self._engine = engine
        self._conversation = conversation
        self._hearing = hearing
        self._send = send
        self._spawn = spawn
        self._limit = RateLimit()
        self._active: Response | None = None
        self._beside: dict[str, Response] = {}
        self._is_turn_waiting = False

    def create(self, config: object) -> None:
        """What `response.create` asks for. Raises Refused."""
        if self.session["type"] != "realtime":
            raise Refused("invalid_value", "A transcription session gives no responses.", "type")
        checked = check_response(config)
        is_out_of_band = checked.get("conversation") == "none"
        items = self._input(checked)
        order = self._order(checked, is_out_of_band)
        if is_out_of_band and len(self._beside) >= _MOST_OUT_OF_BAND:
            raise Refused("too_many_responses", f"{_MOST_OUT_OF_BAND} out-of-band responses are still running.")
        if not is_out_of_band and self._active is not None:
            raise Refused(
                "conversation_already_has_active_response",
                f"Conversation already has an active response in progress: {self._active.order.id}. "
                "Wait until the response is finished before creating a new one.",
            )
        self._start(order, items)

    def answer_turn(self) -> None:
        """A turn is over, and the session says that it is answered."""
        if self.session["type"] != "realtime":
            return
        if self._active is not None:
            self._is_turn_waiting = True
        else:
            self._start(self._order({}, is_out_of_band=False), None)

    def ask(self) -> None:
        """Nobody has said anything for long, and the session says that this is answered."""
        if self.session["type"] == "realtime" and self._active is None:
            self._start(self._order({}, is_out_of_band=False), None, STILL_THERE)

    def interrupt(self) -> None:
        """Somebody speaks."""
        self._is_turn_waiting = False
        if self._active is not None:
            self._active.cancel("turn_detected")

    def cancel(self, response_id: object) -> None:
        """One of them, or the conversation's. Raises Refused."""
        response = self._active
        if isinstance(response_id, str):
            is_active = response is not None and response.order.id == response_id
            response = response if is_active else self._beside.get(response_id)
        if response is None:
            raise Refused("response_cancel_not_active", "Cancellation failed: no active response found.", "response_id")
        response.cancel()

    def _start(self, order: Order, items: Sequence[Item] | None, words: str | None = None) -> None:
        """`words` are said instead of an answer."""
        response = Response(order, self._conversation, self._engine.voice, self._send)
        if order.is_out_of_band:
            self._beside[order.id] = response
        else:
            self._active = response
        self._spawn(self._respond(response, items, words)).set_name(order.id)

    async def _respond(self, response: Response, items: Sequence[Item] | None, words: str | None) -> None:
        unheard = self._hearing.unheard

        async def decide() -> Answer:
            await self._send(wire.rate_limits_updated(self._limit.limit, self._limit.remaining, self._limit.reset_s))
            if words is not None:
                return Say(words)
            metadata = response.order.metadata or {}
            if response.order.is_out_of_band and metadata.get("voice_node") == "say":
                return Say(" ".join(item.words for item in items or () if item.words))
            if unheard:
                await asyncio.wait(unheard)
            entries = self._conversation.entries() if items is None else list(entries_of(items))
            return self._engine.answer(entries, response.order.offered)

        if self._limit.take(time.monotonic()):
            done = await response.run(decide)
        else:
            message = f"Rate limit reached: {self._limit.limit} responses a minute."
            done = await response.fail("rate_limit_exceeded", message)
        self._beside.pop(response.order.id, None)
        if self._active is response:
            self._active = None  # before the client hears of it and asks for the next
            self._hearing.reply_was_sent(response.audio_ms)
        await self._send(done)
        if self._is_turn_waiting and self._active is None:
            self._is_turn_waiting = False
            self.answer_turn()

    def _input(self, config: Mapping[str, Any]) -> list[Item] | None:
        """The items that take the conversation's place; None: the conversation."""
        if "input" not in config:
            return None
        items: list[Item] = []
        for index, raw in enumerate(config["input"]):
            place = f"response.input[{index}]"
            if isinstance(raw, dict) and raw.get("type") == "item_reference":
                items.append(self._conversation.get(raw.get("id")))
            else:
                items.append(read_item(raw, place))
        return items

    def _order(self, config: Mapping[str, Any], is_out_of_band: bool) -> Order:
        session = self.session
        output = {**session["audio"]["output"], **config.get("audio", {}).get("output", {})}
        return Order(
            id=wire.new_id("resp"),
            is_out_of_band=is_out_of_band,
            modalities=tuple(config.get("output_modalities", session["output_modalities"])),
            offered=self._offered(config),
            metadata=config.get("metadata"),
            speed=output["speed"],
            voice=output["voice"] if isinstance(output["voice"], str) else None,
            most_tokens=config.get("max_output_tokens", session["max_output_tokens"]),
            sound=output["format"],
        )

    def _offered(self, config: Mapping[str, Any]) -> frozenset[str]:
        tools = config.get("tools", self.session["tools"])
        choice = config.get("tool_choice", self.session["tool_choice"])
        names = frozenset(tool["name"] for tool in tools) & self._engine.tools.keys()
        if isinstance(choice, dict):
            return names & {choice["name"]}
        return frozenset() if choice == "none" else names
