"""A room with a gate: fed frames whose level is known and verdicts that are made up; no detector is near."""

from collections.abc import Iterable, Sequence
from itertools import count

import numpy as np

from voice_node.gate.gate import Gate
from voice_node.model.audio import Frame
from voice_node.model.speech import Speech, SpeechAudio, SpeechEnded
from voice_node.settings.schema import GateSettings

RATE_HZ = 8000
QUIET_DB, FAINT_DB, LOUD_DB = -60.0, -55.5, -20.0
SETTINGS = GateSettings(
    frame_ms=20, onset_ms=100, pre_roll_ms=400, hang_over_ms=700, min_snr_db=6, min_speech_ms=200, max_segment_s=30
)


def frame_of(index: int, level_db: float, frame_ms: int = 20, rate_hz: int = RATE_HZ) -> Frame:
    """A square wave of that level with the index hidden in its first two samples, so that no two frames are equal."""
    samples = np.tile([1.0, -1.0], rate_hz * frame_ms // 2000) * 32768 * 10 ** (level_db / 20)
    samples[0], samples[1] = index // 64, index % 64
    return Frame(index, samples.round().astype("<i2").tobytes(), rate_hz)


class Room:
    """A gate, the frames that it was given, and what it said."""

    def __init__(self, settings: GateSettings = SETTINGS) -> None:
        numbers = count(1)
        self.gate = Gate(settings, lambda: f"turn-{next(numbers)}")
        self.frame_ms = settings.frame_ms
        self.frames: dict[int, bytes] = {}
        self.said: list[Speech] = []
        self.index = 0

    def hear(self, milliseconds: int, level_db: float, *, is_speech: bool, rate_hz: int = RATE_HZ) -> list[Speech]:
        said: list[Speech] = []
        for _ in range(milliseconds // self.frame_ms):
            frame = frame_of(self.index, level_db, self.frame_ms, rate_hz)
            self.frames[self.index] = frame.pcm
            self.index += 1
            said += self.gate.hear(frame, is_speech)
        return self.note(said)

    def quiet(self, milliseconds: int) -> list[Speech]:
        return self.hear(milliseconds, QUIET_DB, is_speech=False)

    def speech(self, milliseconds: int) -> list[Speech]:
        return self.hear(milliseconds, LOUD_DB, is_speech=True)

    def shut(self) -> list[Speech]:
        return self.note(self.gate.shut())

    def note(self, said: Iterable[Speech]) -> list[Speech]:
        self.said += said
        return list(said)

    def pcm(self, start_ms: int, end_ms: int) -> bytes:
        return b"".join(self.frames[index] for index in range(start_ms // self.frame_ms, end_ms // self.frame_ms))

    def audio(self, turn_id: str) -> bytes:
        return b"".join(s.pcm for s in self.said if isinstance(s, SpeechAudio) and s.turn_id == turn_id)


def ends(said: Sequence[Speech]) -> list[SpeechEnded]:
    return [speech for speech in said if isinstance(speech, SpeechEnded)]


class Model:
    """A second opinion that says what the test wants."""

    def __init__(self) -> None:
        self.answer = 0.0
        self.chunks = 0

    def probability(self, chunk: "np.ndarray[tuple[int], np.dtype[np.float32]]") -> float:
        assert len(chunk) == 512
        self.chunks += 1
        return self.answer


class ConfirmedRoom(Room):
    """A room whose gate asks a second opinion."""

    def __init__(self, settings: GateSettings = SETTINGS) -> None:
        super().__init__(settings)
        self.model = Model()
        numbers = count(1)
        self.gate = Gate(settings, lambda: f"turn-{next(numbers)}", self.model)

    def believed(self, milliseconds: int) -> list[Speech]:
        self.model.answer = 1.0
        return self.hear(milliseconds, LOUD_DB, is_speech=True)

    def doubted(self, milliseconds: int) -> list[Speech]:
        self.model.answer = 0.0
        return self.hear(milliseconds, LOUD_DB, is_speech=True)
