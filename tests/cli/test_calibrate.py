"""The command as people call it."""

import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tests.cli.test_calibrate_listening import RATE_HZ, speech
from tests.fakes.sound_card import SoundCard
from tests.fakes.tone import noise, write_wav
from tests.system.house import Program, write_room
from voice_node.cli.calibrate import SENTENCES
from voice_node.cli.commands import group
from voice_node.settings.load import load_room

YAML = "room: kitchen  # mine\ncapture:\n  gain_db: 0       # as bought\nplayback: {device: none}\n"


@pytest.fixture
def room(tmp_path: Path) -> Path:
    path = tmp_path / "kitchen.yaml"
    path.write_text(YAML)
    return path


def calibrate(*arguments: str | Path, answer: str = "") -> Result:
    return CliRunner().invoke(group, ["calibrate", *map(str, arguments)], input=answer)


def test_a_recording_leads_to_settings_that_yes_writes(room: Path, tmp_path: Path) -> None:
    result = calibrate(room, speech(tmp_path / "monday.wav"), "--yes")
    assert result.exit_code == 0, result.output
    for words in ("your voice", "nothing clipped", "capture.gain_db", "as it is", "voice-node reload"):
        assert words in result.output
    gain_db = load_room(room).settings.capture.gain_db
    assert 5 <= gain_db <= 15
    assert room.read_text() == YAML.replace("gain_db: 0 ", f"gain_db: {gain_db:g} ".ljust(11)) or gain_db >= 10
    assert "# as bought" in room.read_text()
    again = calibrate(room, tmp_path / "monday.wav", "--yes")
    assert f"{room} fits: there is nothing to change." in again.output


def test_nothing_is_written_without_a_yes(room: Path, tmp_path: Path) -> None:
    result = calibrate(room, speech(tmp_path / "monday.wav"))
    assert result.exit_code == 0
    assert "is as it was: --yes writes this" in result.output
    assert room.read_text() == YAML


def test_a_recording_in_the_room_file_is_the_microphone(room: Path, tmp_path: Path) -> None:
    speech(tmp_path / "monday.wav")
    room.write_text("room: kitchen\ncapture: {device: 'wav:monday.wav'}\n")
    assert "capture.gain_db" in calibrate(room).output


@pytest.mark.parametrize(
    ("pcm", "advice"),
    [(bytes(3 * 2 * RATE_HZ), "Not a single sound came"), (noise(RATE_HZ, 3000, 50), "does not stand out")],
)
async def test_where_no_number_helps_there_is_advice_and_exit_code_1(
    room: Path, tmp_path: Path, pcm: bytes, advice: str
) -> None:
    recording = write_wav(tmp_path / "odd.wav", pcm, rate_hz=RATE_HZ)
    with Program(tmp_path, "calibrate", room, recording, "--yes") as command:
        assert await command.ended() == 1
        assert advice in " ".join(command.log.split())
        assert "Traceback" not in command.log
    assert load_room(room).settings.capture.gain_db == 0


def test_a_clipped_recording_is_refused(room: Path, tmp_path: Path) -> None:
    path = speech(tmp_path / "monday.wav")
    subprocess.run(["sox", path, tmp_path / "loud.wav", "vol", "30"], check=True, capture_output=True)
    result = calibrate(room, tmp_path / "loud.wav")
    assert result.exit_code == 1
    assert "Too loud" in result.output


@pytest.mark.slow
async def test_a_person_is_guided_through_it(room: Path, tmp_path: Path, sound_card: SoundCard) -> None:
    path, hiss = speech(tmp_path / "said.wav"), write_wav(tmp_path / "hiss.wav", noise(48000, 60000, amplitude=10))
    playing = [sound_card.play(hiss)]
    try:
        with Program(tmp_path, "calibrate", room, "--yes", environ=sound_card.environment) as command:
            await command.said("Now read this aloud")
            playing.append(sound_card.play(path))
            assert await command.ended() == 0, command.log
            assert SENTENCES["en"] in " ".join(command.output.split())
            assert "Written." in command.output
            assert command.log == ""
    finally:
        for process in playing:
            process.terminate()
            process.wait()
    assert load_room(room).settings.capture.gain_db > 3


@pytest.mark.slow
async def test_a_microphone_that_is_away_ends_with_74(tmp_path: Path) -> None:
    with Program(tmp_path, "calibrate", write_room(tmp_path, 1883, capture={"device": "no such card"})) as command:
        assert await command.ended() == 74
        assert "microphone no such card" in command.log
        assert "systemctl stop voice-node@kitchen" in command.log
