import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import pytest

from voice_node.runtime.systemd import ServiceManager


@contextmanager
def manager_at(address: str) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(address)
        manager.settimeout(5)
        yield manager


def open_descriptors() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def test_a_message_is_one_datagram(tmp_path: Path) -> None:
    path = str(tmp_path / "notify")
    with manager_at(path) as manager:
        node = ServiceManager({"NOTIFY_SOCKET": path})
        node.notify("READY=1")
        node.notify("STATUS=hört zu")
        assert manager.recv(4096) == b"READY=1"
        assert manager.recv(4096) == "STATUS=hört zu".encode()


def test_an_address_without_a_file() -> None:
    name = f"voice-node-{uuid4().hex}"
    with manager_at(f"\0{name}") as manager:
        ServiceManager({"NOTIFY_SOCKET": f"@{name}"}).notify("WATCHDOG=1")
        assert manager.recv(4096) == b"WATCHDOG=1"


def test_no_descriptor_is_left_open(tmp_path: Path) -> None:
    path = str(tmp_path / "notify")
    with manager_at(path):
        node = ServiceManager({"NOTIFY_SOCKET": path})
        before = open_descriptors()
        for _ in range(5):
            node.notify("WATCHDOG=1")
        assert open_descriptors() == before


def test_without_a_manager_nothing_happens() -> None:
    before = open_descriptors()
    ServiceManager({}).notify("READY=1")
    ServiceManager({"NOTIFY_SOCKET": ""}).notify("READY=1")
    assert open_descriptors() == before


@pytest.mark.parametrize("address", ["/nonexistent/notify", "@nobody-listens-here", "x" * 500, "vsock:2:1234"])
def test_a_manager_that_is_gone_is_no_trouble(address: str) -> None:
    before = open_descriptors()
    ServiceManager({"NOTIFY_SOCKET": address}).notify("READY=1")
    assert open_descriptors() == before


def test_a_manager_that_does_not_read_blocks_nobody(tmp_path: Path) -> None:
    path = str(tmp_path / "notify")
    with manager_at(path) as manager:
        node = ServiceManager({"NOTIFY_SOCKET": path})
        for _ in range(5000):
            node.notify("WATCHDOG=1")
        assert manager.recv(4096) == b"WATCHDOG=1"


@pytest.mark.parametrize(
    ("environ", "watchdog_s"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "30000000"}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": ""}, None),
        ({"WATCHDOG_USEC": "-5"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
    ],
)
def test_who_is_watched(environ: dict[str, str], watchdog_s: float | None) -> None:
    assert ServiceManager(environ).watchdog_s == watchdog_s
