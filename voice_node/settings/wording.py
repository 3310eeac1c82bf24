"""What the schema's checks find, in the words of a person who edits YAML."""

import difflib
import re
import types
from collections.abc import Collection, Iterator, Mapping
from typing import Annotated, Any, TypeGuard, get_args, get_origin

import annotated_types
from pydantic import ValidationError
from pydantic.fields import FieldInfo

from voice_node.settings.problem import KeyPath, Problem, looks_secret, one_of, shown
from voice_node.settings.schema import RoomSettings
from voice_node.settings.section import Section

PATTERNS = {
    r"^[a-z0-9_-]{1,64}$": "1 to 64 of the characters a-z, 0-9, _ and -",
    r"^[a-z0-9_]{1,32}$": "1 to 32 of the characters a-z, 0-9 and _",
    r"^[A-Za-z0-9_-]{1,64}$": "1 to 64 of the characters A-Z, a-z, 0-9, _ and -",
    r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$": "a language such as en, de or pt-BR",
    r"^(ws|wss|http|https)://[^\s]+$": "an address such as wss://example.org/v1/realtime",
    r"^https?://[^\s]+$": "an address such as https://example.org/secret",
    r"^tunnel_[a-z0-9]{32}$": "the id of a tunnel: tunnel_ and 32 of the characters a-z and 0-9",
    r"^[^<>\r\n]+$": "one line without < and >",
}
"""Each pattern of the schema -> what it asks for."""
_HINTS: Mapping[KeyPath, str] = {
    ("room",): "`name` may be any text",
    ("mqtt", "protocol"): "3 stands for MQTT 3.1.1",
    ("session", "tools"): "MCP servers that the service calls; `mcp` and `tools` of this home stand at the left edge",
    ("session", "turn_detection"): "`type: server_vad` and `type: semantic_vad` are the kinds with keys",
}
_WORD = re.compile(r"(\w+)(\s*=\s*|:(?=\S)|\s+|$)(\S?)")
"""A key, what stands where `: ` belongs, and how its value begins."""
_CONTAINERS = {"model_type", "model_attributes_type", "dict_type"}


def problems_of(error: ValidationError, values: Mapping[str, Any]) -> list[Problem]:
    """One problem for each mistake in `values`, however many of a union's branches complain about it."""
    by_place: dict[KeyPath, list[Mapping[str, Any]]] = {}
    problems = []
    for details in error.errors(include_url=False):
        path, union = _place(details, values)
        if union is None or (len(path) > len(union) and details["type"] != "missing"):
            problems.append(Problem(path, _text(details, path)))
        elif details["type"] in ("missing", "union_tag_not_found", "union_tag_invalid"):
            problems.append(Problem(path, _text(details, path)))
            by_place.setdefault(union, [])
        else:
            by_place.setdefault(union, []).append(details)
    answered = [problem.path for problem in problems]
    for place, branches in by_place.items():
        is_answered = any(path[: len(place)] == place for path in answered)
        if branches and not is_answered:
            expected = list(dict.fromkeys(_expected(details, place) for details in branches))
            problems.append(Problem(place, _refused(one_of(expected), branches[0]["input"], place)))
    return problems


def fields_at(path: KeyPath) -> dict[str, FieldInfo]:
    """The keys that may stand below `path`; those of all kinds where there are several, none for free content."""
    sections: list[type[Section]] = [RoomSettings]
    for part in path:
        if isinstance(part, str):
            found = [section.model_fields[part].annotation for section in sections if part in section.model_fields]
            sections = [section for annotation in found for section in sections_in(annotation)]
    return {name: info for section in sections for name, info in section.model_fields.items()}


def find_lacking(content: str, known: Collection[str]) -> str | None:
    """What lacks between a key and its value, or behind a dash, where `content` holds one of the `known` keys."""
    if re.match(r"-[A-Za-z\"'{\[]", content):
        return "a space is missing behind the `-`"
    match = _WORD.match(content)
    if match is None or (match[1] not in known and match[3] not in ("[", "{")):
        return None
    word, between, _ = match.groups()
    if "=" in between:
        return f"`=` stands where a `:` belongs: write `{word}: ` and the value"
    return f"a space is missing behind `{word}:`" if between == ":" else f"a `:` is missing behind `{word}`"


def sections_in(annotation: Any) -> Iterator[type[Section]]:
    """The sections that a type is made of: one for `Tool`, `list[Tool]` and `Tool | None`."""
    if _is_section(annotation):
        yield annotation
    for part in get_args(annotation)[: 1 if get_origin(annotation) is Annotated else None]:
        yield from sections_in(part)


def _is_section(annotation: Any) -> TypeGuard[type[Section]]:
    return isinstance(annotation, type) and get_origin(annotation) is None and issubclass(annotation, Section)


def _place(details: Mapping[str, Any], values: Any) -> tuple[KeyPath, KeyPath | None]:
    """The key that `details` is about, and the union above it, if there is one.

    pydantic mixes the names of a union's branches into the path; a part that the file does not hold is such a name,
    except for the last part of a missing key.
    """
    path: KeyPath = ()
    union: KeyPath | None = None
    here = values
    parts = details["loc"]
    for depth, part in enumerate(parts):
        is_missing_key = details["type"] == "missing" and depth == len(parts) - 1
        if not is_missing_key:
            if not _holds(here, part):
                union = path if union is None else union
                continue
            here = here[part]
        path = (*path, part)
    if details["type"].startswith("union_tag"):
        path, union = (*path, details["ctx"]["discriminator"].strip("'")), path
    return path, union


