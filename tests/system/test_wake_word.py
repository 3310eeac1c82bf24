"""A room with a wake word: what is said to it acts, what is said beside it stays in the room."""

import shutil
import subprocess
import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.fakes.broker import Broker
from tests.system.house import LIGHT, Program, calls, events, home, write_room

pytest.importorskip("pymicro_wakeword", reason="the extra `wake` is not installed")
pytest.importorskip("pocketsphinx", reason="the extra `local` is not installed")
pytestmark = pytest.mark.skipif(not shutil.which("espeak-ng") or not shutil.which("sox"), reason="no espeak-ng, sox")


def spoken(path: Path, *parts: str | float) -> Path:
    """A WAV file at 16 kHz over a little hiss: a text is said, a number is a pause in seconds."""
    pieces: list[np.ndarray[Any, Any]] = []
    for part in parts:
        if isinstance(part, str):
            command = ["espeak-ng", "-v", "en-us", "-s", "140", "--stdout", part]
            said = subprocess.run(command, capture_output=True, check=True).stdout
            change = ["sox", "-q", "-D", "-t", "wav", "-", "-r", "16000", "-b", "16", "-c", "1", "-t", "raw", "-"]
            raw = subprocess.run(change, input=said, capture_output=True, check=True).stdout
            pieces.append(np.frombuffer(raw, "<i2").astype(float))
        else:
            pieces.append(np.zeros(int(part * 16000)))
    sound = np.concatenate(pieces)
    sound += np.random.default_rng(1).normal(0, 15, len(sound))
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 16000, 0, "NONE", ""))
        file.writeframes(np.clip(sound, -32768, 32767).astype("<i2").tobytes())
    return path


@pytest.mark.slow
async def test_only_what_follows_the_wake_word_acts(tmp_path: Path, broker: Broker) -> None:
    sound = spoken(
        tmp_path / "said.wav",
        1.0,
        "turn on the bedroom light",  # nobody was asked
        2.0,
        "alexa, turn on the kitchen light",  # in the same breath
        2.0,
        "turn off the kitchen light",  # the reply is over: no wake word is needed
        9.0,
        "turn off the bedroom light",  # too late for that
        1.0,
    )
    room = write_room(
        tmp_path,
        broker.port,
        activation={"mode": "wake_word", "wake_word": "alexa", "follow_up_ms": 6000},
        tools=[LIGHT],
    )
    async with home(broker.port) as spy:
        with Program(tmp_path, "replay", room, sound) as node:
            assert await node.ended(90) == 0
        assert [call["arguments"] for call in calls(spy)] == [
            {"area": "kitchen", "state": "on"},
            {"area": "kitchen", "state": "off"},
        ]
        assert [event["wake_word"] for event in events(spy, "wake")] == ["alexa"]
        assert len(events(spy, "segment")) == 2, "nothing else left the room"
