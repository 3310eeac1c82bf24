"""What the demo shows: each happening of the room, as an onlooker at the broker hears it, and a summary."""

import json
import time
from collections.abc import Sized
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from voice_node.mqtt.message import Incoming
from voice_node.mqtt.topics import Topics


@dataclass(slots=True)
class TurnRow:
    """One turn, for the summary."""

    is_heard: bool = False
    """Sound or words of a person; an announcement has neither."""
    heard: str = ""
    call: str = ""
    answer: str = ""
    reply: str = ""
    timings_ms: dict[str, int] = field(default_factory=dict)


class DemoView:
    """Prints as it hears."""

    def __init__(self, console: Console, topics: Topics) -> None:
        self._console = console
        self._topics = topics
        self._began = time.monotonic()
        self.turns: dict[str, TurnRow] = {}

    def hear(self, message: Incoming) -> None:
        """Show a message of the room; those that an onlooker need not see are left out."""
        place = self._topics.below(message.topic)
        if place == "availability":
            self._line("broker", f"the room is {message.payload.decode()}")
        elif place in ("event", "state"):
            content = json.loads(message.payload)
            if place == "event":
                self._event(content)
            elif content["state"] in ("listening", "offline", "muted"):
                self._line(content["state"], "")

    def home(self, what: str) -> None:
        """Show what home automation did."""
        self._line("home", f"[bold green]{escape(what)}[/]")

    def summary(self) -> int:
        """A table of all turns; the number of calls that were answered."""
        table = Table(title="What happened", title_justify="left", expand=False)
        for name in ("heard", "called", "reply"):
            table.add_column(name, overflow="fold")
        table.add_column("first sound", justify="right", no_wrap=True)
        for row in self.turns.values():
            first_ms = row.timings_ms.get("first_sound")
            call = f"{row.call} → {row.answer}" if row.call else "nothing" * row.is_heard
            sound = "none" if first_ms is None else f"{first_ms} ms"
            table.add_row(*map(escape, (row.heard, call, row.reply, sound)))
        self._console.print()
        self._console.print(table)
        calls = [row for row in self.turns.values() if row.call]
        answered = [row for row in calls if row.answer == "done"]
        replies = [row for row in self.turns.values() if row.reply]
        heard = [row for row in self.turns.values() if row.is_heard]
        others = sum(not row.call for row in heard)
        self._console.print(
            f"{_count(heard, 'sentence', 'sentences')} heard, {_count(calls, 'tool call', 'tool calls')}, "
            f"{len(answered)} of them answered, {_count(replies, 'reply', 'replies')}; "
            f"{others} without a command called nothing."
        )
        self._console.print("Times count from the end of speech: the moment when the gate closed.", style="dim")
        return len(answered)

    def _event(self, content: dict[str, Any]) -> None:
        row = self.turns.setdefault(content["turn_id"], TurnRow()) if "turn_id" in content else TurnRow()
        match content["event_type"]:
            case "segment":
                row.is_heard = True
                seconds = content["duration_ms"] / 1000
                self._line("gated", f"{seconds:.1f} s of sound leave the room, {content['snr_db']} dB above its noise")
            case "transcript":
                row.is_heard, row.heard = True, content["text"]
                self._line("recognised", f"[bold]“{escape(row.heard)}”[/]")
            case "tool_call":
                row.call = f"{content['name']} {_arguments(content['arguments'])}"
                self._line("called", f"[cyan]{escape(row.call)}[/]")
            case "tool_result":
                row.answer = "done" if content["is_ok"] else str(content.get("error", "failed"))
                self._line("answered", f"{escape(row.answer)}, after {content['duration_ms']} ms")
            case "response":
                row.reply = content["text"]
                self._line("reply", f"[bold magenta]“{escape(row.reply)}”[/]")
            case "turn_finished":
                row.timings_ms = content["timings_ms"]
                times = ", ".join(f"{name.replace('_', ' ')} {ms} ms" for name, ms in row.timings_ms.items())
                self._line("finished", f"[dim]after the end of speech: {times}[/]")
                self._console.print()
            case "error":
                self._line("trouble", f"[red]{escape(str(content['detail']))}[/]")

    def _line(self, what: str, text: str) -> None:
        self._console.print(
            f"[dim]{time.monotonic() - self._began:6.2f} s[/]  {what:<11} {text}".rstrip(), highlight=False
        )


def _count(things: Sized, one: str, many: str) -> str:
    return f"{len(things)} {one if len(things) == 1 else many}"


def _arguments(arguments: dict[str, Any]) -> str:
    return " ".join(f"{name}={value}" for name, value in arguments.items())
