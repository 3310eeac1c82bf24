"""Speech to text in a process of its own, which is killed and started again when it dies or takes too long.

The rules: one worker, one segment at a time. It is started when the server starts, and again when a segment needs one
and none is there. Loading may take `LOAD_S`, a segment `DECODE_S` and once its own length; a worker that is later is
killed, and the segment counts as not understood. At most `_MOST_WAITING` segments wait, and the shortest is next; one
more, or one of more than `LONGEST_S`, is not understood. A worker that says that pocketsphinx is missing is not started
again.
"""

import asyncio
import contextlib
import json
import logging
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from voice_node.local.frames import HEADER, MISSING, NO_MODEL, Kind, pack, unpack_header
from voice_node.local.grammar import Grammar
from voice_node.local.shortest_first import ShortestFirst
from voice_node.runtime.child import end
from voice_node.settings.local import LocalSettings

_LOGGER = logging.getLogger(__name__)

RATE_HZ = 16000
LOAD_S = 60.0
DECODE_S = 10.0
LONGEST_S = 30
_MOST_WAITING = 8
_BYTES_PER_S = 2 * RATE_HZ

WORKER = (sys.executable, "-m", "voice_node.local.worker")
"""The command of the worker."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What was said."""

    text: str
    """The command's words; else what the language model made of it, which may be nothing or nonsense."""
    is_command: bool
    is_doubtful: bool = False
    """A command that was heard badly: read it back before it is obeyed."""


_LIBRARIES = {"pocketsphinx": ("pocketsphinx", "voice-node[local]"), "vosk": ("vosk", "voice-node[vosk]")}
"""Names, and the extras that bring them."""


def worker_of(settings: LocalSettings) -> tuple[str, ...]:
    """The command of the worker that a room wishes."""
    return (*WORKER, "vosk", settings.model) if settings.recogniser == "vosk" and settings.model else WORKER


class WorkerLost(Exception):
    """The worker died, was late or spoke nonsense: this segment has no text."""


class Recogniser:
    """Listens for `grammar`; `start` loads the models in the background."""

    def __init__(self, grammar: Grammar, worker: Sequence[str] = WORKER, decode_s: float = DECODE_S) -> None:
        self._grammar = grammar
        self._worker = tuple(worker)
        self._decode_s = decode_s
        self._process: asyncio.subprocess.Process | None = None
        self._queue = ShortestFirst()
        self._waiting = 0
        self._is_missing = False
        self._is_closed = False
        self._loading: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        """The worker's process id; None while there is none."""
        return self._process.pid if self._process is not None else None

    def start(self) -> None:
        """Begin to load; returns at once."""
        self._loading = asyncio.create_task(self._load(), name="load the recogniser")

    async def close(self) -> None:
        """End the worker."""
        self._is_closed = True
        if self._loading is not None:
            self._loading.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._loading
        await self._end()

    async def recognise(self, pcm: bytes) -> Heard:
        """Mono s16le at 16 kHz, whole. Raises WorkerLost."""
        if self._is_missing or self._is_closed or self._waiting >= _MOST_WAITING:
            raise WorkerLost("there is no recogniser, or too many wait for it")
        if len(pcm) > LONGEST_S * _BYTES_PER_S:
            raise WorkerLost(f"longer than {LONGEST_S} s: no command")
        self._waiting += 1
        try:
            async with self._queue.turn(len(pcm)):
                process = await self._ready()
                try:
                    async with asyncio.timeout(self._decode_s + len(pcm) / _BYTES_PER_S):
                        await _send(process, Kind.SOUND, pcm)
                        heard = json.loads(await _receive(process, Kind.HEARD))
                        return Heard(str(heard["text"]), bool(heard["is_command"]), bool(heard.get("is_doubtful")))
                except TimeoutError:
                    _LOGGER.warning("the recogniser took too long for %.1f s of sound: killed", len(pcm) / _BYTES_PER_S)
                    await self._end()
                    raise WorkerLost("the recogniser took too long") from None
                except (OSError, ValueError, KeyError, TypeError, EOFError) as error:
                    _LOGGER.warning("the recogniser died; it is started again when it is needed")
                    await self._end()
                    raise WorkerLost("the recogniser died") from error
                except asyncio.CancelledError:
                    await self._end()  # its answer would be taken for that of the next segment
                    raise
        finally:
            self._waiting -= 1

    async def _load(self) -> None:
        async with self._queue.turn(0):
            with contextlib.suppress(WorkerLost):
                await self._ready()

    async def _ready(self) -> asyncio.subprocess.Process:
        """The worker, started where there is none."""
        if self._is_missing or self._is_closed:
            raise WorkerLost("there is no recogniser")
        if self._process is not None and self._process.returncode is None:
            return self._process
        pipe = asyncio.subprocess.PIPE
        try:
            process = await asyncio.create_subprocess_exec(*self._worker, stdin=pipe, stdout=pipe)
        except OSError as error:
            raise WorkerLost("the recogniser cannot be started") from error
        self._process = process
        try:
            async with asyncio.timeout(LOAD_S):
                await _send(process, Kind.GRAMMAR, self._grammar.to_json().encode())
                for problem in json.loads(await _receive(process, Kind.READY)):
                    _LOGGER.warning("%s", problem)
        except (OSError, ValueError, TypeError, EOFError, TimeoutError) as error:
            await self._end()
            if process.returncode == MISSING:
                self._is_missing = True
                name, extra = _LIBRARIES["vosk" if "vosk" in self._worker else "pocketsphinx"]
                _LOGGER.warning("speech is not understood without %s; get it by: pip install '%s'", name, extra)
            elif process.returncode == NO_MODEL:
                self._is_missing = True
                _LOGGER.warning("speech is not understood: local.model: %s holds no model of vosk's", self._worker[-1])
            else:
                _LOGGER.warning("the recogniser could not load (exit code %s)", process.returncode)
            raise WorkerLost("the recogniser cannot load") from error
        except asyncio.CancelledError:
            await self._end()
            raise
        _LOGGER.info("the recogniser is ready")
        return process

    async def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        if process.stdin is not None:
            process.stdin.close()
        # a worker whose pipe broke is about to exit with its code: give it that long
        with contextlib.suppress(TimeoutError):
            if process.stdout is not None and process.stdout.at_eof():
                async with asyncio.timeout(1):
                    await process.wait()
        await end(process)


async def _send(process: asyncio.subprocess.Process, kind: Kind, body: bytes) -> None:
    if process.stdin is None:
        raise EOFError
    process.stdin.write(pack(kind, body))
    await process.stdin.drain()


async def _receive(process: asyncio.subprocess.Process, kind: Kind) -> bytes:
    if process.stdout is None:
        raise EOFError
    length, got = unpack_header(await process.stdout.readexactly(HEADER.size))
    if got is not kind:
        raise ValueError("the recogniser answered something else")
    return await process.stdout.readexactly(length)
