"""A YAML file as plain values, with the line of each key. The only module that knows the YAML library.

YAML 1.2: `off`, `no`, `22:30` and dates are text, `0123` is 123. What YAML can do beyond plain data is refused:
tags, merge keys, numbers that are not finite, keys that are not text, anchors that contain themselves. Aliases are
expanded, up to a bound.
"""

import math
import re
import stat
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, ReusedAnchorWarning, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from ruamel.yaml.reader import ReaderError

from voice_node.settings.problem import KeyPath, Problem, key_name, shown
from voice_node.settings.slips import find_slip

LARGEST_FILE_BYTES = 1024 * 1024
MOST_VALUES = 100_000
DEEPEST = 32
_TAG = "tag:yaml.org,2002:"

_SYNTAX = (
    (r"character '\\t'", "a tab: indent with spaces"),
    (r"cannot start any token", "a text cannot begin with this character: put quotes around the text"),
    (
        r"mapping values are not allowed",
        "a `:` where none can be: check the indentation of this line, and put quotes around a text that holds `: `",
    ),
    (r"sequence entries are not allowed", "a list cannot begin on the line of its key: put each `- ` on its own line"),
    (r"could not find expected ':'", "a key without `:` after it"),
    (r"unexpected end of stream", "a quote is opened here and never closed"),
    (r"expected ',' or '\]'", "the list that opens here with `[` has no `]` or lacks a comma"),
    (r"expected ',' or '\}'", "what opens here with `{` has no `}` or lacks a comma"),
    (r"found undefined alias", "an alias of an anchor that is nowhere: put quotes around a text that begins with `*`"),
    (r"escape", "a backslash that YAML does not know in double quotes: take single quotes, or write it twice"),
    (r"but found another document", "a second document begins here: one file holds one room"),
    (r"incompatible YAML document", "a YAML version that cannot be read: delete the line that begins with `%YAML`"),
    (r"undefined tag handle", "a tag (`!name`): a room file has none; put quotes around a text that begins with `!`"),
    (r"found '<scalar>'", "text that does not belong to the line before: check the indentation and the quotes"),
    (r"expected <block end>", "this line does not fit the lines above it: check its indentation"),
)  # fmt: skip
"""What the YAML library says -> what to tell people."""
_MAY_BE_A_SLIP = (
    r"mapping values are not allowed|could not find expected ':'|expected <block end>|expected ',' or|"
    r"expected '<document start>'|unexpected end of stream"
)
"""Said of a line that is often not the one to mend."""
_SAID_WHERE_IT_BEGAN = ("unexpected end of stream", "expected ',' or")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value stands in the text, in characters; an alias stands where its anchor does."""

    begin: int
    end: int
    """Behind its last character."""
    is_flow: bool = False
    """A mapping in braces."""
    first_key: int | None = None
    """Of a mapping that is not empty: where its first key begins."""


@dataclass(slots=True)
class Document:
    """The content of a file; `values` is None where it could not be read at all."""

    values: dict[str, Any] | None = None
    lines: dict[KeyPath, int] = field(default_factory=dict)
    """The line of each key and of each item of a list, from 1."""
    problems: list[Problem] = field(default_factory=list)
    places: dict[KeyPath, Place] = field(default_factory=dict)
    """Of each value; for who changes the text."""
    broken: set[KeyPath] = field(default_factory=set)
    """Places whose value could not be used; None stands there."""

    def line_of(self, path: KeyPath) -> int:
        """The line of `path`; of what contains it, where there is no such key."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)


def read_document(path: Path) -> Document:
    """Read `path`. Whatever is wrong is in `problems`; nothing is raised."""
    try:
        text = _read_text(path)
    except _UnreadableError as error:
        return Document(problems=[Problem((), error.text, line=error.line)])
    return parse_document(text)


def parse_document(text: str) -> Document:
    """The same of the text of a file."""
    document = Document()
    try:
        _Builder(document).build_root(_compose(text))
    except _UnreadableError as error:
        document.values = None
        document.problems.append(Problem((), error.text, line=error.line))
    return document


class _UnreadableError(Exception):
    def __init__(self, text: str, line: int | None = None) -> None:
        self.text = text
        self.line = line


