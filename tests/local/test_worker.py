import json
import subprocess
import sys
import time

import psutil

from tests.local.client import needs_espeak, needs_sox, utter
from voice_node.local.frames import HEADER, MISSING, Kind, pack, unpack_header
from voice_node.local.grammar import Grammar, SpokenSentence

GRAMMAR = Grammar((SpokenSentence("t", "what time is it", "what time is it"),), {})
WORKER = [sys.executable, "-m", "voice_node.local.worker"]


def answers(output: bytes) -> list[tuple[Kind, object]]:
    found = []
    while output:
        length, kind = unpack_header(output[: HEADER.size])
        found.append((kind, json.loads(output[HEADER.size : HEADER.size + length])))
        output = output[HEADER.size + length :]
    return found


def test_it_answers_in_frames_and_ends_with_its_input() -> None:
    questions = pack(Kind.GRAMMAR, GRAMMAR.to_json().encode()) + pack(Kind.SOUND, bytes(16000))
    done = subprocess.run(WORKER, input=questions, capture_output=True, check=True, timeout=60)
    ready, heard = answers(done.stdout)
    assert ready == (Kind.READY, [])
    assert heard[0] is Kind.HEARD
    assert isinstance(heard[1], dict)
    assert heard[1]["is_command"] is False


def test_it_ends_when_nobody_asks() -> None:
    assert subprocess.run(WORKER, input=b"", capture_output=True, check=True, timeout=60).stdout == b""


def test_it_says_that_its_library_is_missing() -> None:
    code = "import sys; sys.modules['pocketsphinx'] = None\nfrom voice_node.local.worker import main; sys.exit(main())"
    assert subprocess.run([sys.executable, "-c", code], input=b"", check=False, timeout=60).returncode == MISSING


@needs_espeak
@needs_sox
def test_the_language_model_s_memory_is_given_back() -> None:
    """glibc kept all of it."""
    code = "from voice_node.local import worker; worker._LARGE_S = 0.2; worker.main()"
    process = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin is not None
    assert process.stdout is not None
    with process:
        for kind, body in ((Kind.GRAMMAR, GRAMMAR.to_json().encode()), (Kind.SOUND, utter("my sister", rate_hz=16000))):
            process.stdin.write(pack(kind, body))
            process.stdin.flush()
            length, _ = unpack_header(process.stdout.read(HEADER.size))
            process.stdout.read(length)
        size = psutil.Process(process.pid).memory_info
        deadline = time.monotonic() + 30
        while size().rss > 100e6 and time.monotonic() < deadline:
            time.sleep(0.05)
        assert size().rss <= 100e6
        process.stdin.close()
