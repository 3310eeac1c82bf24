import asyncio
import importlib.util
import shutil
import subprocess
import wave
from pathlib import Path

import pytest

from voice_node.local.digits import DigitListener, can_hear_digits, grammar


def test_there_are_english_models_alone() -> None:
    assert not can_hear_digits("de")
    is_there = importlib.util.find_spec("pocketsphinx") is not None
    assert can_hear_digits("en-GB") is is_there


@pytest.mark.parametrize("length", [4, 12])
def test_it_listens_for_exactly_as_many_digits_as_the_code_has(length: int) -> None:
    jsgf, problems = grammar(length).to_jsgf(lambda _word: True)
    assert jsgf is not None
    assert jsgf.count("<digit>") == length + 1
    assert problems == ()


async def test_nobody_listens_before_the_start_and_after_the_end() -> None:
    listener = DigitListener(4)
    assert await listener.hear(bytes(32000), 16000) == ""
    await listener.close()


def said(folder: Path, text: str) -> tuple[bytes, int]:
    """espeak-ng's voice, as mono s16le and its rate."""
    path = folder / "said.wav"
    subprocess.run(["espeak-ng", "-v", "en-us", "-s", "140", "-w", path, text], check=True)
    with wave.open(str(path)) as source:
        return source.readframes(source.getnframes()), source.getframerate()


@pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="espeak-ng is not installed")
@pytest.mark.skipif(importlib.util.find_spec("pocketsphinx") is None, reason="the extra `local` is not installed")
async def test_a_spoken_code_is_heard_on_this_device(tmp_path: Path) -> None:
    listener = DigitListener(4)
    listener.start()
    listener.start()  # a second question meanwhile
    try:
        async with asyncio.timeout(60):
            assert await listener.hear(*said(tmp_path, "seven, three, one, six")) == "7316"
            assert await listener.hear(*said(tmp_path, "turn on the kitchen light")) == ""
    finally:
        await listener.close()
