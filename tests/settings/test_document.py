"""Plain values with lines. What is refused is in test_load, with its messages."""

from pathlib import Path

from voice_node.settings.document import read_document

TEXT = """\
# a comment

room: a   # line 3
gate:
  frame_ms: 20
tools:
  - name: b
    sentences: [one,
      two]
  -
    name: c
"""


def test_every_key_and_item_has_its_line(tmp_path: Path) -> None:
    path = tmp_path / "room.yaml"
    path.write_text(TEXT, encoding="utf-8")
    document = read_document(path)
    assert document.values == {
        "room": "a",
        "gate": {"frame_ms": 20},
        "tools": [{"name": "b", "sentences": ["one", "two"]}, {"name": "c"}],
    }
    assert document.problems == []
    assert document.lines == {
        (): 3,
        ("room",): 3,
        ("gate",): 4,
        ("gate", "frame_ms"): 5,
        ("tools",): 6,
        ("tools", 0): 7,
        ("tools", 0, "name"): 7,
        ("tools", 0, "sentences"): 8,
        ("tools", 0, "sentences", 0): 8,
        ("tools", 0, "sentences", 1): 9,
        ("tools", 1): 11,
        ("tools", 1, "name"): 11,
    }
    assert document.line_of(("gate", "nowhere", 3)) == 4
    assert document.line_of(("nowhere",)) == 3


def test_numbers_are_those_of_yaml_1_2(tmp_path: Path) -> None:
    path = tmp_path / "room.yaml"
    path.write_text("a: [0123, -5, +5, 0x1F, 0o17, 1_000, 1e3, -0.5, .5, 1:30, 0.1.2, True, NULL, ~, !!str 5]")
    document = read_document(path)
    assert document.problems == []
    assert document.values == {
        "a": [123, -5, 5, 31, 15, 1000, 1000.0, -0.5, 0.5, "1:30", "0.1.2", True, None, None, "5"]
    }


def test_what_is_broken_is_none_and_the_rest_stays(tmp_path: Path) -> None:
    path = tmp_path / "room.yaml"
    path.write_text("a: !x 1\nb: [.inf, 2]\nc: 3\nc: 4\n5: 6\n")
    document = read_document(path)
    assert document.values == {"a": None, "b": [None, 2], "c": 3}
    assert document.broken == {("a",), ("b", 0)}
    assert [problem.line for problem in document.problems] == [1, 2, 4, 5]
