"""Room files that nobody meant to write: each is read, or refused in words for people."""

import json
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from voice_node.model.errors import ConfigError
from voice_node.settings.load import load_room
from voice_node.settings.schema import RoomSettings
from voice_node.settings.tools import Tool

ROOMS = Path(__file__).parents[2] / "config" / "rooms"


def assert_read_or_refused_plainly(folder: Path, content: bytes) -> None:
    path = folder / "fuzzed.yaml"
    path.write_bytes(content)
    try:
        room = load_room(path)
    except ConfigError as error:
        said = str(error)
    else:
        assert isinstance(room.settings, RoomSettings)
        said = "\n".join(room.warnings)
    assert all(line.startswith(str(path)) for line in said.split("\n") if line), said
    assert not any(word in said for word in ("Input should", "literal[", "constrained", "Settings", "dict[")), said
    said.encode("utf-8")


FUZZ = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
PIECES = [
    b"",
    b"\t",
    b": ",
    b"- ",
    b"{",
    b"}",
    b"[",
    b"]",
    b"'",
    b'"',
    b"&a ",
    b"*a",
    b"!!int ",
    b"!",
    b"|\n",
    b"#",
    b"\n",
]
PIECES += [
    b"  ",
    b"<<: ",
    b"~",
    b"true",
    b"-1",
    b"9" * 5000,
    b".inf",
    b"\xff",
    b"\0",
    b"\\",
    b"%",
    b"? ",
    b"=",
    b"---\n",
]
PIECES += [b"room: b\n"]
KITCHEN = (ROOMS / "kitchen.yaml").read_bytes()
BEDROOM = (ROOMS / "bedroom.yaml").read_bytes()
EDIT = st.tuples(st.integers(0, len(BEDROOM)), st.integers(0, 12), st.sampled_from(PIECES))
EDITS = st.lists(EDIT, min_size=1, max_size=6)


@FUZZ
@given(EDITS)
def test_a_mutated_file_gives_nothing_but_a_config_error(tmp_path: Path, edits: list[tuple[int, int, bytes]]) -> None:
    content = BEDROOM
    for start, length, piece in edits:
        content = content[:start] + piece + content[start + length :]
    assert_read_or_refused_plainly(tmp_path, content)


@FUZZ
@given(
    st.lists(st.sampled_from(PIECES), max_size=30).map(b"".join)
    | st.binary(max_size=60)
    | st.text(max_size=60).map(str.encode)
)
@example(b'a: "\\UFFFFFFFF"')
def test_rubbish_gives_nothing_but_a_config_error(tmp_path: Path, content: bytes) -> None:
    assert_read_or_refused_plainly(tmp_path, content)


SCALARS = st.none() | st.booleans() | st.integers(-5, 10**20) | st.floats() | st.text(max_size=5)
KEYS = st.sampled_from(
    [*RoomSettings.model_fields, "type", "topic", "url", "payload", "password", "x", "properties", "cert"]
)
VALUES: st.SearchStrategy[Any] = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)


@st.composite
def rooms(draw: st.DrawFn) -> str:
    """A room file of the right sections and keys with wrong values, as JSON (which is YAML)."""
    values: dict[str, Any] = {"room": "a"}
    for name, info in RoomSettings.model_fields.items():
        keys = list(getattr(info.annotation, "model_fields", {}))
        if len(keys) > 0 and draw(st.booleans()):
            section: st.SearchStrategy[Any] = st.dictionaries(st.sampled_from(keys), VALUES, max_size=3)
            values[name] = draw(section)
        elif draw(st.integers(0, 4)) == 0:
            values[name] = draw(VALUES)
    tools = st.dictionaries(st.sampled_from(list(Tool.model_fields)), VALUES | st.just("{x}"), max_size=5)
    values["tools"] = draw(st.lists(tools | VALUES, max_size=3))
    return json.dumps(values)


@FUZZ
@given(rooms())
def test_wrong_values_give_nothing_but_a_config_error(tmp_path: Path, text: str) -> None:
    assert_read_or_refused_plainly(tmp_path, text.encode())


def test_the_kitchen_with_one_line_less_or_changed_never_breaks_the_loader(tmp_path: Path) -> None:
    lines = KITCHEN.splitlines(keepends=True)
    for index in range(0, len(lines), 9):
        assert_read_or_refused_plainly(tmp_path, b"".join(lines[:index] + lines[index + 1 :]))
        assert_read_or_refused_plainly(tmp_path, b"".join([*lines[:index], b"  " + lines[index], *lines[index + 1 :]]))
