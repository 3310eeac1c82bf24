"""A room file into settings: everything that is wrong with it at once, each with its line."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from voice_node.model.errors import ConfigError
from voice_node.settings.broker_address import check_broker_address
from voice_node.settings.checks import WAV, check_files, check_settings, find_idle
from voice_node.settings.defaults import with_dependent_defaults
from voice_node.settings.document import Document, read_document
from voice_node.settings.extras import check_extras, find_missed
from voice_node.settings.fallback import find_no_fallback
from voice_node.settings.offline_language import find_unheard_language
from voice_node.settings.problem import Problem, key_name
from voice_node.settings.retired import find_retired
from voice_node.settings.schema import BUNDLED_WAKE_WORDS, RoomSettings
from voice_node.settings.secrets import find_written_secrets
from voice_node.settings.validate import Check, validate

MOST_PROBLEMS = 100


@dataclass(frozen=True, slots=True)
class LoadedRoom:
    """A room file that can be used."""

    settings: RoomSettings
    """Names of files in it are absolute."""
    path: Path
    warnings: tuple[str, ...] = ()
    """`FILE:LINE: KEY: TEXT`: what the file asks for and does nothing, and what will end."""


def load_room(path: Path, extra_checks: Iterable[Check] = ()) -> LoadedRoom:
    """Read the room file at `path`; `extra_checks` look at its settings as well.

    Raises `ConfigError` with a line for each problem: `FILE:LINE: KEY: what is wrong and what would be right`.
    """
    document = read_document(path)
    if document.values is None:
        raise ConfigError(_report(path, document, document.problems))
    values = document.values
    problems = list(document.problems)
    problems += [problem for problem in find_written_secrets(values) if problem.path not in document.broken]
    secret = {problem.path for problem in problems} - {problem.path for problem in document.problems}
    folder = path.parent

    def check(settings: RoomSettings) -> Iterable[Problem]:
        return (
            *check_settings(settings),
            *check_extras(settings),
            *check_broker_address(settings),
            *check_files(settings, folder),
        )

    settings, found = validate(values, document.broken | secret, (check, *extra_checks))
    problems += found
    if problems or settings is None:
        raise ConfigError(_report(path, document, problems))
    warnings = [
        *find_idle(settings),
        *find_missed(settings),
        *find_no_fallback(settings),
        *find_unheard_language(settings),
        *find_retired(settings, datetime.now(UTC).date()),
    ]
    settings = with_dependent_defaults(_with_absolute_files(settings, folder))
    return LoadedRoom(settings, path, tuple(_lines(path, document, warnings)))


def _with_absolute_files(settings: RoomSettings, folder: Path) -> RoomSettings:
    changes: dict[str, Any] = {}
    device = settings.capture.device
    if isinstance(device, str) and device.startswith(WAV):
        file = _absolute(device.removeprefix(WAV), folder)
        changes["capture"] = settings.capture.model_copy(update={"device": WAV + file})
    words = [_absolute_word(word, folder) for word in settings.activation.wake_words]
    changes["activation"] = settings.activation.model_copy(update={"wake_word": words[0] if len(words) == 1 else words})
    tls = settings.mqtt.tls
    if tls is not None:
        names = {key: name for key in ("ca", "cert", "key") if (name := getattr(tls, key)) is not None}
        files = {key: _absolute(name, folder) for key, name in names.items()}
        changes["mqtt"] = settings.mqtt.model_copy(update={"tls": tls.model_copy(update=files)})
    local = {key: _absolute(name, folder) for key in ("model", "voice") if (name := getattr(settings.local, key))}
    changes["local"] = settings.local.model_copy(update=local)
    return settings.model_copy(update=changes)


def _absolute(name: str, folder: Path) -> str:
    return str((folder / name).absolute())


def _absolute_word(word: str, folder: Path) -> str:
    return word if word in BUNDLED_WAKE_WORDS else _absolute(word, folder)


def _report(path: Path, document: Document, problems: Iterable[Problem]) -> str:
    lines = _lines(path, document, problems)
    more = len(lines) - MOST_PROBLEMS
    return "\n".join(lines[:MOST_PROBLEMS] + ([f"{path}: and {more} problems more"] if more > 0 else []))


def _lines(path: Path, document: Document, problems: Iterable[Problem]) -> list[str]:
    """The problems in the order of the file, each once."""
    placed = sorted({(_line(problem, document), _text(problem, document)) for problem in problems})
    return [f"{path}:{line}: {text}" if line else f"{path}: {text}" for line, text in placed]


def _line(problem: Problem, document: Document) -> int:
    if problem.line is None and problem.path:
        return document.line_of(problem.path)
    return problem.line or 0


def _text(problem: Problem, document: Document) -> str:
    name = key_name(problem.path, document.values)
    return f"{name}: {problem.text}" if name else problem.text
