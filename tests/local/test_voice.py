import contextlib
from pathlib import Path

import psutil
import pytest

from tests.local.client import needs_espeak
from voice_node.local.voice import Voice


async def spoken(voice: Voice, text: str, speed: float = 1.0) -> list[bytes]:
    return [pcm async for pcm in voice.speak(text, speed)]


@needs_espeak
async def test_text_becomes_sound_in_pieces() -> None:
    pieces = await spoken(Voice("en"), "The kitchen light is on.")
    assert 1 < len(b"".join(pieces)) / 48000 < 4
    assert len(pieces) > 3
    assert any(max(piece) for piece in pieces)


@needs_espeak
async def test_speed_and_language_matter() -> None:
    text = "One hundred and twenty seven."
    slow, fast = await spoken(Voice("en-GB"), text, 0.5), await spoken(Voice("en-GB"), text, 1.5)
    assert len(b"".join(slow)) > 1.5 * len(b"".join(fast))
    assert b"".join(await spoken(Voice("de"), text)) != b"".join(await spoken(Voice("en"), text))


@needs_espeak
@pytest.mark.parametrize("language", ["de-AT", "xx"])
async def test_an_unknown_language_is_spoken_all_the_same(language: str) -> None:
    assert await spoken(Voice(language), "eins zwei drei")


@needs_espeak
async def test_text_is_never_an_option_or_a_command(tmp_path: Path) -> None:
    trap = tmp_path / "trap"
    assert await spoken(Voice("en"), f"--version; touch {trap} $(touch {trap})")
    assert not trap.exists()
    assert await spoken(Voice("en"), "\ud800 broken")


@needs_espeak
async def test_closing_it_early_ends_the_process() -> None:
    async with contextlib.aclosing(Voice("en").speak("one two three. " * 130)) as pieces:
        await anext(pieces)
    assert not [child for child in psutil.Process().children() if child.name() == "espeak-ng"]


async def test_without_the_command_there_is_no_sound() -> None:
    voice = Voice("en", command="no-such-voice")
    assert not voice.is_available
    assert await spoken(voice, "hello") == []


async def test_a_command_that_fails_or_babbles_makes_no_sound() -> None:
    assert await spoken(Voice("en", command="false"), "hello") == []
