"""Changing single numbers of a room file, with every other character of it kept: comments, order, quotes, line ends.

A library that writes YAML anew would wrap long lines, turn `null` into nothing and move comments. So the text itself is
cut at the place of the value, and then read again: what was written must be what was wanted and nothing else.
"""

import copy
import os
import stat
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from voice_node.model.errors import ConfigError
from voice_node.settings.document import Document, Place, parse_document
from voice_node.settings.problem import key_name

Key = tuple[str, str]
"""Section and key: `("gate", "min_snr_db")`."""
_INDENT = "  "


def edited(text: str, changes: Mapping[Key, float]) -> str:
    """The text of a room file with these numbers. ConfigError: it is written in a way that this cannot change."""
    for key, value in changes.items():
        before = parse_document(text)
        if before.values is None:
            raise ConfigError(before.problems[0].text)
        wanted = copy.deepcopy(before.values)
        section = wanted.setdefault(key[0], {})
        if isinstance(section, dict):
            section[key[1]] = value
            text = _with(text, before, key, _written(value))
        # An alias, a second document, a section that is none:
        if not isinstance(section, dict) or parse_document(text).values != wanted:
            place = key_name(key, wanted)
            raise ConfigError(f"{place}: cannot be changed here by a program: write {_written(value)} by hand")
    return text


def write_file(path: Path, text: str) -> None:
    """Put `text` into the file, whole or not at all, with its owner and mode kept; raises ConfigError."""
    target = path.resolve()  # a link stays one
    temporary = target.with_name(f".{target.name}.new")
    try:
        kept = target.stat() if target.exists() else None
        temporary.unlink(missing_ok=True)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with open(descriptor, "w", encoding="utf-8", newline="") as file:  # noqa: PTH123 - it is open already
                if kept is not None:
                    if (kept.st_uid, kept.st_gid) != (os.geteuid(), os.getegid()):
                        os.fchown(descriptor, kept.st_uid, kept.st_gid)
                    os.fchmod(descriptor, stat.S_IMODE(kept.st_mode))
                else:
                    os.fchmod(descriptor, 0o644)
                file.write(text)
                file.flush()
                os.fsync(descriptor)
            temporary.replace(target)
        except OSError:
            with suppress(OSError):
                temporary.unlink()
            raise
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written: {error.strerror or error}; is this for `sudo`?") from None


def read_text(path: Path) -> str:
    """The text of a file as it is, with its line ends; raises ConfigError."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return file.read()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or 'not UTF-8 text'}") from None


def _with(text: str, document: Document, key: Key, value: str) -> str:
    if (place := document.places.get(key)) is not None:
        return _replaced(text, place, value)
    end = "\r\n" if "\r\n" in text else "\n"
    section = document.places.get(key[:1])
    if section is None:
        root = document.places[()]
        if root.is_flow:
            comma = "" if root.first_key is None else ", "
            return _inserted(text, root.begin + 1, f"{key[0]}: {{{key[1]}: {value}}}{comma}")
        gap = "" if text.endswith(("\n", "\r")) else end
        return f"{text}{gap}{end}{key[0]}:{end}{_INDENT}{key[1]}: {value}{end}"
    if section.is_flow:
        comma = "" if section.first_key is None else ", "
        return _inserted(text, section.begin + 1, f"{key[1]}: {value}{comma}")
    if section.first_key is None:
        return text  # an empty section: reading it again tells
    line = text.rfind("\n", 0, section.first_key) + 1
    indent = text[line : section.first_key]
    return _inserted(text, line, f"{indent}{key[1]}: {value}{end}")


def _inserted(text: str, at: int, what: str) -> str:
    return text[:at] + what + text[at:]


def _replaced(text: str, place: Place, value: str) -> str:
    """With a comment that follows on the same line kept in its column."""
    rest = text[place.end :]
    spaces = len(rest) - len(rest.lstrip(" "))
    longer = len(value) - (place.end - place.begin)
    if rest[spaces : spaces + 1] == "#":
        rest = " " * max(1, spaces - longer) + rest[spaces:]
    return text[: place.begin] + value + rest


def _written(value: float) -> str:
    return str(int(value)) if float(value).is_integer() else str(value)
