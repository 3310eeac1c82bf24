"""Recordings as a microphone."""

import asyncio
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Self

from voice_node.audio.framer import Framer, frame_rate_hz
from voice_node.capture.wav_reader import WavSound, inspect_wav, read_wav
from voice_node.model.audio import BYTES_PER_SAMPLE, Frame
from voice_node.model.errors import ConfigError

_PIECE_MS = 200
_TURN_EVERY_FRAMES = 10
_LATE_S = 1.0
"""A microphone's ring would hold so much."""


class WavFile:
    """The frames of one recording after the other, each followed by `silence_after_ms` of silence.

    The silence lets the gate close behind each recording, so that two never make one segment. In real time a frame
    comes when a microphone would give it; otherwise as fast as the consumer reads, with turns for the event loop.
    While paused nothing is read; the pause is a gap in the frames' numbers.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        frame_ms: int,
        channel: int = 0,
        gain_db: float = 0,
        high_pass_hz: float | None = None,
        is_realtime: bool = True,
        silence_after_ms: int = 2000,
    ) -> None:
        self._paths = paths
        self._frame_ms = frame_ms
        self._channel = channel
        self._gain_db = gain_db
        self._high_pass_hz = high_pass_hz
        self._is_realtime = is_realtime
        self._silence_after_ms = silence_after_ms
        self._pcm: Iterator[bytes] = iter(())
        self._rate_hz = 0
        self._index = 0
        self._given = 0
        """Frames since the clock was set."""
        self._began_at = 0.0
        self._is_started = False
        self._is_running = asyncio.Event()
        self._is_closed = False

    async def start(self) -> None:
        """Look at every recording first. ConfigError: one problem a line, each with its file's name."""
        sounds: list[WavSound] = []
        problems: list[str] = []
        for path in self._paths:
            try:
                sound = inspect_wav(path)
                if self._channel >= sound.channels:
                    problems.append(f"{path}: has {sound.channels} channels, so no channel {self._channel} (from 0)")
                sounds.append(sound)
            except ConfigError as error:
                problems.append(str(error))
        if problems:
            raise ConfigError("\n".join(problems))
        # One rate for all, since a gate does not change its own under way: their common one, or else the highest.
        self._rate_hz = max((frame_rate_hz(sound.rate_hz) for sound in sounds), default=0)
        self._pcm = self._frames_of(sounds)
        self._is_started = True
        await self.resume()

    async def close(self) -> None:
        """End the iteration."""
        self._is_closed = True
        self._is_running.set()

    async def pause(self) -> None:
        """Stop giving frames."""
        if self._is_running.is_set():
            self._is_running.clear()
            self._index += 1

    async def resume(self) -> None:
        """Go on where `pause` stopped; begin, where a node was muted from the start. ConfigError: as for `start`."""
        if not self._is_started:
            await self.start()
        elif not self._is_running.is_set():
            self._began_at, self._given = time.monotonic(), 0
            self._is_running.set()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Frame:
        await self._wait_for_turn()
        pcm = None if self._is_closed else next(self._pcm, None)
        if pcm is None:
            raise StopAsyncIteration
        self._given += 1
        self._index += 1
        return Frame(self._index - 1, pcm, self._rate_hz)

    async def _wait_for_turn(self) -> None:
        while not self._is_closed:
            await self._is_running.wait()
            if not self._is_realtime:
                if self._given % _TURN_EVERY_FRAMES == 0:
                    await asyncio.sleep(0)
                return
            due_at = self._began_at + (self._given + 1) * self._frame_ms / 1000
            if (wait_s := due_at - time.monotonic()) <= 0:
                if wait_s < -_LATE_S:  # the consumer let the recording wait: what follows is not hurried
                    self._began_at, self._given = time.monotonic(), 0
                return
            await asyncio.sleep(wait_s)

    def _frames_of(self, sounds: list[WavSound]) -> Iterator[bytes]:
        silence = bytes(self._rate_hz * self._frame_ms // 1000 * BYTES_PER_SAMPLE)
        for sound in sounds:
            framer = Framer(sound.rate_hz, self._rate_hz, self._gain_db, self._frame_ms, self._high_pass_hz)
            for piece in read_wav(sound, self._channel, sound.rate_hz * _PIECE_MS // 1000):
                yield from framer.process(piece)
            yield from framer.flush()
            for _ in range(self._silence_after_ms // self._frame_ms):
                yield silence
