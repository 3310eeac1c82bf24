"""Other people's clients, each set in an environment of its own in the user's cache: installed once, then kept."""

import fcntl
import functools
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

_CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "voice-node-interop"
_LONGEST_S = 500
PACKAGES = Path(__file__).parent / "javascript" / "package.json"


@functools.cache
def javascript() -> Path:
    """The folder with the packages of `javascript/package.json`; skips where it cannot be made."""
    if shutil.which("node") is None or (npm := shutil.which("npm")) is None:
        pytest.skip("node and npm are not installed")
    wanted = PACKAGES.read_text(encoding="utf-8")
    install = [npm, "install", "--no-audit", "--no-fund", "--no-package-lock", "--fetch-retries=1"]

    def fill(folder: Path) -> None:
        (folder / "package.json").write_text(wanted, encoding="utf-8")
        _run(install, folder)

    return _kept("javascript", wanted, fill)


@functools.cache
def python(*requirements: str) -> Path:
    """The interpreter of an environment with these; skips where it cannot be made."""

    def fill(folder: Path) -> None:
        _run([sys.executable, "-m", "venv", str(folder)], folder)
        _run([str(folder / "bin" / "python"), "-m", "pip", "install", "-q", "--retries", "1", *requirements], folder)

    return _kept(requirements[0].partition("[")[0].partition("=")[0], " ".join(requirements), fill) / "bin" / "python"


def _kept(name: str, wanted: str, fill: Callable[[Path], None]) -> Path:
    """A folder that `fill` has made, now or once before; several test processes wait for the first of them."""
    digest = hashlib.sha256(f"{sys.version}{wanted}".encode()).hexdigest()[:12]
    folder = _CACHE / f"{name}-{digest}"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "whole").exists():
            fill(folder)
            (folder / "whole").touch()
    return folder


def _run(command: Sequence[str], folder: Path) -> None:
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=_LONGEST_S, check=False)
    except subprocess.TimeoutExpired:
        pytest.skip(f"{Path(command[0]).name} did not end within {_LONGEST_S} s")
    if done.returncode != 0:
        pytest.skip(f"{' '.join(command[:4])}: {done.stderr.strip()[-200:]}")
