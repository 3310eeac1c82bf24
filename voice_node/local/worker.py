"""The recogniser's own process, `python -m voice_node.local.worker`: frames in on stdin, frames out on stdout.

`python -m voice_node.local.worker vosk FOLDER` listens by vosk with the model there.

It ends when stdin does. A decode that never returns is ended by the server; should the server be gone too, by the
alarm clock, whose signal needs no Python to run.
"""

import ctypes
import gc
import json
import os
import select
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from voice_node.local.frames import HEADER, MISSING, NO_MODEL, Kind, pack, unpack_header
from voice_node.local.grammar import Grammar

_BYTES_PER_S = 32000
_LARGE_S = 120
"""So long without a segment, and the language model is dropped."""


class Decoder(Protocol):
    """What listens."""

    problems: tuple[str, ...]
    """What of the grammar it cannot hear."""

    @property
    def is_large(self) -> bool:
        """Whether `shrink` would free memory."""

    def shrink(self) -> None:
        """Drop what commands alone do not need."""

    def decode(self, pcm: bytes) -> Any:
        """A dataclass with the fields of `recogniser.Heard`, for mono s16le at 16 kHz, whole."""


def main() -> int:
    """Serve until stdin ends; the exit code."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the server, which ends this process in order
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what C code prints must not fall between frames
    questions = sys.stdin.buffer
    try:
        load = _decoder_of(sys.argv[1:])
    except ModuleNotFoundError:
        return MISSING
    grammar = _read(questions)
    if grammar is None:
        return 0
    try:
        decoder = load(Grammar.from_json(grammar.decode()))
    except FileNotFoundError:
        return NO_MODEL
    _write(answers, Kind.READY, decoder.problems)
    while (pcm := _read_when_there(questions, decoder)) is not None:
        signal.alarm(15 + 2 * len(pcm) // _BYTES_PER_S)
        heard = decoder.decode(pcm)
        signal.alarm(0)
        _write(answers, Kind.HEARD, asdict(heard))
    return 0


def _decoder_of(arguments: Sequence[str]) -> Callable[[Grammar], Decoder]:
    """What loads the decoder that is asked for. Raises ModuleNotFoundError where its library is missing."""
    if arguments[:1] == ["vosk"]:
        from voice_node.local.vosk_decoding import VoskDecoder

        return lambda grammar: VoskDecoder(grammar, Path(arguments[1]))
    from voice_node.local.decoding import CommandDecoder

    return CommandDecoder


def _read_when_there(source: BinaryIO, decoder: Decoder) -> bytes | None:
    """The next frame; what is not needed meanwhile is dropped."""
    if decoder.is_large and not select.select([source], [], [], _LARGE_S)[0]:
        decoder.shrink()
        _give_memory_back()
    return _read(source)


def _give_memory_back() -> None:
    """To the system: glibc keeps what was freed in pieces, 100 MB of a language model."""
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # musl has none, and keeps nothing
    if trim is not None:
        trim(0)


def _read(source: BinaryIO) -> bytes | None:
    header = source.read(HEADER.size)
    if len(header) < HEADER.size:
        return None
    length, _ = unpack_header(header)
    body = source.read(length)
    return body if len(body) == length else None


def _write(target: BinaryIO, kind: Kind, content: object) -> None:
    target.write(pack(kind, json.dumps(content).encode()))
    target.flush()


if __name__ == "__main__":
    sys.exit(main())
