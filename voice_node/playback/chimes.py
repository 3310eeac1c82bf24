"""Short sounds that say what the node does where nobody looks: made of sines, so that no file is needed.

They are no replies: a microphone stays open while one sounds, and what is said in the same breath as a wake word is
heard. So they are short, quiet, and far from the fundamental of a voice.
"""

from functools import cache

import numpy as np
from numpy.typing import NDArray

from voice_node.model.control import Chime

LOUDNESS = 0.2
"""Of full scale: well below a spoken reply."""
EDGE_MS = 8
"""Each note swells and dies away over this long: a click would be all that is heard."""

NOTES: dict[Chime, tuple[tuple[int, int], ...]] = {
    Chime.WAKE: ((988, 60), (1319, 90)),
    Chime.LISTENING: ((1319, 90),),
    Chime.DONE: ((1319, 60), (988, 90)),
    Chime.ERROR: ((659, 110), (0, 40), (659, 110)),
}
"""Hz and milliseconds; 0 Hz is a rest."""


@cache
def samples(chime: Chime, rate_hz: int) -> NDArray[np.int16]:
    """Mono, at the rate of the device."""
    return np.concatenate([_note(hz, ms, rate_hz) for hz, ms in NOTES[chime]])


def _note(hz: int, duration_ms: int, rate_hz: int) -> NDArray[np.int16]:
    count = rate_hz * duration_ms // 1000
    edge = np.sin(np.linspace(0, np.pi / 2, rate_hz * EDGE_MS // 1000)) ** 2
    envelope = np.ones(count)
    envelope[: len(edge)], envelope[-len(edge) :] = edge, edge[::-1]
    sound = np.sin(2 * np.pi * hz * np.arange(count) / rate_hz) * envelope * LOUDNESS * 32767
    return sound.astype(np.int16)
