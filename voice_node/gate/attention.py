"""Whether what the room says reaches the gate: always, or only when somebody asked for it. A pure state machine.

The rules:

1. In the mode `voice` the node always attends: every frame goes through detector and gate.
2. In `wake_word` and `push_to_talk` it attends only in a window. `open` begins one: a request, a button, the follow-up
   after a reply, an answer that the node waits for. In `wake_word` so does a wake word that is heard meanwhile.
3. Outside a window the gate hears every frame as no speech: its noise floor goes on, and nothing can open it. Only the
   wake word's engine listens, on this device.
4. A wake word is recognised up to 0.3 s after it was said, and people go on in the same breath. So a window that it
   opens begins with the last `KEPT_MS` before: these frames go through detector and gate once more, as if the node
   had attended then. Part of the word itself is among them: until `OWN_MS` of speech came after it, nothing of this
   first segment is said, and where it ends before, it was the wake word alone. Then the node waits for what follows;
   what begins after a pause has nothing of the wake word.
5. A window lasts as many milliseconds of sound as it was opened for; while a segment is open its time stands still. A
   segment that is kept ends it, however it began: one utterance for one wake word. One that is dropped as too short
   does not.
6. While the node is deaf (`shut`: muted, over budget, or speaking with a shut microphone) nothing is heard, and the
   time of a window stands still. `close` ends the window and, with it, an open segment.
"""

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from voice_node.gate.gate import Gate
from voice_node.model.audio import Frame
from voice_node.model.speech import Speech, SpeechEnded
from voice_node.settings.schema import ActivationSettings

KEPT_MS = 300
"""The latest of 15 wake words by espeak-ng voices was recognised 0.29 s after its end."""


BEHIND_MS = 100
"""So much later than a word ends is it recognised at least, mostly: what was heard then is counted as said after it."""

OWN_MS = 240
"""Speech after a wake word that is more than its tail. By six espeak-ng voices: of 32 wake words alone one was taken
for an utterance, of 115 that were followed by "stop" or more none was lost."""


class Detector(Protocol):
    """Says of each frame whether it is speech."""

    def is_speech(self, frame: Frame) -> bool: ...


class WakeWords(Protocol):
    """Says which wake word was just heard."""

    def hear(self, frame: Frame) -> str | None: ...


@dataclass(frozen=True, slots=True)
class Attended:
    """What came of one frame."""

    said: Sequence[Speech] = ()
    wake_word: str | None = None
    """It was heard, and opened a window."""


class Attention:
    """Stands before the gate; the rules are at the top of the module.

    Args:
        wake_words: None where the mode needs none.
    """

    def __init__(
        self,
        settings: ActivationSettings,
        frame_ms: int,
        gate: Gate,
        detector: Detector,
        wake_words: WakeWords | None = None,
    ) -> None:
        self._is_always = settings.mode == "voice"
        self._window_ms = settings.window_ms
        self._gate = gate
        self._detector = detector
        self._wake_words = wake_words
        self._left_ms = 0.0
        self._held: list[Speech] | None = None
        """What was said of the segment that may be the wake word alone."""
        self._own_ms = 0.0
        """Speech since the wake word was recognised."""
        self._since_ms = 0.0
        """Time since then; below 0 while the frames from before come again."""
        self._recent: deque[Frame] = deque(maxlen=math.ceil(KEPT_MS / frame_ms))

    @property
    def is_open(self) -> bool:
        """The node attends; a segment that began in a window is heard to its end."""
        return self._is_always or self._left_ms > 0 or self._gate.is_open

    @property
    def is_window_open(self) -> bool:
        """The node attends because somebody asked for it; never in the mode `voice`."""
        return not self._is_always and self.is_open

    def open(self, duration_ms: float) -> None:
        """Attend for so long from now on; a window that is open already is never cut short."""
        self._left_ms = max(self._left_ms, duration_ms)

    def close(self) -> Sequence[Speech]:
        """End the window, and the segment."""
        self._left_ms = 0.0
        return self.shut()

    def shut(self) -> Sequence[Speech]:
        """The node is deaf for now, and forgets every sample."""
        self._recent.clear()
        said, is_held, self._held = self._gate.shut(), self._held is not None, None
        return () if is_held else said

    def listen_for(self, wake_words: WakeWords, window_ms: int) -> None:
        """From now on these wake words open a window, and it lasts so long."""
        self._wake_words = wake_words
        self._window_ms = window_ms

    def hear(self, frame: Frame, for_wake_word: Frame | None = None) -> Attended:
        """Take the next frame.

        Args:
            for_wake_word: the same moment as the wake word's engine is to hear it, where that is another sound.
        """
        if self.is_open:
            return Attended(self._attend(frame))
        self._recent.append(frame)
        word = None if self._wake_words is None else self._wake_words.hear(for_wake_word or frame)
        if word is None:
            return Attended(self._gate.hear(frame, is_speech=False))
        self.open(self._window_ms)
        recent = tuple(self._recent)
        self._recent.clear()
        self._gate.shut()  # the frames that come again are no hole
        self._since_ms = -sum(again.duration_ms for again in recent)
        self._held, self._own_ms = [], self._since_ms + BEHIND_MS
        return Attended([value for again in recent for value in self._attend(again)], word)

    def _attend(self, frame: Frame) -> Sequence[Speech]:
        is_speech = self._detector.is_speech(frame)
        said = self._gate.hear(frame, is_speech)
        if self._held is not None:
            self._since_ms += frame.duration_ms
            self._own_ms += frame.duration_ms if is_speech or self._own_ms < 0 else 0.0
            said = self._hold(said)
        if any(isinstance(value, SpeechEnded) and value.is_kept for value in said):
            self._left_ms = 0.0
        elif not self._gate.is_open:
            self._left_ms = max(0.0, self._left_ms - frame.duration_ms)
        return said

    def _hold(self, said: Sequence[Speech]) -> Sequence[Speech]:
        assert self._held is not None
        self._held += said
        if self._own_ms >= OWN_MS:
            said, self._held = self._held, None
            return said
        is_pause = not self._gate.is_open and self._since_ms >= KEPT_MS
        if is_pause or any(isinstance(value, SpeechEnded) for value in said):
            self._held = None
        return ()
