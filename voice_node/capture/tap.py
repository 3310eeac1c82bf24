"""What PortAudio's thread does with one opened microphone: pick the channel, push into the ring, leave.

Whether the room is calm is judged here, because only a block that is not wakes the loop at once.
"""

import time

import numpy as np

from voice_node.capture.calm import Calm
from voice_node.capture.ring import Ring
from voice_node.runtime.portaudio import StreamFormat


class Tap:
    """One opened device, and what is known of its blocks.

    Args:
        heard_before: when the last block of the device's last opening came, on the monotonic clock.
    """

    def __init__(self, ring: Ring, frame_ms: int, block_ms: int, channel: int, heard_before: float | None) -> None:
        self._ring = ring
        self._frame_ms = frame_ms
        self._block_ms = block_ms
        self._channel = channel
        self._heard_before = heard_before
        self._calm = Calm(block_ms)
        self.heard_at = 0.0
        """When the last block came, on the monotonic clock."""
        self.overruns = 0
        """How often the driver said that sound was lost, because this process was too slow for it."""

    @property
    def has_heard(self) -> bool:
        """At least one block came."""
        return self.heard_at > 0

    def receive(self, pcm: bytes, format_: StreamFormat, is_overflown: bool) -> None:
        """Runs on PortAudio's thread."""
        now = time.monotonic()
        before = self.heard_at if self.has_heard else self._heard_before
        if before is not None and (is_overflown or not self.has_heard):
            # The driver does not say how much was lost; the clock does.
            self._ring.skip(max(round(((now - before) * 1000 - self._block_ms) / self._frame_ms), 1))
        self.overruns += is_overflown
        self.heard_at = now
        samples = np.frombuffer(pcm, np.int16)
        if format_.channels > 1:
            samples = samples[self._channel :: format_.channels]
            pcm = samples.tobytes()
        span = int(np.maximum.reduce(samples, initial=-32768)) - int(np.minimum.reduce(samples, initial=32767))
        self._ring.push(pcm, format_.rate_hz, now, is_calm=self._calm.hear(span))
