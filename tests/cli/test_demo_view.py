import io
import json
from typing import Any

import pytest
from rich.console import Console

from voice_node.cli.demo_view import DemoView
from voice_node.mqtt.message import Incoming
from voice_node.mqtt.topics import Topics

TOPICS = Topics("voice_node", "demo")


class Screen:
    """A view and what it printed."""

    def __init__(self) -> None:
        self._file = io.StringIO()
        self.view = DemoView(Console(file=self._file, width=200), TOPICS)

    @property
    def text(self) -> str:
        return self._file.getvalue()

    def event(self, event_type: str, turn_id: str | None = "t1", **fields: Any) -> None:
        content = {"event_type": event_type, "room": "demo", **fields} | ({"turn_id": turn_id} if turn_id else {})
        self.view.hear(Incoming(TOPICS.event, json.dumps(content).encode()))


@pytest.fixture
def screen() -> Screen:
    return Screen()


def a_turn(screen: Screen, turn_id: str, *, is_ok: bool = True) -> None:
    screen.event("segment", turn_id, duration_ms=1960, snr_db=20.0)
    screen.event("transcript", turn_id, text="turn on [the] light")
    screen.event("tool_call", turn_id, name="set_light", arguments={"area": "hall", "state": "on"})
    failure = {} if is_ok else {"error": "no answer in time"}
    screen.event("tool_result", turn_id, is_ok=is_ok, duration_ms=4, **failure)
    screen.event("response", turn_id, text="The light is on.")
    screen.event("turn_finished", turn_id, timings_ms={"commit": 0, "first_sound": 233})


def test_a_turn_step_by_step(screen: Screen) -> None:
    a_turn(screen, "t1")
    for words in (
        "2.0 s of sound leave the room, 20.0 dB above its noise",
        "“turn on [the] light”",
        "set_light area=hall state=on",
        "done, after 4 ms",
        "“The light is on.”",
        "after the end of speech: commit 0 ms, first sound 233 ms",
    ):
        assert words in screen.text


def test_the_summary_counts(screen: Screen) -> None:
    a_turn(screen, "t1")
    assert screen.view.summary() == 1
    assert "1 sentence heard, 1 tool call, 1 of them answered, 1 reply; 0 without a command" in screen.text
    assert "turn on [the] light" in screen.text.split("What happened")[1]
    assert "233 ms" in screen.text.split("What happened")[1]


def test_a_call_that_failed_is_not_counted_as_answered(screen: Screen) -> None:
    a_turn(screen, "t1", is_ok=False)
    screen.event("segment", "t2", duration_ms=1000, snr_db=9)
    assert screen.view.summary() == 0
    assert "no answer in time" in screen.text
    assert "2 sentences heard, 1 tool call, 0 of them answered, 1 reply; 1 without a command" in screen.text


def test_an_announcement_is_no_sentence_that_was_heard(screen: Screen) -> None:
    a_turn(screen, "t1")
    screen.event("response", "t2", text="Dinner is ready.")
    screen.event("turn_finished", "t2", timings_ms={"first_sound": 90})
    assert screen.view.summary() == 1
    assert "1 sentence heard, 1 tool call, 1 of them answered, 2 replies; 0 without a command" in screen.text
    assert "Dinner is ready." in screen.text.split("What happened")[1]
    assert "nothing" not in screen.text.split("What happened")[1].split("1 sentence")[0]


def test_nothing_heard_is_a_summary_too(screen: Screen) -> None:
    assert screen.view.summary() == 0
    assert "0 sentences heard, 0 tool calls" in screen.text


def test_trouble_and_states_are_shown(screen: Screen) -> None:
    screen.event("error", None, code="capture", detail="no [microphone]")
    screen.view.hear(Incoming(TOPICS.state, b'{"state": "muted"}'))
    screen.view.hear(Incoming(TOPICS.state, b'{"state": "thinking"}'))
    screen.view.hear(Incoming(TOPICS.availability, b"online"))
    screen.view.home("hall light: on [really]")
    assert "no [microphone]" in screen.text
    assert "muted" in screen.text
    assert "thinking" not in screen.text
    assert "the room is online" in screen.text
    assert "hall light: on [really]" in screen.text
    assert all(line == line.rstrip() for line in screen.text.splitlines())


def test_other_topics_and_happenings_are_left_out(screen: Screen) -> None:
    for topic in (TOPICS.speech, TOPICS.transcript, TOPICS.info, TOPICS.call("set_light"), "elsewhere/state"):
        screen.view.hear(Incoming(topic, b"{}"))
    screen.event("wake")
    assert screen.text == ""
