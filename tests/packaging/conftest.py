"""Virtual environments of their own, filled from the registry that pip is set up with."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

INSTALL_S = 600

Run = Callable[..., str]


def run(*command: str | Path, cwd: Path, is_needed: bool = True, **environ: str) -> str:
    """What it wrote; skips the test where what only the network can give is not to be had."""
    foreign = ("PYTHONPATH", "VIRTUAL_ENV")
    inherited = {name: value for name, value in os.environ.items() if name not in foreign}
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd, env=inherited | environ, timeout=INSTALL_S, check=False,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    if done.returncode != 0 and not is_needed:
        pytest.skip(f"the package registry cannot be reached: {done.stdout.strip().splitlines()[-1]}")
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.fixture(scope="session")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of an environment with uv and hatchling."""
    folder = tmp_path_factory.mktemp("tools")
    run(sys.executable, "-m", "venv", folder / "venv", cwd=folder)
    programs = folder / "venv" / "bin"
    run(programs / "python", "-m", "pip", "install", "-q", "uv", "hatchling", cwd=folder, is_needed=False)
    return programs
