"""`voice-node say|ask|listen|stop|mute|unmute|reset|reload`: what home automation can ask of a room, by hand.

They speak MQTT with the broker of the room file, as anybody may, and show what the room answers. Exit codes: 0 the room
did it, 1 it refused, does not answer or cannot be reached, 78 the room file cannot be used.
"""

import asyncio
import json
import os
import secrets as randomness
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from voice_node.cli.credentials import who_may_read, with_stored
from voice_node.model.errors import ConfigError, NodeError
from voice_node.mqtt.message import Incoming, Message
from voice_node.mqtt.observer import Observer
from voice_node.mqtt.topics import Topics
from voice_node.settings.load import load_room
from voice_node.settings.secrets import check_secrets, read_secrets

CONTEXT = {"help_option_names": ["-h", "--help"]}
RESPONSE_S = 5.0
"""A room answers at once, or it does not run."""
OFFLINE_S = 1.0
"""So long the broker may keep a room as offline that is about to be online, or answers all the same."""


class NoAnswer(NodeError):
    """The room did not do what it was asked; the text says why."""


class Visit:
    """One question to one room."""

    def __init__(self, path: Path, timeout_s: float) -> None:
        """`timeout_s` is for the whole turn."""
        settings = load_room(path).settings
        secrets = read_secrets(with_stored(os.environ, path))
        problems = [problem for problem in check_secrets(settings, secrets) if problem.startswith("mqtt.")]
        if problems:
            raise ConfigError("\n".join(f"{path}: {problem}{who_may_read(path)}" for problem in problems))
        mqtt, password = settings.mqtt, secrets.mqtt_password
        self.room = settings.room
        self.topics = Topics(mqtt.base, settings.room, mqtt.discovery_prefix)
        self.token = randomness.token_hex(16)
        self._timeout_s = timeout_s
        self._doubt = "does it run?"
        if mqtt.username is not None:  # a broker lets everybody subscribe, and says nothing of what it holds back
            self._doubt = f"does it run, and may {mqtt.username} hear all of {self.topics.branch}# at the broker?"
        self._private = f"{self.topics.branch}reply/{self.token}"
        places = ("availability", "event", "transcript", "mute/state", "response/+")
        self._observer = Observer(
            mqtt,
            None if password is None else password.get_secret_value(),
            [*(self.topics.branch + place for place in places), self._private],
            self._hear,
            kept=[self.topics.availability],
        )
        self._is_offline = False
        self._messages: asyncio.Queue[Incoming] = asyncio.Queue(1000)

    def request(self, name: str, fields: dict[str, Any], *, is_whole_turn: bool = False) -> dict[str, Any]:
        """Make a request; its response. `is_whole_turn`: show its answer too, until the turn is over."""
        return asyncio.run(self._visit(lambda: self._request(name, fields, is_whole_turn=is_whole_turn)))

    def set_mute(self, *, is_muted: bool) -> None:
        """Close or open the microphone, and wait until the room says that it did."""
        asyncio.run(self._visit(lambda: self._set_mute("ON" if is_muted else "OFF")))

    async def _visit(self, work: Callable[[], Any]) -> Any:
        await self._observer.start()
        try:
            return await work()
        finally:
            await self._observer.stop()

    async def _request(self, name: str, fields: dict[str, Any], *, is_whole_turn: bool) -> dict[str, Any]:
        self._observer.publish(self._message(name, {**fields, "transaction": self.token}))
        response = await self._response(name)
        if response["status"] != "ok":
            raise NoAnswer(f"{self.room}: {response['error']}")
        if is_whole_turn:
            await self._follow(response["data"]["turn_id"])
        return response

    def _message(self, name: str, fields: dict[str, Any]) -> Message:
        token = self.token.encode()
        try:
            content = json.dumps(fields, ensure_ascii=False).encode()
            return Message(self.topics.request(name), content, 1, response_topic=self._private, correlation=token)
        except UnicodeEncodeError:  # the shell's language is not UTF-8; its text repeats what was typed
            raise NoAnswer("the text is not UTF-8") from None
        except ValueError as error:
            raise NoAnswer(f"the text is too long: {error}") from None

    async def _response(self, name: str) -> dict[str, Any]:
        """On our own topic; of MQTT 3.1.1, which knows none, on everybody's."""

        def is_ours(message: Incoming) -> bool:
            if message.topic == self._private:
                return True
            return message.topic == self.topics.response(name) and _json(message).get("transaction") == self.token

        return _json(await self._answer(is_ours))

    async def _follow(self, turn_id: str) -> None:
        """Show what the turn leads to."""
        until = asyncio.get_running_loop().time() + self._timeout_s
        while True:
            left_s = until - asyncio.get_running_loop().time()
            try:
                message = await self._wait(lambda message: _json(message).get("turn_id") == turn_id, left_s)
            except TimeoutError:
                raise NoAnswer(f"no end of the turn within {self._timeout_s:g} s") from None
            match _json(message):
                case {"role": "assistant", "final": True, "text": str(text)}:
                    click.echo(text)
                case {"event_type": "tool_call", "name": name, "arguments": arguments, "needs_approval": True, **rest}:
                    click.echo(
                        f"[{name} {_shown(dict(sorted(arguments.items())))} waits for approval: {rest['call_id']}]",
                        err=True,
                    )
                case {"event_type": "tool_call", "name": name, "arguments": arguments}:
                    click.echo(f"[{name} {_shown(dict(sorted(arguments.items())))}]", err=True)
                case {"event_type": "error", "detail": detail}:
                    click.echo(f"[{detail}]", err=True)
                    if _json(message)["code"] == "turn_lost":
                        raise NoAnswer(f"{self.room}: {detail}")
                case {"event_type": "turn_finished"}:
                    return

    async def _set_mute(self, wanted: str) -> None:
        self._observer.publish(Message(self.topics.setting_set("mute"), wanted.encode(), 1))

        def is_told(message: Incoming) -> bool:
            """Another state is the answer to somebody else."""
            if message.topic == self.topics.setting_state("mute"):
                return message.payload == wanted.encode() and not message.is_retained
            return wanted == "OFF" and _json(message).get("code") == "unmute_refused"

        told = await self._answer(is_told)
        if told.payload != wanted.encode():
            raise NoAnswer(f"{self.room}: only the switch on the device may open the microphone")

    async def _answer(self, is_it: Callable[[Incoming], bool]) -> Incoming:
        timeout_s = min(RESPONSE_S, self._timeout_s)
        first_s = min(OFFLINE_S, timeout_s)
        try:
            return await self._wait(is_it, first_s)
        except TimeoutError:
            if self._is_offline:
                raise NoAnswer(f"the room {self.room} is not running: the broker has it as offline") from None
        try:
            return await self._wait(is_it, timeout_s - first_s)
        except TimeoutError:
            raise NoAnswer(f"the room {self.room} does not answer within {timeout_s:g} s: {self._doubt}") from None

    async def _wait(self, is_it: Callable[[Incoming], bool], timeout_s: float) -> Incoming:
        async with asyncio.timeout(timeout_s):
            while True:
                message = await self._messages.get()
                if is_it(message):
                    return message

    def _hear(self, message: Incoming) -> None:
        if message.topic == self.topics.availability:
            self._is_offline = message.payload == b"offline"
        elif not self._messages.full():
            self._messages.put_nowait(message)


