"""What is published: built, installed where nothing else is, and used from another folder."""

import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from tests.packaging.conftest import run
from voice_node.version import VERSION

ROOT = Path(__file__).parents[2]
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800), pytest.mark.xdist_group("packaging")]


@pytest.fixture(scope="module")
def built(tools: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel and the sdist."""
    folder = tmp_path_factory.mktemp("built")
    run(tools / "python", "-m", "hatchling", "build", "-d", folder, cwd=ROOT)
    return folder


def the(folder: Path, pattern: str) -> Path:
    (found,) = folder.glob(pattern)
    return found


def test_what_is_in_them(built: Path) -> None:
    with zipfile.ZipFile(the(built, "*.whl")) as wheel:
        names = set(wheel.namelist())
    assert {"voice_node/app.py", "voice_node/config/rooms/kitchen.yaml"} <= names
    assert "voice_node/config/demo/three_sentences.wav" in names
    assert not [name for name in names if name.startswith("tests/") or name.endswith(".pyc")]
    with tarfile.open(the(built, "*.tar.gz")) as sdist:
        inside = {name.partition("/")[2] for name in sdist.getnames()}
    assert {"pyproject.toml", "requirements-dev.lock", "script/test", "tests/conftest.py", "README.md"} <= inside


@pytest.mark.parametrize("pattern", ["*.whl", "*.tar.gz"])
def test_it_works_where_nothing_else_is(built: Path, tools: Path, tmp_path: Path, pattern: str) -> None:
    run(sys.executable, "-m", "venv", tmp_path / "venv", cwd=tmp_path)
    programs = tmp_path / "venv" / "bin"
    wanted = f"{the(built, pattern)}[local,confirm]"
    run(tools / "uv", "pip", "install", "-q", "--python", programs / "python", wanted, cwd=tmp_path)
    assert VERSION in run(programs / "voice-node", "--version", cwd=tmp_path)
    place = run(programs / "python", "-c", "import voice_node; print(voice_node.__path__[0])", cwd=tmp_path).strip()
    assert Path(place).is_relative_to(tmp_path)
    for room in ("demo", "kitchen"):
        run(
            programs / "voice-node", "check", Path(place) / "config" / "rooms" / f"{room}.yaml",
            cwd=tmp_path, VOICE_NODE_PIN="1234",
        )  # fmt: skip
    assert "Show a room at work" in run(programs / "voice-node", "demo", "--help", cwd=tmp_path)
