"""The lower bounds of pyproject.toml are true: the oldest versions that it allows, and tests that use them."""

import re
import sys
from pathlib import Path

import pytest

from tests.packaging.conftest import run

ROOT = Path(__file__).parents[2]
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800), pytest.mark.xdist_group("packaging")]
TOOLS = ("pytest", "pytest-asyncio", "pytest-timeout", "pytest-xdist", "hypothesis", "psutil")
EVERYWHERE = "local,confirm,wake,aec,gpio,plot,intents,piper,vosk,metrics"
TESTS = (
    "audio/test_resample.py",
    "cli/test_check.py",
    "cli/test_fleet_table.py",
    "cli/test_gate_plot.py",
    "gate/test_silero.py",
    "gate/test_wake_word.py",
    "gate/test_webrtc.py",
    "local/test_home_sentences.py",
    "local/test_http.py",
    "local/test_intents.py",
    "local/test_recogniser.py",
    "mqtt/test_bridge.py",
    "mqtt/test_connection.py",
    "router/test_tools.py",
    "runtime/test_metrics.py",
    "session/test_client_secret.py",
    "session/test_connection.py",
    "session/test_connection_trouble.py",
    "settings",
)
"""Of the modules that import a library: one or two for each."""


@pytest.mark.parametrize(
    ("extras", "tests"),
    [
        pytest.param(EVERYWHERE, TESTS, id="all but mcp"),
        pytest.param("mcp", ("mcp",), id="mcp, which needs newer ones of the others"),
    ],
)
def test_the_oldest_versions_do(tools: Path, tmp_path: Path, extras: str, tests: tuple[str, ...]) -> None:
    run(sys.executable, "-m", "venv", tmp_path / "venv", cwd=tmp_path)
    python = tmp_path / "venv" / "bin" / "python"
    install = (tools / "uv", "pip", "install", "-q", "--python", python)
    run(*install, "--resolution", "lowest-direct", f"{ROOT}[{extras}]", cwd=tmp_path)
    run(*install, "--constraint", ROOT / "requirements-dev.lock", *TOOLS, cwd=tmp_path)
    places = [f"tests/{place}" for place in tests]
    said = run(python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", "not slow", *places, cwd=ROOT)
    counts = {word: int(number) for number, word in re.findall(r"(\d+) (passed|skipped)", said.splitlines()[-1])}
    assert counts["passed"] > 10 * counts.get("skipped", 0), "tests that are skipped prove nothing"
