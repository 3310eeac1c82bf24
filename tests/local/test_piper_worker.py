import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fakes.piper_voice import write_voice
from voice_node.local.frames import MISSING, NO_MODEL
from voice_node.local.piper_worker import LENGTH

pytest.importorskip("piper", reason="piper is not installed")


def run(file: Path, questions: bytes, before: str = "") -> subprocess.CompletedProcess[bytes]:
    code = f"import sys; {before}\nfrom voice_node.local.piper_worker import main; sys.exit(main())"
    command = [sys.executable, "-c", code, str(file)]
    return subprocess.run(command, input=questions, capture_output=True, check=False, timeout=60)


def test_it_says_its_rate_then_sound_then_an_end(tmp_path: Path) -> None:
    wishes = [{"text": "on", "speed": 1.0}, {"text": "off", "speed": 1.5}]
    done = run(write_voice(tmp_path, 22050), b"".join(json.dumps(wish).encode() + b"\n" for wish in wishes))
    assert done.returncode == 0
    assert LENGTH.unpack_from(done.stdout) == (22050,)
    (length,) = LENGTH.unpack_from(done.stdout, 4)
    assert length == (2 * 2 + 3) * 1024 * 2
    assert LENGTH.unpack_from(done.stdout, 8 + length) == (0,)
    assert done.stdout.endswith(bytes(4))


def test_it_says_what_is_missing(tmp_path: Path) -> None:
    assert run(tmp_path / "nowhere.onnx", b"").returncode == NO_MODEL
    assert run(tmp_path, b"", "sys.modules['piper'] = None").returncode == MISSING