def _read_text(path: Path) -> str:
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise _UnreadableError("is a directory: name the room file itself")
        if not stat.S_ISREG(mode):
            raise _UnreadableError("is not a regular file")
        with path.open("rb") as file:
            content = file.read(LARGEST_FILE_BYTES + 1)
    except FileNotFoundError:
        with_ending = path.with_name(f"{path.name}.yaml")
        hint = f": did you mean {with_ending}?" if path.name and with_ending.is_file() else ""
        raise _UnreadableError(f"there is no such file{hint}") from None
    except PermissionError:
        raise _UnreadableError("this user may not read it: check the owner and the mode of the file") from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else None
        raise _UnreadableError(f"cannot be read: {reason or 'the path is not valid'}") from None
    if len(content) > LARGEST_FILE_BYTES:
        raise _UnreadableError("is larger than 1 MiB: this is no room file")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise _UnreadableError("is not UTF-8 text: save the file with the encoding UTF-8", line) from None


def _compose(text: str) -> Node | None:
    for number, line in enumerate(text.splitlines(), start=1):
        if line.startswith("%"):
            raise _UnreadableError("a line that begins with `%`: a room file needs none, delete it", number)
        if line.strip() and not line.lstrip().startswith("#"):
            break
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ReusedAnchorWarning)
            node: Node | None = YAML(typ="safe", pure=True).compose(text)
            return node
    except MarkedYAMLError as error:
        raise _UnreadableError(*_explain(error, text)) from None
    except ReaderError as error:
        line_number = text.count("\n", 0, int(error.position)) + 1
        raise _UnreadableError("a control character that YAML does not allow: delete it", line_number) from None
    except RecursionError:
        raise _UnreadableError(f"is nested too deeply: {DEEPEST} levels are the most", 1) from None
    except (ValueError, OverflowError):  # chr() of an escaped number
        match = re.search(r"\\U(?!000|0010)", text)
        line_number = text.count("\n", 0, match.start() if match else 0) + 1
        raise _UnreadableError("`\\U` in double quotes names a character that does not exist", line_number) from None
    except YAMLError:
        raise _UnreadableError("is not valid YAML") from None


def _explain(error: MarkedYAMLError, text: str) -> tuple[str, int]:
    said = error.problem or ""
    mark = error.problem_mark
    if mark is not None and re.search(_MAY_BE_A_SLIP, said) and (slip := find_slip(text, mark.line + 1)):
        return slip[1], slip[0]
    if any(words in said for words in _SAID_WHERE_IT_BEGAN) and error.context_mark is not None:
        mark = error.context_mark
    line = mark.line + 1 if mark is not None else 1
    return next((words for pattern, words in _SYNTAX if re.search(pattern, said)), "is not valid YAML here"), line


def _place(node: Node) -> Place:
    begin, end = int(node.start_mark.index), int(node.end_mark.index)
    if not isinstance(node, MappingNode):
        return Place(begin, end)
    first_key = int(node.value[0][0].start_mark.index) if node.value else None
    return Place(begin, end, bool(node.flow_style), first_key)


def _line(node: Node) -> int:
    return int(node.start_mark.line) + 1


