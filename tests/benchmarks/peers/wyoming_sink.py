"""The server's side of a Wyoming satellite: connects, lets it run, and counts what comes.

An event is a line of JSON, then `data_length` bytes of JSON and `payload_length` bytes of sound:
https://github.com/rhasspy/wyoming
"""

import json
import socket
import threading
import time

_BYTES_PER_S = 32_000


class WyomingSink:
    """One satellite, in a thread of its own until the satellite goes."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._sound_bytes = 0
        self._bytes = 0
        self._segments = 0
        self._thread: threading.Thread | None = None

    def connect(self, deadline_s: float) -> float:
        """Try until the satellite accepts; when it did, by the monotonic clock. TimeoutError after that."""
        deadline = time.monotonic() + deadline_s
        while True:
            try:
                connection = socket.create_connection(("127.0.0.1", self._port), timeout=1)
            except OSError:
                if time.monotonic() > deadline:
                    raise TimeoutError("the satellite does not accept a connection") from None
                time.sleep(0.01)
                continue
            accepted_at = time.monotonic()
            connection.settimeout(None)
            connection.sendall(b'{"type": "run-satellite"}\n')
            self._thread = threading.Thread(target=self._hear, args=(connection,), daemon=True)
            self._thread.start()
            return accepted_at

    def close(self) -> dict[str, float]:
        """What was counted, when the satellite has gone."""
        if self._thread is not None:
            self._thread.join(5)
        return {
            "audio_s": self._sound_bytes / _BYTES_PER_S,
            "megabytes": self._bytes / 1e6,
            "turns": self._segments,
        }

    def _hear(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as stream:
            try:
                while line := stream.readline():
                    event = json.loads(line)
                    more = stream.read(event.get("data_length") or 0)
                    sound = stream.read(event.get("payload_length") or 0)
                    self._bytes += len(line) + len(more) + len(sound)
                    self._sound_bytes += len(sound)
                    self._segments += event["type"] == "run-pipeline"
            except ConnectionResetError:
                return
