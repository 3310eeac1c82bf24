from pathlib import Path

from tests.fakes.sound_card import SoundCard
from tests.fakes.tone import noise, write_wav
from voice_node.cli.init_devices import Choice, choices, with_levels
from voice_node.runtime.portaudio import PortAudio


def test_what_is_offered_can_be_found_again(sound_card: SoundCard) -> None:
    for direction in ("input", "output"):
        offered = choices(direction)
        assert any(choice.is_default for choice in offered)
        with PortAudio.open() as library:
            assert [library.find(choice.value, direction).name for choice in offered] == [
                choice.name for choice in offered
            ]


async def test_a_microphone_is_offered_with_what_it_hears(sound_card: SoundCard, tmp_path: Path) -> None:
    playing = sound_card.play(write_wav(tmp_path / "noise.wav", noise(48000, 30000)))
    try:
        heard, absent = await with_levels([Choice("default", "a", True), Choice("no such card", "b", False)])
    finally:
        playing.terminate()
        playing.wait()
    assert heard.level_dbfs is not None
    assert heard.level_dbfs > -60
    assert absent == Choice("no such card", "b", False, None)