def _holds(container: Any, part: str | int) -> bool:
    if isinstance(container, dict):
        return part in container
    return isinstance(container, list) and isinstance(part, int) and part < len(container)


def _text(details: Mapping[str, Any], path: KeyPath) -> str:
    kind, value = details["type"], details["input"]
    if kind == "value_error":
        return str(details["ctx"]["error"])
    if kind == "missing":
        return "is missing: this key is needed here"
    if kind == "extra_forbidden":
        return _unknown(path)
    if kind == "union_tag_not_found":
        return f"is missing: must be {_expected(details, path)}"
    if kind == "union_tag_invalid":
        value = value[path[-1]]
    return _refused(_expected(details, path), value, path)


def _refused(expected: str, value: Any, path: KeyPath) -> str:
    info = _field(path)
    may_be_null = info is not None and types.NoneType in get_args(info.annotation)
    hint = f" ({_HINTS[path]})" if path in _HINTS else ""
    if value is None:
        remedy = "" if info is None or info.is_required() else "; delete the line to get the default"
        return f"has no value: must be {expected}{hint}{remedy}"
    if may_be_null:
        expected += ", or null"
    if isinstance(value, str) and not looks_secret(value):
        if expected.startswith(("a whole number", "a number")) and re.fullmatch(r"-?\d+(\.\d+)?", value):
            return f"must be {expected}, not text: take the quotes away"
        if value == "":
            return f"must be {expected}, not empty{hint}"
        if expected.startswith(("keys", "a list")) and (said := find_lacking(value, fields_at(path))):
            return said
    if expected.startswith("text") and isinstance(value, bool | int | float):
        return f"must be {expected}, not {_kind_of(value)}: put quotes around it"
    amount = _items(len(value)) if isinstance(value, list) and "a list" in expected else shown(value, path)
    return f"must be {expected}, not {amount}{hint}"


def _items(count: int) -> str:
    return f"{count} item" + ("" if count == 1 else "s")


def _kind_of(value: bool | float) -> str:
    return f"the word {shown(value)}" if isinstance(value, bool) else f"the number {shown(value)}"


def _expected(details: Mapping[str, Any], path: KeyPath) -> str:
    context = details.get("ctx", {})
    match details["type"]:
        case "literal_error":
            return str(context["expected"]).replace("'", "")
        case "union_tag_invalid" | "union_tag_not_found":
            tags = context.get("expected_tags") or "'server_vad', 'semantic_vad'"
            return one_of(str(tags).replace("'", "").split(", "))
        case "int_type":
            return "a whole number" + _span(path)
        case "float_type":
            return "a number" + _span(path)
        case "greater_than_equal":
            return "a number" + (_span(path) or f" of at least {context['ge']:g}")
        case "greater_than":
            return "a number" + (_span(path) or f" above {context['gt']:g}")
        case "less_than_equal" | "less_than":
            return "a number" + (_span(path) or f" of at most {context.get('le', context.get('lt')):g}")
        case "string_type":
            return "text"
        case "string_pattern_mismatch":
            return PATTERNS.get(context["pattern"], "written in another way")
        case "string_too_short":
            return "text" if context["min_length"] == 1 else f"text of at least {context['min_length']} characters"
        case "string_too_long":
            return f"text of at most {context['max_length']} characters"
        case "bool_type":
            return "true or false"
        case "list_type":
            return "a list: lines that begin with `- `, or items in [ ]"
        case "too_short":
            return f"a list of at least {_items(context['min_length'])}"
        case "too_long":
            return f"a list of at most {_items(context['max_length'])}"
        case kind if kind in _CONTAINERS:
            names = list(fields_at(path))
            return "keys with values" + (f" below it, such as `{names[0]}:`" if names else " below it")
        case _:
            return str(details["msg"]).removeprefix("Input should be ")


def _span(path: KeyPath) -> str:
    """The bounds of a number, as far as the schema has them at the key itself."""
    info = _field(path)
    low = high = above = None
    for item in info.metadata if info is not None else ():
        match item:
            case annotated_types.Ge():
                low = item.ge
            case annotated_types.Gt():
                above = item.gt
            case annotated_types.Le():
                high = item.le
    match (low, above, high):
        case (None, None, None):
            return ""
        case (None, None, _):
            return f" of at most {high:g}"
        case (None, _, None):
            return f" above {above:g}"
        case (None, _, _):
            return f" above {above:g}, at most {high:g}"
        case (_, _, None):
            return f" of at least {low:g}"
        case _:
            return f" from {low:g} to {high:g}"


def _field(path: KeyPath) -> FieldInfo | None:
    last = path[-1] if path else None
    return fields_at(path[:-1]).get(last) if isinstance(last, str) else None


def _unknown(path: KeyPath) -> str:
    name = str(path[-1])
    known = list(fields_at(path[:-1]))
    if said := find_lacking(name, known):
        return said
    near = difflib.get_close_matches(name.lower().replace("-", "_"), known, n=1, cutoff=0.6)
    if near:
        return f"there is no such key: did you mean `{near[0]}`?"
    elsewhere = [section for section in RoomSettings.model_fields if name in fields_at((section,))]
    if name in RoomSettings.model_fields:
        return f"there is no such key here: `{name}` stands at the left edge, in no section"
    if elsewhere and path[:-1] != (elsewhere[0],):
        return f"there is no such key here: it belongs in the section `{elsewhere[0]}`"
    return f"there is no such key: the keys here are {', '.join(known)}"
