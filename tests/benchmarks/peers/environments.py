"""Virtual environments for the peers, in a cache: built once, by pip, and never part of this project's own."""

import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

CACHE = "VOICE_NODE_BENCH_CACHE"
"""Names the folder of the environments; `~/.cache/voice-node-bench` otherwise."""
_MARK = "requirements.txt"
_PATIENCE_S = 600.0


class UnavailableError(Exception):
    """The environment cannot be had; the text says why."""


def environment_of(name: str, requirements: tuple[str, ...]) -> Path:
    """The Python of an environment with `requirements`; UnavailableError."""
    folder = _cache() / name
    python, mark, wanted = folder / "bin/python", folder / _MARK, "\n".join(requirements) + "\n"
    if python.exists() and mark.exists() and mark.read_text() == wanted:
        return python
    shutil.rmtree(folder, ignore_errors=True)
    print(f"Installing {' '.join(requirements)}", file=sys.stderr, flush=True)
    try:
        venv.create(folder, with_pip=True)
        pip = [str(python), "-m", "pip", "install", "-qq", "--disable-pip-version-check", *requirements]
        subprocess.run(pip, check=True, stdout=subprocess.DEVNULL, timeout=_PATIENCE_S)
    except (OSError, subprocess.SubprocessError):
        # pip has said why on standard error; that may name things of this machine, which no page needs.
        raise UnavailableError("it could not be installed") from None
    mark.write_text(wanted)
    return python


def version_of(python: Path, package: str) -> str:
    """Of what is installed there."""
    ask = f"import importlib.metadata as found; print(found.version({package!r}))"
    return subprocess.run([python, "-c", ask], check=True, capture_output=True, text=True).stdout.strip()


def _cache() -> Path:
    named = os.environ.get(CACHE)
    return Path(named) if named else Path.home() / ".cache" / "voice-node-bench"