class _Builder:
    """Turns the library's nodes into plain values; aliased ones are built anew, so that no value stands twice."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._open: set[int] = set()
        self._count = 0

    def build_root(self, root: Node | None) -> None:
        if root is None or (root.tag == _TAG + "null" and not root.value):
            raise _UnreadableError("the file is empty: the least that it needs is `room: kitchen`", 1)
        if not isinstance(root, MappingNode) or root.tag != _TAG + "map":
            raise _UnreadableError("must hold keys with values, such as `room: kitchen`, at its top", _line(root))
        self._document.lines[()] = _line(root)
        self._document.places[()] = _place(root)
        self._open.add(id(root))
        self._document.values = self._mapping(root, ())

    def _problem(self, path: KeyPath, text: str, node: Node) -> None:
        self._document.problems.append(Problem(path, text, line=_line(node)))

    def _break(self, path: KeyPath, text: str, node: Node) -> None:
        self._problem(path, text, node)
        self._document.broken.add(path)

    def _value(self, node: Node, path: KeyPath) -> Any:
        self._count += 1
        if self._count > MOST_VALUES:
            raise _UnreadableError(f"holds more than {MOST_VALUES} values, aliases (`*name`) counted as often as used")
        if id(node) in self._open:
            self._break(path, "an anchor (`&name`) that contains itself by its alias (`*name`)", node)
            return None
        if len(path) > DEEPEST:
            raise _UnreadableError(f"is nested too deeply: {DEEPEST} levels are the most", _line(node))
        if isinstance(node, ScalarNode):
            return self._scalar(node, path)
        self._open.add(id(node))
        try:
            if isinstance(node, MappingNode) and node.tag == _TAG + "map":
                return self._mapping(node, path)
            if isinstance(node, SequenceNode) and node.tag == _TAG + "seq":
                return self._sequence(node, path)
        finally:
            self._open.discard(id(node))
        self._break(path, _tag_text(str(node.tag)), node)
        return None

    def _mapping(self, node: MappingNode, path: KeyPath) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = self._key(key_node, path)
            if key is None:
                continue
            if key in values:
                first = self._document.lines[*path, key]
                self._problem((*path, key), f"is given twice, first on line {first}: delete one of the two", key_node)
                continue
            self._document.lines[*path, key] = _line(key_node)
            self._document.places[*path, key] = _place(value_node)
            values[key] = self._value(value_node, (*path, key))
        return values

    def _key(self, node: Node, path: KeyPath) -> str | None:
        if not isinstance(node, ScalarNode):
            self._problem(path, "keys must be text: put quotes around a text that holds braces or brackets", node)
        elif node.tag == _TAG + "merge":
            self._problem(path, "merge keys (`<<`) are not taken: write the keys out", node)
        elif node.tag not in (_TAG + "str", _TAG + "timestamp", _TAG + "value"):
            self._problem(
                path, f'keys must be text: put quotes around the key, "{key_name((node.value,), None)}"', node
            )
        elif not _is_printable(node.value):
            self._problem(path, "a key holds a character that is not text", node)
        else:
            return str(node.value)
        return None

    def _sequence(self, node: SequenceNode, path: KeyPath) -> list[Any]:
        values = []
        for index, item in enumerate(node.value):
            self._document.lines[*path, index] = _line(item)
            values.append(self._value(item, (*path, index)))
        return values

    def _scalar(self, node: ScalarNode, path: KeyPath) -> Any:
        text = str(node.value)
        match str(node.tag).removeprefix(_TAG):
            case "str" | "timestamp" | "value":
                if not _is_printable(text):
                    self._break(path, "holds a character that is not text, such as \\0", node)
                    return None
                return text
            case "null":
                return None
            case "bool" if text.lower() in ("true", "false"):
                return text.lower() == "true"
            case "int":
                number: int | float | None = _whole_number(text)
                wanted = "a whole number of at most 18 digits"
            case "float":
                number = _number(text)
                wanted = "a number that is not infinite"
            case _:
                self._break(path, _tag_text(str(node.tag)), node)
                return None
        if number is None:
            self._break(path, f"must be {wanted}, not {shown(text, path)}", node)
        return number


def _tag_text(tag: str) -> str:
    if tag == "!secret":
        return (
            "`!secret` is Home Assistant's own and not known here: give the secret in a file of its own "
            "or an environment variable of the service"
        )
    return "tags (`!name`) are not taken: put quotes around a text that begins with `!`"


def _is_printable(text: str) -> bool:
    return "\0" not in text and not any("\ud800" <= char <= "\udfff" for char in text)


def _whole_number(text: str) -> int | None:
    digits = text.replace("_", "")
    match = re.fullmatch(r"([-+]?)(0x[0-9a-fA-F]{1,15}|0o[0-7]{1,20}|0b[01]{1,60}|[0-9]{1,18})", digits)
    if match is None:
        return None
    sign, amount = match.groups()
    base = {"0x": 16, "0o": 8, "0b": 2}.get(amount[:2], 10)
    return int(sign + amount, base) if base != 10 else int(digits)


def _number(text: str) -> float | None:
    try:
        number = float(text.replace("_", ""))
    except ValueError:  # .inf and .nan, among others
        return None
    return number if math.isfinite(number) else None
