"""From the ring's blocks to numbered frames, and what the blocks tell of the microphone."""

from voice_node.audio.clipping import ClippingMeter
from voice_node.audio.framer import Framer, frame_rate_hz
from voice_node.model.audio import Frame
from voice_node.settings.schema import CaptureSettings


class Shaper:
    """Frames of `frame_ms`, each with its number. A gap in the blocks' numbers is one in the frames' numbers."""

    def __init__(self, settings: CaptureSettings, frame_ms: int, frames_per_block: int) -> None:
        self._settings = settings
        self._frame_ms = frame_ms
        self._frames_per_block = frames_per_block
        self._meter = ClippingMeter(settings.gain_db)
        self._framer: Framer | None = None
        self._next_index = 0
        self._next_block = 0

    @property
    def clipped_s(self) -> int:
        """Seconds of sound in which it was too loud."""
        return self._meter.clipped_s

    @property
    def is_clipping(self) -> bool:
        """It is too loud again and again."""
        return self._meter.is_persistent

    def shape(self, block: Frame) -> list[Frame]:
        """The frames that are whole after this block."""
        self._meter.hear(block.pcm, block.rate_hz)
        framer = self._framer
        if framer is None or framer.from_hz != block.rate_hz:
            framer = self._framer = Framer(
                block.rate_hz,
                frame_rate_hz(block.rate_hz),
                self._settings.gain_db,
                self._frame_ms,
                self._settings.high_pass_hz,
            )
        hole = block.index - self._next_block
        self._next_block = block.index + self._frames_per_block
        if hole:
            framer.reset()
            self._next_index += hole
        frames = []
        pieces = framer.process(block.pcm)
        for later, pcm in zip(range(len(pieces) - 1, -1, -1), pieces, strict=True):
            at = block.at - later * self._frame_ms / 1000 if block.at else 0.0
            frames.append(Frame(self._next_index, pcm, framer.to_hz, at))
            self._next_index += 1
        return frames

    def forget(self) -> None:
        """What is inside is not to be heard."""
        self._framer = None
