import os
from pathlib import Path

import pytest

from voice_node.local.memory import memory_limit

MACHINE = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def test_a_process_without_limits_has_the_machine_s_memory(tmp_path: Path) -> None:
    assert memory_limit(tmp_path / "none", tmp_path) == MACHINE


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ({"room/memory.high": "1000\n", "room/memory.max": "max\n"}, 1000),
        ({"room/memory.high": "1000", "memory.max": "500"}, 500),
        ({"room/memory.high": "nonsense", "other/memory.max": "500"}, MACHINE),
    ],
)
def test_the_tightest_limit_counts(tmp_path: Path, limits: dict[str, str], expected: int) -> None:
    for name, text in limits.items():
        file = tmp_path / "groups" / "house" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    (tmp_path / "membership").write_text("1:name=systemd:/elsewhere\n0::/house/room\n")
    assert memory_limit(tmp_path / "membership", tmp_path / "groups") == expected
