import contextlib
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest

from tests.fakes.piper_voice import write_voice
from tests.fakes.until import until
from tests.local.client import needs_espeak
from voice_node.local.neural_voice import NeuralVoice
from voice_node.local.voice import Voice

pytest.importorskip("piper", reason="piper is not installed")


@contextlib.asynccontextmanager
async def voice_of(file: Path, *worker: str) -> AsyncIterator[NeuralVoice]:
    voice = NeuralVoice(str(file), worker) if worker else NeuralVoice(str(file))
    voice.start()
    try:
        yield voice
    finally:
        await voice.close()


async def spoken(voice: NeuralVoice | Voice, text: str, speed: float = 1.0) -> list[bytes]:
    return [pcm async for pcm in voice.speak(text, speed)]


async def test_text_becomes_sound_in_pieces(tmp_path: Path) -> None:
    async with voice_of(write_voice(tmp_path)) as voice:
        pieces = await spoken(voice, "the light is on")
        seconds = len(b"".join(pieces)) / 48000
        assert max(len(piece) for piece in pieces) <= 9600
        assert 0.9 < seconds / ((2 * 15 + 3) * 1024 / 16000) < 1.1
        assert any(map(any, pieces))
        assert await spoken(voice, "again")
        assert await spoken(voice, "") is not None


async def test_who_stops_listening_gets_the_next_text_only(tmp_path: Path) -> None:
    async with voice_of(write_voice(tmp_path)) as voice:
        async with contextlib.aclosing(voice.speak("a" * 200, 1.0)) as pieces:
            await anext(pieces)
        seconds = len(b"".join(await spoken(voice, "on"))) / 48000
        assert seconds < 1
    assert not [child for child in psutil.Process().children() if "piper_worker" in " ".join(child.cmdline())]


@pytest.mark.parametrize("content", [None, b"", b"no voice"])
async def test_a_voice_that_cannot_be_loaded_is_said_once(
    tmp_path: Path, content: bytes | None, caplog: pytest.LogCaptureFixture
) -> None:
    file = write_voice(tmp_path)
    if content is None:
        file.unlink()
    else:
        file.write_bytes(content)
    async with voice_of(file) as voice:
        assert await spoken(voice, "hello") == []
        assert await spoken(voice, "hello") == []
        assert not voice.is_usable
    assert caplog.text.count("espeak-ng speaks instead") == 1


async def test_a_voice_without_its_description_is_none(tmp_path: Path) -> None:
    file = write_voice(tmp_path)
    file.with_suffix(".onnx.json").write_text('{"audio": {}}')
    async with voice_of(file) as voice:
        assert await spoken(voice, "hello") == []


async def test_a_missing_library_is_said_with_its_remedy(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with voice_of(tmp_path / "x.onnx", sys.executable, "-c", "import sys; sys.exit(69)") as voice:
        assert await spoken(voice, "hello") == []
    assert "pip install 'voice-node[piper]'" in caplog.text


async def test_a_voice_that_dies_is_started_again_a_few_times(tmp_path: Path) -> None:
    code = "import sys; sys.stdout.buffer.write(b'\\0\\0\\x3e\\x80'); sys.stdout.flush(); sys.stdin.readline()"
    async with voice_of(tmp_path / "x.onnx", sys.executable, "-c", code) as voice:
        for _ in range(3):
            assert voice.is_usable
            assert await spoken(voice, "hello") == []
        assert not voice.is_usable


@needs_espeak
async def test_espeak_speaks_where_the_voice_cannot(tmp_path: Path) -> None:
    voice = Voice("en", file=str(tmp_path / "nowhere.onnx"))
    voice.start()
    assert await spoken(voice, "hello there")
    await voice.close()
    assert voice.is_available


async def test_the_voice_goes_before_espeak(tmp_path: Path) -> None:
    voice = Voice("en", command="no-such-voice", file=str(write_voice(tmp_path)))
    voice.start()
    await until(lambda: voice.is_available)
    assert await spoken(voice, "hello")
    await voice.close()
    assert not voice.is_available
