import asyncio
import errno
import socket

import pytest

from voice_node.runtime.network_error import why


async def test_a_port_where_nobody_listens(unused_tcp_port: int) -> None:
    for host in ("127.0.0.1", "localhost"):
        with pytest.raises(OSError, match="Connect call failed") as refused:
            await asyncio.open_connection(host, unused_tcp_port)
        assert why(refused.value) == "Connection refused"


async def test_a_port_that_is_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        with pytest.raises(OSError, match="bind") as refused:
            await asyncio.start_server(lambda *_: None, "127.0.0.1", taken.getsockname()[1])
        assert why(refused.value) == "Address already in use"


def test_several_addresses_are_told_by_the_first() -> None:
    several = "Multiple exceptions: [Errno 111] Connect call failed ('::1', 1, 0, 0), [Errno 101] Connect call failed"
    assert why(OSError(several)) == "Connection refused"


def test_a_name_that_nobody_knows_and_an_error_without_words() -> None:
    assert why(socket.gaierror(socket.EAI_NONAME, "Name or service not known")) == "Name or service not known"
    assert why(OSError()) == "OSError"
    assert why(OSError(errno.EHOSTUNREACH, "x")) == "No route to host"
