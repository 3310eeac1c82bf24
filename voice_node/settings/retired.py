"""Models whose service has named the day of their end: worth a warning long before a room falls silent.

Source: the docstrings of OpenAI's SDK 3.51.0 and its page of deprecations, as of 2026-11. Names that are not here pass.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from voice_node.settings.problem import KeyPath, Problem
from voice_node.settings.schema import RoomSettings

_MINI = "gpt-realtime-2.1-mini"
_LARGE = "gpt-realtime-2.1"
_WRITER = "gpt-transcribe"
_SPRING_2026 = date(2026, 4, 3)
_JANUARY_2027 = date(2027, 1, 20)
_FEBRUARY_2027 = date(2027, 2, 26)


@dataclass(frozen=True, slots=True)
class Retired:
    """A model, with its snapshots."""

    name: str
    day: date
    """Its last day, or the first without it."""
    instead: str


RETIRED = (
    Retired("gpt-realtime", _JANUARY_2027, _LARGE),
    Retired("gpt-realtime-mini", _JANUARY_2027, _MINI),
    Retired("gpt-audio-mini", _JANUARY_2027, _MINI),
    Retired("gpt-4o-realtime-preview", _SPRING_2026, _LARGE),
    Retired("gpt-4o-mini-realtime-preview", _SPRING_2026, _MINI),
    Retired("whisper-1", _FEBRUARY_2027, _WRITER),
    Retired("gpt-4o-transcribe", _FEBRUARY_2027, _WRITER),
    Retired("gpt-4o-mini-transcribe", _FEBRUARY_2027, _WRITER),
    Retired("gpt-4o-transcribe-diarize", _FEBRUARY_2027, _WRITER),
)


def retired(model: str) -> Retired | None:
    """What is known of the end of `model`, or of the model that it is a snapshot of."""
    for entry in RETIRED:
        rest = model.removeprefix(entry.name)
        if model.startswith(entry.name) and (not rest or rest.startswith("-20")):
            return entry
    return None


def find_retired(settings: RoomSettings, today: date) -> Iterator[Problem]:
    """The models of this room that end; only OpenAI's own names tell anything."""
    session = settings.session
    if session.provider != "openai":
        return
    named: list[tuple[KeyPath, str]] = []
    if session.type == "realtime":
        named.append((("session", "model"), session.model))
    if session.transcription is not None:
        named.append((("session", "transcription", "model"), session.transcription.model))
    for path, model in named:
        entry = retired(model)
        if entry is not None:
            when = "was shut down on" if today >= entry.day else "will be shut down on"
            yield Problem(path, f"OpenAI's {model} {when} {entry.day}: use {entry.instead}")
