import asyncio
from pathlib import Path

import pytest

from tests.fakes.sound_card import SoundCard
from tests.fakes.tone import tone, write_wav
from voice_node.cli.device_levels import Heard, bar, listen
from voice_node.runtime.portaudio import PortAudio


async def test_what_sounds_in_the_room_is_measured(sound_card: SoundCard, tmp_path: Path) -> None:
    player = sound_card.play(write_wav(tmp_path / "room.wav", tone(300, 48000, 10000)))
    shown: list[float | None] = []
    try:
        with PortAudio.open() as library:
            device = library.find("mic", "input")
            heard = await asyncio.to_thread(listen, library, device, 1.5, lambda now: shown.append(now.level_dbfs))
    finally:
        player.kill()
        player.wait()

    assert heard.problem is None
    assert heard.peak_dbfs == pytest.approx(-13.3, abs=1)
    assert len(shown) > 5


async def test_a_microphone_that_cannot_be_opened_says_why(sound_card: SoundCard) -> None:
    with PortAudio.open() as library:
        device = library.find("pulse:nobody", "input")
        heard = await asyncio.to_thread(listen, library, device, 0.2, lambda _: None)

    assert heard.level_dbfs is None
    assert bar(heard).startswith("pulse:nobody cannot be opened")


@pytest.mark.parametrize(
    ("heard", "expected"),
    [
        (Heard(), "..."),
        (Heard(-96, -96), "························  -96 dB, loudest -96"),
        (Heard(-36, -36), "████████████············  -36 dB, loudest -36"),
        (Heard(-36, -12), "████████████·······|····  -36 dB, loudest -12"),
        (Heard(0, 0), "████████████████████████    0 dB, loudest 0"),
    ],
)
def test_a_bar_with_its_peak(heard: Heard, expected: str) -> None:
    assert bar(heard) == expected
