"""How loud the room is when nobody speaks: the lowest that the smoothed level has been in the last 3 s.

People pause for breath more often than every 3 s, and appliances do not, so the minimum finds the noise under speech
and follows a fan that is switched on within 3 s, one that is switched off at once.

- At the start the first level is the floor: whoever speaks into the first frame is heard after the first dip.
- Digital silence is clamped to `SILENCE_DBFS` by who measures; a floor there makes every sound stand out.
- Frames that are lost or muted are not heard here and change nothing: the room is as noisy after them as before,
  and a floor that began again in the middle of a sentence would take the sentence for noise.
"""

import math
from collections import deque

from voice_node.audio.level import SILENCE_DBFS

MEMORY_MS = 3000
SMOOTHING_MS = 150
"""Time constant. Longer lies nearer to the noise's mean and misses faint speech, shorter opens on more noise."""


class NoiseFloor:
    """The floor, from one level every `step_ms` of audio. Costs O(1) a level, save when the lowest one is forgotten."""

    def __init__(self, step_ms: float) -> None:
        self._weight = 1 - math.exp(-step_ms / SMOOTHING_MS)
        self._smoothed: float | None = None
        self._recent: deque[float] = deque(maxlen=max(1, round(MEMORY_MS / step_ms)))
        self.level_dbfs = SILENCE_DBFS
        """The floor now; `SILENCE_DBFS` before the first level."""

    def hear(self, level_dbfs: float) -> None:
        """Take the next level."""
        before = level_dbfs if self._smoothed is None else self._smoothed
        smoothed = self._smoothed = before + self._weight * (level_dbfs - before)
        recent = self._recent
        forgotten = recent[0] if len(recent) == recent.maxlen else None
        recent.append(smoothed)
        if len(recent) == 1 or smoothed <= self.level_dbfs:
            self.level_dbfs = smoothed
        elif forgotten == self.level_dbfs:
            self.level_dbfs = min(recent)
