from pathlib import Path
from typing import Any

import pytest

from tests.fakes.sound_card import SoundCard
from tests.fakes.tone import noise, write_wav
from voice_node.cli.doctor_finding import Patient, Status
from voice_node.cli.doctor_sound import check_microphone, check_speaker, heard
from voice_node.settings.schema import RoomSettings
from voice_node.settings.secrets import Secrets


def patient(*, is_running: bool = False, **sections: Any) -> Patient:
    settings = RoomSettings.model_validate({"room": "kitchen", **sections})
    return Patient(Path("kitchen.yaml"), settings, Secrets(), {}, is_running)


async def test_a_microphone_that_hears(sound_card: SoundCard, tmp_path: Path) -> None:
    playing = sound_card.play(write_wav(tmp_path / "noise.wav", noise(48000, 30000)))
    try:
        (found,) = await check_microphone(patient())
    finally:
        playing.terminate()
        playing.wait()
    assert found.status is Status.OK, found
    assert "opens at 48000 Hz" in found.text


async def test_a_microphone_that_gives_only_zeros(sound_card: SoundCard) -> None:
    (found,) = await check_microphone(patient())
    assert (found.status, "digital silence" in found.text) == (Status.FAULT, True)
    assert "alsamixer" in found.advice


@pytest.mark.slow
async def test_devices_that_are_not_there(sound_card: SoundCard) -> None:
    absent = patient(capture={"device": "no such card"}, playback={"device": "no such card"})
    for check in (check_microphone, check_speaker):
        (found,) = await check(absent)
        assert found.status is Status.FAULT
        assert "no such card" in found.text
        assert "voice-node devices" in found.advice


async def test_a_speaker_is_tried_without_a_sound(sound_card: SoundCard) -> None:
    (found,) = await check_speaker(patient())
    assert found.status is Status.OK
    assert "48000" in found.text
    assert sound_card.players() == 0


async def test_the_cards_of_a_room_that_runs_are_left_alone(sound_card: SoundCard) -> None:
    (microphone,) = await check_microphone(patient(is_running=True))
    (speaker,) = await check_speaker(patient(is_running=True))
    assert (microphone.status, speaker.status) == (Status.OK, Status.OK)
    assert "the room runs" in microphone.text
    assert "the room runs" in speaker.text


async def test_what_needs_no_card() -> None:
    (microphone,) = await check_microphone(patient(capture={"device": "wav:/tmp/a.wav"}))
    (speaker,) = await check_speaker(patient(playback={"device": "none"}))
    assert microphone.text == "a recording: /tmp/a.wav"
    assert speaker.text.startswith("none")


def test_the_quietest_sound_is_one() -> None:
    assert heard("card", 48000, -90).status is Status.OK
    assert heard("card", 48000, -96).status is Status.FAULT
