"""Slips of people who write YAML: each is told on the line where it was made, whatever the parser says."""

from pathlib import Path

import pytest

from voice_node.model.errors import ConfigError
from voice_node.settings.document import parse_document
from voice_node.settings.load import load_room
from voice_node.settings.slips import find_slip

ROOM = """\
room: kitchen
name: Kitchen
mqtt:
  host: 192.168.1.10
  username: kitchen
session: {provider: local, voice: en-gb}
gate:
  aggressiveness: 2
  onset_ms: 100
tools:
  - name: set_light  # of the kitchen
    description: |
      Switch a light
      on: or off
    parameters:
      type: object
      properties: {area: {type: string, enum: [kitchen, hall]}, state: {type: string, enum: ["on", "off"]}}
      required: [
        area]
    sentences: ["(turn|switch) {state} [the] {area} (light|lights)"]
  - name: bell
    description: "Ring the bell: once."
    sentences:
      - ring the bell
      - "bell"
log: {level: info}
"""


def said(line: str, instead: str) -> tuple[int, int, str]:
    """The line that was spoilt, the line that is named, and what is said of it."""
    lines = ROOM.splitlines()
    number = lines.index(line) + 1
    document = parse_document(ROOM.replace(f"{line}\n", f"{instead}\n", 1))
    (problem,) = document.problems
    assert problem.line is not None
    return number, problem.line, problem.text


def test_the_room_is_right() -> None:
    assert parse_document(ROOM).problems == []


@pytest.mark.parametrize(
    ("line", "key"),
    [
        ("room: kitchen", "room"),
        ("name: Kitchen", "name"),
        ("mqtt:", "mqtt"),
        ("  host: 192.168.1.10", "host"),
        ("session: {provider: local, voice: en-gb}", "session"),
        ("gate:", "gate"),
        ("  aggressiveness: 2", "aggressiveness"),
        ("tools:", "tools"),
        ("    parameters:", "parameters"),
        ("      type: object", "type"),
        ('    sentences: ["(turn|switch) {state} [the] {area} (light|lights)"]', "sentences"),
        ("  - name: bell", "name"),
        ("    sentences:", "sentences"),
    ],
)
def test_a_missing_colon(line: str, key: str) -> None:
    wrong, told, text = said(line, line.replace(":", "", 1))
    assert (told, text) == (wrong, f"a `:` is missing behind `{key}`")


@pytest.mark.parametrize(
    ("line", "instead", "text"),
    [
        ("name: Kitchen", "name:Kitchen", "a space is missing behind `name:`"),
        ("name: Kitchen", "name = Kitchen", "`=` stands where a `:` belongs: write `name: ` and the value"),
        ('      - "bell"', '      -"bell"', "a space is missing behind the `-`"),
        ("name: Kitchen", "name: Kitchen: the big one", "a text that holds `: ` needs quotes around it"),
        ("name: Kitchen", 'name: "Kitchen', "a quote is opened here and not closed on this line"),
        ("  username: kitchen", "  username: 'kitchen", "a quote is opened here and not closed on this line"),
        ('      - "bell"', '      - "bell', "a quote is opened here and not closed on this line"),
        ("  host: 192.168.1.10", "\thost: 192.168.1.10", "a tab: indent with spaces"),
        ("      type: object", "\t\ttype: object", "a tab: indent with spaces"),
        ("name: Kitchen", "name: Kitchen\nname: Pantry", "is given twice, first on line 2: delete one of the two"),
        (
            "session: {provider: local, voice: en-gb}",
            "session: {provider: local, voice: en-gb",
            "what opens here with `{` has no `}` or lacks a comma",
        ),
        (
            "session: {provider: local, voice: en-gb}",
            "session: {provider: local voice: en-gb}",
            "what opens here with `{` has no `}` or lacks a comma",
        ),
    ],
)
def test_other_slips(line: str, instead: str, text: str) -> None:
    wrong, told, found = said(line, instead)
    assert (told, found) == (wrong + instead.count("\n"), text)


@pytest.mark.parametrize(
    ("line", "instead", "begins", "others"),
    [
        ("name: Kitchen", " name: Kitchen", 2, "1"),
        ("  username: kitchen", "   username: kitchen", 4, "1 or 3"),
        ("  username: kitchen", " username: kitchen", 2, "1 or 3"),
        ("    parameters:", "     parameters:", 6, "1, 3 or 5"),
        ("log: {level: info}", " log: {level: info}", 2, "1, 3, 5, 7 or 9"),
    ],
)
def test_a_line_that_begins_in_a_wrong_column(line: str, instead: str, begins: int, others: str) -> None:
    wrong, told, text = said(line, instead)
    assert told == wrong
    assert text == (
        f"this line begins in column {begins}, the lines above it that it could belong to in column {others}"
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("room: a\ngate:\n  frame_ms 20\n", "gate: a `:` is missing behind `frame_ms`"),
        ("room: a\nlog {level: info}\n", "log {level: a `:` is missing behind `log`"),
        ("room: a\ntools:\n  -name\n", "tools: a space is missing behind the `-`"),
    ],
)
def test_what_is_yaml_and_yet_a_slip(tmp_path: Path, text: str, expected: str) -> None:
    path = tmp_path / "room.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_room(path)
    assert str(caught.value).endswith(expected)


def test_where_no_slip_is_seen_nothing_is_guessed() -> None:
    assert find_slip("", 1) is None
    assert find_slip("room: a\nname: 'x' y\n", 2) is None
    assert find_slip("room: |\n  mqtt\n  host\nname: b\n", 4) is None
