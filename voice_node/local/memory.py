"""How much memory this process may use at all: the machine's, or less where its service has a limit."""

import os
from pathlib import Path

_MEMBERSHIP = Path("/proc/self/cgroup")
_GROUPS = Path("/sys/fs/cgroup")


def memory_limit(membership: Path = _MEMBERSHIP, groups: Path = _GROUPS) -> int:
    """Bytes. systemd's MemoryHigh and MemoryMax stand in the control groups (version 2) of a service."""
    limits = [os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")]
    for group in _groups_of(membership, groups):
        for name in ("memory.high", "memory.max"):
            try:
                limits.append(int((group / name).read_text(encoding="ascii")))
            except (OSError, ValueError):
                continue  # "max", or none here
    return min(limits)


def _groups_of(membership: Path, groups: Path) -> list[Path]:
    """The process's own group, and those that it lies in."""
    try:
        lines = membership.read_text(encoding="utf-8").splitlines()
    except OSError:
        return [groups]
    own = [groups / line[3:].lstrip("/") for line in lines if line.startswith("0::")]
    return [place for path in own for place in (path, *path.parents) if place.is_relative_to(groups)] or [groups]
