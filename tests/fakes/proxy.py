"""A TCP proxy that breaks connections on demand."""

import asyncio
import contextlib
import socket
import struct
from types import TracebackType
from typing import Self


class FaultProxy:
    """`async with FaultProxy(target_port) as proxy:` listens on `proxy.port` and passes bytes on.

    Faults: `refuse` (new connections are reset at once), `cut_after` (the next bytes towards the target are counted,
    then the connection is reset), `stall` (nothing moves, nothing closes; what a sender held back so is lost when it
    resets its connection), `reset` (all open connections, now). `heal` ends them all.
    """

    def __init__(self, target_port: int, target_host: str = "127.0.0.1") -> None:
        self.port = 0
        self.connections = 0
        """How many came since the start, refused ones included."""
        self._target = (target_host, target_port)
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._moves = asyncio.Event()
        self._moves.set()
        self._is_refusing = False
        self._left: int | None = None

    @property
    def is_in_use(self) -> bool:
        """A connection is open."""
        return bool(self._open)

    def refuse(self) -> None:
        """Reset every new connection; those that are open stay."""
        self._is_refusing = True

    def cut_after(self, size: int) -> None:
        """Reset the connection that carries it after `size` more bytes towards the target."""
        self._left = size

    def stall(self) -> None:
        """Hold all bytes back, both ways."""
        self._moves.clear()

    def heal(self) -> None:
        """Pass everything again."""
        self._is_refusing = False
        self._left = None
        self._moves.set()

    def reset(self) -> None:
        """Break all open connections with RST."""
        for writer in list(self._open):
            _reset(writer)

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        self.reset()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        self.connections += 1
        if self._is_refusing:
            _reset(writer)
            return
        try:
            target_reader, target_writer = await asyncio.open_connection(*self._target)
        except OSError:
            _reset(writer)
            return
        for end in (writer, target_writer):
            end.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._open |= {writer, target_writer}
        try:
            async with asyncio.TaskGroup() as both_ways:
                both_ways.create_task(self._pass(reader, target_writer, is_counted=True))
                both_ways.create_task(self._pass(target_reader, writer, is_counted=False))
        finally:
            self._open -= {writer, target_writer}
            for end in (writer, target_writer):
                end.close()
                with contextlib.suppress(OSError):
                    await end.wait_closed()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, is_counted: bool) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                await self._moves.wait()
                if reader.exception() is not None:  # a network loses what a sender that has reset never sends again
                    return
                if is_counted and self._left is not None:
                    data, rest = data[: self._left], data[self._left :]
                    self._left -= len(data)
                    if rest or self._left == 0:
                        self._left = None
                        writer.write(data)
                        await writer.drain()
                        self.reset()
                        return
                writer.write(data)
                await writer.drain()
            writer.close()  # the other end's reader sees the end, and this pair winds up
            return
        _reset(writer)


def _reset(writer: asyncio.StreamWriter) -> None:
    opened = writer.get_extra_info("socket")
    if opened is not None and opened.fileno() >= 0:
        with contextlib.suppress(OSError):
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
