"""A Piper voice in a process of its own, which stays: its model takes seconds to load.

The rules: one text at a time. Who stops listening early ends the process, and the next one begins to load at once. A
voice that cannot be loaded is said once in the log, and is not tried again; nor is one that died `_MOST_DEATHS` times.
"""

import asyncio
import contextlib
import json
import logging
import sys
from collections.abc import AsyncGenerator, Sequence

from voice_node.audio.resample import Resampler
from voice_node.local.frames import MISSING
from voice_node.local.piper_worker import LENGTH
from voice_node.runtime.child import end

_LOGGER = logging.getLogger(__name__)

RATE_HZ = 24000
_LOAD_S = 60.0
_PATIENCE_S = 20.0
"""For one sentence."""
_PIECE_BYTES = 9600
_LONGEST_PIECE = 16 * 1024 * 1024
_MOST_DEATHS = 3


class NeuralVoice:
    """The voice in `file`; `start` loads it in the background."""

    def __init__(
        self, file: str, worker: Sequence[str] = (sys.executable, "-m", "voice_node.local.piper_worker")
    ) -> None:
        self._file = file
        self._command = (*worker, file)
        self._turn = asyncio.Lock()
        self._process: asyncio.subprocess.Process | None = None
        self._rate_hz = 0
        self._deaths = 0
        self._loading: asyncio.Task[bool] | None = None

    @property
    def is_usable(self) -> bool:
        """Whether it may speak."""
        return self._deaths < _MOST_DEATHS

    def start(self) -> None:
        """Begin to load; returns at once."""
        self._loading = asyncio.create_task(self._load(), name="load the voice")

    async def close(self) -> None:
        """End the process."""
        self._deaths = _MOST_DEATHS
        if self._loading is not None:
            self._loading.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._loading
        await self._end()

    async def speak(self, text: str, speed: float) -> AsyncGenerator[bytes, None]:
        """Mono s16le at 24 kHz, in pieces of 200 ms at most, each sentence as it is made; nothing where it cannot."""
        async with self._turn:
            if not self.is_usable or not (await self._loaded()):
                return
            is_whole = False
            try:
                resampler = Resampler(self._rate_hz, RATE_HZ)
                async with contextlib.aclosing(self._sentences(text, speed)) as sentences:
                    async for sentence in sentences:
                        pcm = resampler.process(sentence)
                        for start in range(0, len(pcm), _PIECE_BYTES):
                            yield pcm[start : start + _PIECE_BYTES]
                is_whole = True
                if pcm := resampler.flush():
                    yield pcm
            except (OSError, EOFError, ValueError, TimeoutError):
                self._deaths += 1
                _LOGGER.warning("the voice of local.voice died while it spoke")
            finally:
                if not is_whole:
                    await self._end()
                    if self.is_usable:
                        self.start()

    async def _loaded(self) -> bool:
        if self._loading is None:
            self.start()
        assert self._loading is not None
        return await asyncio.shield(self._loading)

    async def _load(self) -> bool:
        pipe = asyncio.subprocess.PIPE
        process: asyncio.subprocess.Process | None = None
        try:
            process = await asyncio.create_subprocess_exec(*self._command, stdin=pipe, stdout=pipe)
            self._process = process
            async with asyncio.timeout(_LOAD_S):
                self._rate_hz = await _length(process)
        except (OSError, EOFError, TimeoutError):
            self._deaths = _MOST_DEATHS
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(1):  # one that is about to exit keeps its code
                    if process is not None:
                        await process.wait()
            await self._end()
            if process is not None and process.returncode == MISSING:
                why = "needs piper: pip install 'voice-node[piper]'"
            else:
                why = f"{self._file} is no voice that piper can load, or its .json is not beside it"
            _LOGGER.warning("local.voice: %s; espeak-ng speaks instead", why)
            return False
        return True

    async def _sentences(self, text: str, speed: float) -> AsyncGenerator[bytes, None]:
        process = self._process
        if process is None or process.stdin is None or process.stdout is None:
            raise EOFError
        process.stdin.write(json.dumps({"text": text, "speed": speed}).encode() + b"\n")
        await process.stdin.drain()
        while True:
            async with asyncio.timeout(_PATIENCE_S):
                length = await _length(process)
                if length == 0:
                    return
                if length > _LONGEST_PIECE:
                    raise ValueError("the sentence is too long")
                sentence = await process.stdout.readexactly(length)
            yield sentence

    async def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            await end(process)


async def _length(process: asyncio.subprocess.Process) -> int:
    assert process.stdout is not None
    (length,) = LENGTH.unpack(await process.stdout.readexactly(LENGTH.size))
    return int(length)