def _json(message: Incoming) -> dict[str, Any]:
    try:
        content = json.loads(message.payload)
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}


ROOM = click.argument("room", metavar="ROOM.yaml", type=click.Path(path_type=Path))
TIMEOUT = click.option(
    "--timeout", default=90.0, show_default=True, type=click.FloatRange(0.1, 600), help="Seconds to wait at most."
)
AS_JSON = click.option("--json", "is_json", is_flag=True, help="Print the room's response as it is.")


def _show(response: dict[str, Any], is_json: bool, text: str) -> None:
    click.echo(_shown(response) if is_json else text)


def _shown(content: Any) -> str:
    return json.dumps(content, ensure_ascii=False)


@click.command(context_settings=CONTEXT)
@ROOM
@click.argument("text", nargs=-1, required=True)
@click.option("--volume", type=click.IntRange(0, 100), help="How loud, this once.")
@TIMEOUT
@AS_JSON
def say(room: Path, text: tuple[str, ...], volume: int | None, timeout: float, is_json: bool) -> None:
    """Let the room say something.

    Example: voice-node say config/rooms/kitchen.yaml Dinner is ready
    """
    fields = {"text": " ".join(text)} | ({} if volume is None else {"volume": volume})
    response = Visit(room, timeout).request("say", fields)
    _show(response, is_json, f"ok: turn {response['data']['turn_id']}")


