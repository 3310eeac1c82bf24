"""A net under the wire: what a node of ours sends in a test is held to the published schema of its dialect.

In the tests' own process `conftest` spreads it for every test; `tests.session.room` throws what a bare protocol wants
sent into the same one. A node that is a process of its own writes down what it sends (`recording_node`), and is judged
when it is over (`torn_by`). Where the schema is not at hand nothing is judged, see `schema`.
"""

import json
from collections.abc import Callable
from pathlib import Path

from tests.fakes.schema import assert_published
from voice_node.session.connection import ENCODERS
from voice_node.session.events import ClientEvent

_RECORDING_NODE = """
import os, runpy, sys
from voice_node.session.connection import ENCODERS
record = os.open(sys.argv.pop(1), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
def recorded(dialect, encode):
    def encoded(event):
        message = encode(event)
        os.write(record, f"{dialect} {message}\\n".encode())
        return message
    return encoded
ENCODERS.update({dialect: recorded(dialect, encode) for dialect, encode in ENCODERS.items()})
runpy.run_module("voice_node", run_name="__main__", alter_sys=True)
"""
"""`voice-node`, with every client event on its way to the socket as a line of a file."""


class WireNet:
    """Collects what does not fit."""

    def __init__(self) -> None:
        self.torn: list[str] = []
        """One line for each client event that is not as published."""

    def catch(self, dialect: str, message: str) -> None:
        """Judge one client event, as its JSON text."""
        try:
            assert_published("client", json.loads(message), dialect)
        except AssertionError as error:
            self.torn.append(f"{dialect}: {error}")

    def under(self, dialect: str, encode: Callable[[ClientEvent], str]) -> Callable[[ClientEvent], str]:
        """The encoder, with this net under it."""

        def encoded(event: ClientEvent) -> str:
            message = encode(event)
            self.catch(dialect, message)
            return message

        return encoded

    def spread(self) -> dict[str, Callable[[ClientEvent], str]]:
        """An encoder for each dialect, to be put in place of the node's own."""
        return {dialect: self.under(dialect, encode) for dialect, encode in ENCODERS.items()}


def recording_node(record: Path) -> list[str]:
    """What to call in place of `-m voice_node`, for a node that writes down what it sends."""
    return ["-c", _RECORDING_NODE, str(record)]


def torn_by(record: Path) -> list[str]:
    """What a recorded node sent that is not as published."""
    net = WireNet()
    for line in record.read_text(encoding="utf-8").splitlines() if record.exists() else ():
        dialect, _, message = line.partition(" ")
        if message.endswith("}"):  # else the node was killed in the middle of the line
            net.catch(dialect, message)
    return net.torn
