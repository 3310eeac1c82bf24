import json
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.until import until
from voice_node.local.grammar import Grammar, SpokenSentence
from voice_node.local.recogniser import Recogniser, WorkerLost, worker_of
from voice_node.settings.local import LocalSettings

vosk_decoding = pytest.importorskip("voice_node.local.vosk_decoding", reason="vosk is not installed")

GRAMMAR = Grammar((SpokenSentence("t", "x", "turn on"),), {})


@pytest.mark.parametrize(
    ("words", "is_command", "is_doubtful"),
    [
        ([("turn", 1.0), ("on", 0.9)], True, False),
        ([("turn", 1.0), ("on", 0.6)], True, True),
        ([("turn", 1.0), ("on", 0.3)], False, False),
        ([("turn", 1.0), ("[unk]", 1.0)], False, False),
        ([], False, False),
    ],
)
def test_the_least_sure_word_decides(words: list[tuple[str, float]], is_command: bool, is_doubtful: bool) -> None:
    result: dict[str, Any] = {"text": " ".join(word for word, _ in words)}
    if words:
        result["result"] = [{"word": word, "conf": sure, "start": 0.0, "end": 0.1} for word, sure in words]
    decoding = vosk_decoding.read_result(json.dumps(result))
    assert (decoding.is_command, decoding.is_doubtful) == (is_command, is_doubtful)
    assert "[unk]" not in decoding.text


def test_a_folder_without_a_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=str(tmp_path)):
        vosk_decoding.VoskDecoder(GRAMMAR, tmp_path)


async def test_a_missing_model_is_said_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    recogniser = Recogniser(GRAMMAR, worker_of(LocalSettings(recogniser="vosk", model=str(tmp_path))))
    recogniser.start()
    for _ in range(2):
        with pytest.raises(WorkerLost):
            await recogniser.recognise(bytes(2))
    await until(lambda: recogniser.pid is None)
    await recogniser.close()
    assert caplog.text.count(f"local.model: {tmp_path} holds no model") == 1
