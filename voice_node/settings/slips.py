"""What is probably wrong with a text that is no YAML, from its lines alone: the parser often notices a slip much later.

Asked only where the parser failed. Looked at are the line where it did and the few before it:

1. a `:`, or the space behind it or behind a `-`, is missing, or `=` stands in its place;
2. a quote is opened and not closed on its line;
3. a line begins in a column in which no line above it that it could belong to begins;
4. a value holds `: ` and has no quotes.

Lines of texts (`key: |`) and of what is opened by a bracket are not looked at, nor are comments.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from voice_node.settings.problem import one_of
from voice_node.settings.schema import RoomSettings
from voice_node.settings.section import Section
from voice_node.settings.wording import find_lacking, sections_in

_LOOKED_BACK = 3
"""Lines before the one where the parser failed; a missing `:` is noticed on the next line."""
_JSON_SCHEMA = ("type", "properties", "required", "enum", "items", "minimum", "maximum", "default")
_KEY = re.compile(r"""(?:\w[\w.$/-]*|"[^"]*"|'[^']*')\s*:(?=\s|$)""")
_TEXT_BEGINS = re.compile(r"[:-]\s+[|>][-+0-9]*\s*(?:#.*)?$")
_OPENING, _CLOSING = "[{", "]}"


@dataclass(frozen=True, slots=True)
class _Line:
    number: int
    columns: tuple[int, ...]
    """Of its dashes, and of what stands behind them; from 1."""
    content: str
    """Behind the dashes."""
    is_quote_open: bool
    """A quote is opened and not closed on it."""

    @property
    def is_key(self) -> bool:
        return _KEY.match(self.content) is not None


def find_slip(text: str, failed: int) -> tuple[int, str] | None:
    """The line of the probable slip and its words, or None; `failed` is the line where the parser gave up, from 1."""
    lines = [line for line in _lines(text) if line.number <= failed]
    if not lines:
        return None
    known = _known_keys()
    near = lines[-1 - _LOOKED_BACK :]
    for line in reversed(near):
        if not line.is_key and (said := find_lacking(line.content, known)):
            return line.number, said
    for line in reversed(lines):
        if line.is_quote_open:
            return line.number, "a quote is opened here and not closed on this line"
    last = near[-1]
    if last.number == failed and (said := _column(lines)):
        return failed, said
    if last.number == failed and re.search(r"^[^:]*:\s+[^\s\[{].*:(\s|$)", _without_quoted(last.content)):
        return failed, "a text that holds `: ` needs quotes around it"
    before = near[-2] if len(near) > 1 and last.number == failed else last
    if not before.is_key and len(before.columns) == 1:
        return before.number, "this line has no `:`, and belongs to no text above it: keys are written `name: value`"
    return None


def _column(lines: Sequence[_Line]) -> str | None:
    """Whether the last line begins in a column of its own."""
    *above, last = lines
    is_open: list[int] = []
    for line in above:
        is_open = [column for column in is_open if column < line.columns[0]] + list(line.columns)
    begins = last.columns[0]
    is_deeper = bool(above) and above[-1].content.split("#")[0].rstrip().endswith(":") and begins > is_open[-1]
    if not is_open or begins in is_open or is_deeper:
        return None
    columns = one_of([str(column) for column in is_open])
    return f"this line begins in column {begins}, the lines above it that it could belong to in column {columns}"


def _lines(text: str) -> Iterator[_Line]:
    """Those with a key or an item of a list."""
    key_column: int | None = None  # of the text that may go on
    text_column: int | None = None
    depth = 0
    for number, raw in enumerate(text.splitlines(), start=1):
        content = raw.lstrip(" ")
        column = len(raw) - len(content) + 1
        if key_column is not None and content and column > key_column and column >= (text_column or column):
            text_column = text_column or column
            continue
        if not content or content.startswith("#"):
            continue
        key_column = text_column = None
        columns = [column]
        while match := re.match(r"-\s+(?=\S)", content):
            content = content[match.end() :]
            columns.append(columns[-1] + match.end())
        was_open, (depth, is_quote_open) = depth, _scan(content, depth)
        if not was_open:
            yield _Line(number, tuple(columns), content, is_quote_open)
        if not depth and _TEXT_BEGINS.search(raw):
            key_column = column


def _scan(content: str, depth: int) -> tuple[int, bool]:
    """How many brackets are open behind it, of `depth` before it, and whether it ends in a quote."""
    quote, before = "", " "
    is_escaped = False
    for char in content:
        if quote:
            is_end = char == quote and not is_escaped
            is_escaped = quote == '"' and char == "\\" and not is_escaped
            quote = "" if is_end else quote
        elif char in "\"'" and before in " [{,":
            quote = char
        elif char == "#" and before == " ":
            break
        elif char in _OPENING and (depth or before == " "):
            depth += 1
        elif char in _CLOSING and depth:
            depth -= 1
        before = char
    return depth, bool(quote)


def _without_quoted(content: str) -> str:
    return re.sub(r"""(?<=[\s\[{,])("[^"]*"|'[^']*')""", "", content.split(" #")[0])


def _known_keys() -> set[str]:
    return {*_JSON_SCHEMA, *_keys_of(RoomSettings)}


def _keys_of(section: type[Section]) -> Iterator[str]:
    for name, info in section.model_fields.items():
        yield name
        for inner in sections_in(info.annotation):
            yield from _keys_of(inner)
