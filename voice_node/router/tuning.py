"""The few settings that people tune from a dashboard while the room runs.

Rules

1. A value is checked as the room file's would be, acts at once, and is told retained on `<setting>/state`. One that
   cannot be used changes nothing: the old value is told again, so that the dashboard shows what is true.
2. It is kept over restarts, together with what the room file said when it was set. As soon as the file says something
   else, the file wins: who edits the file means it.
3. `gate_snr_db` and `hang_over_ms` act from the next segment on. `wake_word` is there only where a wake word is used.
"""

from collections.abc import Mapping
from typing import Any

from voice_node.model.control import ListenFor, Remember, SetVolume, TuneGate
from voice_node.model.report import SettingState
from voice_node.router.action import Action
from voice_node.settings.schema import RoomSettings
from voice_node.settings.tunable import PLACES

MEMORY = "settings"
"""The key of what is kept over restarts."""


class Unusable(Exception):
    """The setting cannot have this value here. The text is for people."""


class Tuning:
    """What the room file says, and what people changed of it."""

    def __init__(self, settings: RoomSettings, remembered: Mapping[str, Any]) -> None:
        """`remembered` is what `Remember` kept; what does not fit this room file is no memory."""
        self._settings = settings
        self._wake_words = settings.activation.wake_word_choices
        self._file = {name: _read(settings, name) for name in PLACES}
        self._kept: dict[str, Any] = {}
        for name, kept in remembered.items():
            if name in PLACES and isinstance(kept, dict) and kept.get("file") == self._file[name] and "value" in kept:
                try:
                    self._settings = self._changed(name, kept["value"])
                except Unusable:
                    continue
                self._kept[name] = {"value": _read(self._settings, name), "file": self._file[name]}

    @property
    def settings(self) -> RoomSettings:
        """The room as it is tuned now."""
        return self._settings

    def states(self) -> list[Action]:
        """Every setting that this room has."""
        return [state for name in PLACES for state in self._state(name)]

    def set(self, name: str, value: float | str) -> list[Action]:
        """Change a setting. Raises Unusable, and then nothing has changed."""
        self._settings = self._changed(name, value)
        self._kept[name] = {"value": _read(self._settings, name), "file": self._file[name]}
        return [*self._controls(name), *self._state(name), Remember(MEMORY, dict(self._kept))]

    def state(self, name: str) -> list[Action]:
        """One setting, told again."""
        return self._state(name) if name in PLACES else []

    def _changed(self, name: str, value: Any) -> RoomSettings:
        if name == "wake_word":
            return _with_wake_word(self._settings, value, self._wake_words)
        return _changed(self._settings, name, value)

    def _state(self, name: str) -> list[Action]:
        value = _read(self._settings, name)
        is_used = name != "wake_word" or self._settings.activation.mode == "wake_word"
        return [SettingState(name, value)] if is_used and value is not None else []

    def _controls(self, name: str) -> list[Action]:
        match name:
            case "volume":
                return [SetVolume(self._settings.playback.volume)]
            case "gate_snr_db" | "hang_over_ms":
                return [TuneGate(self._settings.gate.min_snr_db, self._settings.gate.hang_over_ms)]
            case "wake_word" | "follow_up_ms" if self._settings.activation.mode == "wake_word":
                activation = self._settings.activation
                return [ListenFor(activation.wake_words, activation.window_ms)]
            case _:
                return []


def _read(settings: RoomSettings, name: str) -> Any:
    if name == "wake_word":
        return settings.activation.wake_word_choice
    section, key = PLACES[name]
    return getattr(getattr(settings, section), key)


def _changed(settings: RoomSettings, name: str, value: Any) -> RoomSettings:
    if name not in PLACES:
        raise Unusable(f"{name} cannot be set while the node runs; change the room file")
    place, key = PLACES[name]
    section = getattr(settings, place)
    try:
        changed = type(section).model_validate({**section.model_dump(), key: value})
    except ValueError:  # its text repeats what was sent
        raise Unusable(f"{name} cannot have this value") from None
    settings = settings.model_copy(update={place: changed})
    gate = settings.gate
    shortest_ms = gate.pre_roll_ms + max(gate.min_speech_ms, gate.onset_ms) + gate.hang_over_ms
    if place == "gate" and gate.max_segment_s * 1000 <= shortest_ms:
        raise Unusable(f"hang_over_ms is too long for gate.max_segment_s: {gate.max_segment_s:g}")
    return settings


def _with_wake_word(settings: RoomSettings, choice: Any, choices: Mapping[str, tuple[str, ...]]) -> RoomSettings:
    if settings.activation.mode != "wake_word":
        raise Unusable("wake_word cannot be set: this room listens without one")
    words = choices.get(choice) if isinstance(choice, str) else None
    if words is None:
        raise Unusable("wake_word cannot have this value; choose one of " + ", ".join(choices))
    chosen = settings.activation.model_copy(update={"wake_word": list(words)})
    return settings.model_copy(update={"activation": chosen})
