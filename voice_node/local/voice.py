"""Text to speech, streamed while it is made: by a Piper voice where one is given, else by the command espeak-ng.

Without either there is only text.
"""

import asyncio
import contextlib
import logging
import shutil
import struct
from collections.abc import AsyncGenerator, AsyncIterator

from voice_node.audio.resample import Resampler
from voice_node.local.neural_voice import NeuralVoice
from voice_node.runtime.child import end

_LOGGER = logging.getLogger(__name__)

RATE_HZ = 24000
_HEADER_BYTES = 44
_WORDS_PER_MINUTE = 165
_PIECE_BYTES = 8192
"""About 190 ms at espeak-ng's 22050 Hz."""
_PATIENCE_S = 10.0
"""Without a byte for so long, espeak-ng hangs."""
LONGEST_TEXT = 2000


class Voice:
    """The voice of one language (BCP 47)."""

    def __init__(self, language: str, command: str = "espeak-ng", file: str | None = None) -> None:
        """`file`: of a Piper voice, which is loaded by `start`."""
        self._language = language.lower()
        self._command = command
        self._neural = NeuralVoice(file) if file is not None else None

    @property
    def is_available(self) -> bool:
        """Whether there is anything to speak with."""
        is_neural = self._neural is not None and self._neural.is_usable
        return is_neural or shutil.which(self._command) is not None

    def start(self) -> None:
        """Begin to load what must be loaded; returns at once."""
        if self._neural is not None:
            self._neural.start()

    async def close(self) -> None:
        """End what `start` began."""
        if self._neural is not None:
            await self._neural.close()

    async def speak(self, text: str, speed: float = 1.0) -> AsyncGenerator[bytes, None]:
        """Mono s16le at 24 kHz, in pieces of some 200 ms; nothing where the command is absent or fails.

        `text` is cut after 2000 characters; `speed` is 0.25 to 1.5. Close the iterator to stop early.
        """
        if self._neural is not None:
            is_silent = True
            async with contextlib.aclosing(self._neural.speak(text[:LONGEST_TEXT], speed)) as pieces:
                async for pcm in pieces:
                    is_silent = False
                    yield pcm
            if not is_silent:
                return
        for language in dict.fromkeys((self._language, self._language.split("-")[0], "en")):
            is_silent = True
            async with contextlib.aclosing(self._run(text[:LONGEST_TEXT], language, speed)) as pieces:
                async for pcm in pieces:
                    is_silent = False
                    yield pcm
            if not is_silent:
                return

    async def _run(self, text: str, language: str, speed: float) -> AsyncGenerator[bytes, None]:
        words_per_minute = str(round(_WORDS_PER_MINUTE * speed))
        arguments = ("-v", language, "-s", words_per_minute, "-b", "1", "--stdin", "--stdout")
        pipe = asyncio.subprocess.PIPE
        try:
            process = await asyncio.create_subprocess_exec(
                self._command, *arguments, stdin=pipe, stdout=pipe, stderr=asyncio.subprocess.DEVNULL
            )
        except OSError:
            return
        try:
            if process.stdin is None or process.stdout is None:
                return
            with contextlib.suppress(OSError):
                process.stdin.write(text.encode(errors="replace"))
                process.stdin.close()
            async for piece in _resampled(process.stdout):
                yield piece
        except TimeoutError:
            _LOGGER.warning("espeak-ng said nothing for %.0f s: stopped", _PATIENCE_S)
        finally:
            await end(process)


async def _resampled(wav: asyncio.StreamReader) -> AsyncIterator[bytes]:
    """A WAV stream of any rate as PCM at 24 kHz."""
    try:
        async with asyncio.timeout(_PATIENCE_S):
            header = await wav.readexactly(_HEADER_BYTES)
    except asyncio.IncompleteReadError:
        return
    (rate_hz,) = struct.unpack_from("<I", header, 24)
    resampler = Resampler(rate_hz, RATE_HZ)
    while True:
        async with asyncio.timeout(_PATIENCE_S):
            piece = await wav.read(_PIECE_BYTES)
        if not piece:
            break
        if pcm := resampler.process(piece):
            yield pcm
    if pcm := resampler.flush():
        yield pcm
