import shutil
import subprocess
from pathlib import Path

import pytest

from tests.fakes.sound_card import SoundCard
from tests.fakes.tone import noise, tone, write_wav
from voice_node.audio.level import level_dbfs
from voice_node.audio.loudness import measure_noise
from voice_node.cli.calibrate_listening import (
    Glimpse,
    Listening,
    NotMeasured,
    Stretches,
    from_recordings,
    judge,
)
from voice_node.model.errors import CaptureLost, ConfigError
from voice_node.settings.schema import CaptureSettings

RATE_HZ = 16000


def speech(path: Path) -> Path:
    """Read by espeak-ng in a room that is not quite still, with 2 s of it before and after."""
    if not (shutil.which("espeak-ng") and shutil.which("sox")):
        pytest.skip("espeak-ng and sox make the recording")
    voice, room = path.with_suffix(".voice.wav"), path.with_suffix(".room.wav")
    subprocess.run(
        ["espeak-ng", "-w", voice, "Please turn on the light in the kitchen, and set the heating."], check=True
    )
    shaped = path.with_suffix(".shaped.wav")
    subprocess.run(
        ["sox", "-R", voice, "-r", str(RATE_HZ), "-b", "16", shaped, "norm", "-20", "pad", "2", "2"], check=True
    )
    write_wav(room, noise(RATE_HZ, 12000, amplitude=40), rate_hz=RATE_HZ)
    subprocess.run(["sox", "-R", "-m", "-v", "1", shaped, "-v", "1", room, path, "trim", "0", "7"], check=True)
    return path


def test_a_recording_is_cut_into_room_and_speech(tmp_path: Path) -> None:
    found = from_recordings([speech(tmp_path / "monday.wav")], channel=0)
    assert found.rate_hz == RATE_HZ
    assert 2 * RATE_HZ * 2 < len(found.silence) < 2 * RATE_HZ * 4.5
    assert 2 * RATE_HZ * 2 < len(found.speech) < 2 * RATE_HZ * 4.5
    assert level_dbfs(found.speech) > level_dbfs(found.silence) + 15


def test_the_detector_is_asked_at_each_strictness(tmp_path: Path) -> None:
    found = from_recordings([speech(tmp_path / "monday.wav")], channel=0)
    verdicts = judge(found, gain_db=10, min_snr_db=6)
    assert sorted(verdicts) == [0, 1, 2, 3]
    assert all(said.of_voice > 0.6 and said.of_noise < 0.2 for said in verdicts.values())
    assert verdicts[0].of_voice >= verdicts[3].of_voice
    nothing = judge(Stretches(bytes(32000), bytes(32000), RATE_HZ), gain_db=0, min_snr_db=6)
    assert [said.of_voice for said in nothing.values()] == [0, 0, 0, 0]


def test_a_recording_without_speech_is_handed_on_whole(tmp_path: Path) -> None:
    pcm = noise(RATE_HZ, 3000, amplitude=40)
    found = from_recordings([write_wav(tmp_path / "room.wav", pcm, rate_hz=RATE_HZ)], channel=0)
    assert found.silence == found.speech == pcm


def test_a_recording_that_speaks_all_the_time_lacks_the_room(tmp_path: Path) -> None:
    path = speech(tmp_path / "monday.wav")
    subprocess.run(["sox", path, tmp_path / "cut.wav", "trim", "2.2", "2.5"], check=True)
    with pytest.raises(NotMeasured, match="without speech: it must begin or end with 1 s of the room alone"):
        from_recordings([tmp_path / "cut.wav"], channel=0)


def test_a_file_that_is_no_recording_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.wav: cannot be read"):
        from_recordings([tmp_path / "none.wav"], channel=0)


@pytest.mark.slow
async def test_the_microphone_gives_the_room_and_what_is_said_after_it(sound_card: SoundCard, tmp_path: Path) -> None:
    sentence = tone(300, 48000, 2000, 8000) + bytes(96000 * 3)
    listening, shown = Listening(CaptureSettings(gain_db=20)), list[Glimpse]()
    hiss = sound_card.play(write_wav(tmp_path / "hiss.wav", noise(48000, 20000, amplitude=40)))
    try:
        await listening.start()
        silence, rate_hz = await listening.silence(shown.append)
        room = measure_noise(silence, rate_hz)
        said = sound_card.play(write_wav(tmp_path / "said.wav", sentence))
        heard = await listening.speech(room, shown.append)
        said.terminate()
        said.wait()
    finally:
        await listening.close()
        hiss.terminate()
        hiss.wait()
    assert rate_hz == 48000
    assert len(silence) == 4 * 96000
    assert 2 * 96000 < len(heard) < 10 * 96000  # it ended by itself
    assert max(glimpse.level_dbfs for glimpse in shown) == pytest.approx(-15.2, abs=1)  # without the file's gain
    assert listening.name
    assert not any(glimpse.is_clipped for glimpse in shown)


@pytest.mark.slow
async def test_a_microphone_that_is_not_there_is_named(sound_card: SoundCard) -> None:
    listening = Listening(CaptureSettings(device="no such card"))
    with pytest.raises(CaptureLost, match="microphone no such card: there is no input device"):
        await listening.start()
    await listening.close()
