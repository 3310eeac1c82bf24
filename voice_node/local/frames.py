"""Messages on the pipes between server and worker: four bytes of length (big-endian), one byte of kind, the body."""

import struct
from enum import IntEnum

HEADER = struct.Struct(">IB")
LONGEST = 16 * 1024 * 1024
MISSING = 69
"""The worker's exit code where its library is not installed."""
NO_MODEL = 66
"""Where its model is not there."""


class Kind(IntEnum):
    """What a body is."""

    GRAMMAR = 1
    """To the worker, once, first: JSON."""
    SOUND = 2
    """To the worker: mono s16le at 16 kHz, one whole segment."""
    READY = 3
    """From the worker, once: JSON list of what is not listened for."""
    HEARD = 4
    """From the worker: JSON of `text` and `is_command`, one for each SOUND."""


def pack(kind: Kind, body: bytes) -> bytes:
    """One message."""
    return HEADER.pack(len(body), kind) + body


def unpack_header(header: bytes) -> tuple[int, Kind]:
    """Length of the body and its kind; ValueError where it is neither."""
    length, kind = HEADER.unpack(header)
    if length > LONGEST:
        raise ValueError("the message is too long")
    return length, Kind(kind)