@click.command(context_settings=CONTEXT)
@ROOM
@click.argument("text", nargs=-1, required=True)
@click.option("--instructions", help="How to answer, this once.")
@TIMEOUT
@AS_JSON
def ask(room: Path, text: tuple[str, ...], instructions: str | None, timeout: float, is_json: bool) -> None:
    """Ask the room as if you spoke to it, and show its answer. Calls of tools are shown on stderr.

    Example: voice-node ask config/rooms/kitchen.yaml turn on the kitchen light
    """
    fields = {"text": " ".join(text)} | ({} if instructions is None else {"instructions": instructions})
    response = Visit(room, timeout).request("ask", fields, is_whole_turn=not is_json)
    if is_json:
        click.echo(_shown(response))


@click.command(context_settings=CONTEXT)
@ROOM
@click.option("--seconds", type=click.FloatRange(0.1, 60), help="For so long; else as long as the room file says.")
@TIMEOUT
@AS_JSON
def listen(room: Path, seconds: float | None, timeout: float, is_json: bool) -> None:
    """Let the room listen without its wake word.

    Example: voice-node listen config/rooms/kitchen.yaml
    """
    fields = {} if seconds is None else {"timeout_ms": round(seconds * 1000)}
    _show(Visit(room, timeout).request("listen", fields), is_json, "ok: it listens")


@click.command(context_settings=CONTEXT)
@ROOM
@TIMEOUT
@AS_JSON
def stop(room: Path, timeout: float, is_json: bool) -> None:
    """Silence the room, and refuse what waits for a confirmation.

    Example: voice-node stop config/rooms/kitchen.yaml
    """
    _show(Visit(room, timeout).request("stop", {}), is_json, "ok: it is silent")


@click.command(context_settings=CONTEXT)
@ROOM
@TIMEOUT
@AS_JSON
def reset(room: Path, timeout: float, is_json: bool) -> None:
    """Let the room forget its conversation.

    Example: voice-node reset config/rooms/kitchen.yaml
    """
    _show(Visit(room, timeout).request("reset", {}), is_json, "ok: it remembers nothing of what was said")


@click.command(context_settings=CONTEXT)
@ROOM
@TIMEOUT
@AS_JSON
def reload(room: Path, timeout: float, is_json: bool) -> None:
    """Let the room read its file again. What is wrong with it is shown, and then the old settings stay.

    Example: voice-node reload /etc/voice-node/kitchen.yaml
    """
    response = Visit(room, timeout).request("reload", {})
    later = response["data"].get("at_next_session", [])
    _show(response, is_json, "ok: the file is read" + (f"; {', '.join(later)} from the next session on" * bool(later)))


@click.command(context_settings=CONTEXT)
@ROOM
@TIMEOUT
def mute(room: Path, timeout: float) -> None:
    """Close the room's microphone; it stays so over restarts.

    Example: voice-node mute config/rooms/kitchen.yaml
    """
    Visit(room, timeout).set_mute(is_muted=True)
    click.echo("ok: the microphone is closed")


@click.command(context_settings=CONTEXT)
@ROOM
@TIMEOUT
def unmute(room: Path, timeout: float) -> None:
    """Open the room's microphone.

    Example: voice-node unmute config/rooms/kitchen.yaml
    """
    Visit(room, timeout).set_mute(is_muted=False)
    click.echo("ok: the microphone is open")
