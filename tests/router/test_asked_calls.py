"""`max_per_minute` beside the ways to confirm: what a person agrees to is not refused for the question before it."""

from typing import Any

from tests.router.switchboard import Switchboard, call, errors, finished, of
from tests.router.test_confirmation import output, published, says
from voice_node.model import command as cmd
from voice_node.model.report import Happening
from voice_node.model.turn import PlaybackChanged


def board(way: str, most: int) -> Switchboard:
    return Switchboard(tools=[{"name": "it", "description": "x", "confirm": way, "max_per_minute": most}])


def agreed(node: Switchboard, number: int) -> Any:
    """The model asks, somebody says yes, and the model calls again."""
    first, second = f"q{number}", f"y{number}"
    assert output(node.hears(call(first, first, "it", "{}")))["status"] == "confirmation_needed"
    says(node, "Shall I?", first, "assistant")
    node.hears(finished(first))
    node.hears(PlaybackChanged(is_speaking=False))
    says(node, "Yes, please", second)
    return node.hears(call(second, second, "it", "{}"))


def test_once_a_minute_with_a_spoken_yes() -> None:
    node = board("voice", 1)
    assert published(agreed(node, 1)) == ["y1"]
    assert errors(node.hears(call("q2", "q2", "it", "{}"))) == ["too_often"], "the next one within the minute"
    node.after(60)
    assert published(agreed(node, 3)) == ["y3"]


def test_a_call_that_is_held_counts_once() -> None:
    node = board("mqtt", 1)
    (asked,) = of(Happening, node.hears(call("c1", "t1", "it", "{}")))
    assert asked.fields["needs_approval"]
    assert errors(node.hears(call("c2", "t1", "it", "{}"))) == ["too_often"]
    assert published(node.gets(cmd.Decide("c1", is_approved=True))) == ["c1"]
