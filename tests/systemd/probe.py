"""Run by the shipped unit in the place of the node: what it could read and do there, as JSON in its state directory.

By the machine's own Python, without the project: it is a stranger's program that got into the node.
"""

import json
import os
import socket
import sys
from collections.abc import Callable
from pathlib import Path


def can(act: Callable[[], object]) -> bool:
    try:
        act()
    except OSError:
        return False
    return True


def read(path: str) -> bool:
    """Whether there is anything to be had."""
    try:
        return bool(os.listdir(path))  # noqa: PTH208 - names alone
    except NotADirectoryError:
        return can(lambda: Path(path).open("rb").read(1))
    except OSError:
        return False


def write(path: str) -> bool:
    place = Path(path) / "probe"
    return can(lambda: place.write_text("x"))


def address(family: int, kind: int) -> bool:
    return can(lambda: socket.socket(family, kind).close())


wanted = json.loads(Path(sys.argv[1]).read_text())
own = Path(os.environ["CREDENTIALS_DIRECTORY"])
found = {
    "read": [path for path in wanted["read"] if read(path)],
    "written": [path for path in wanted["write"] if write(path)],
    "raw network": address(socket.AF_PACKET, socket.SOCK_RAW) or address(socket.AF_NETLINK, socket.SOCK_RAW),
    "root": can(lambda: os.setuid(0)) or os.geteuid() == 0,
    "credentials": {file.name: file.read_text() for file in own.iterdir()},
    "processes of others": sum(
        entry.name.isdigit() and entry.stat().st_uid != os.getuid() for entry in Path("/proc").iterdir()
    ),
}
(Path(os.environ["STATE_DIRECTORY"]) / "found.json").write_text(json.dumps(found))
