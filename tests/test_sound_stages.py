"""Which stages a room gets; the stages themselves have their own tests."""

from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from pydantic import SecretStr

from tests.fakes.tone import noise, write_wav
from voice_node.capture.duplex import FullDuplex, HalfDuplex
from voice_node.capture.echo import EchoCanceller
from voice_node.capture.microphone import Microphone
from voice_node.capture.recording import Recording
from voice_node.local.digits import DigitListener
from voice_node.pipes import Pipes
from voice_node.playback.speaker import NullSpeaker, Speaker
from voice_node.settings.schema import RoomSettings
from voice_node.settings.secrets import Secrets
from voice_node.sound_stages import Recordings, SoundStages, build_sound

UNLOCK = {"name": "unlock", "description": "Unlocks", "confirm": "pin"}


async def sound(
    recordings: Recordings | None = None, secrets: Secrets | None = None, **sections: object
) -> SoundStages:
    settings = RoomSettings.model_validate({"room": "kitchen", **sections})
    async with AsyncExitStack() as stack:
        return build_sound(settings, secrets or Secrets(), recordings, Pipes(), lambda: "t1", stack)


async def test_a_room_has_a_microphone_and_a_speaker() -> None:
    stages = await sound()
    assert isinstance(stages.source, Microphone)
    assert isinstance(stages.player, Speaker)


async def test_a_recording_takes_the_microphones_place(tmp_path: Path) -> None:
    path = write_wav(tmp_path / "noise.wav", noise(16000, 200, 10), rate_hz=16000)
    assert isinstance((await sound(Recordings((path,)))).source, Recording)
    assert isinstance((await sound(capture={"device": f"wav:{path}"})).source, Recording)


async def test_nothing_is_played_where_nobody_would_hear_it(tmp_path: Path) -> None:
    assert isinstance((await sound(playback={"device": "none"})).player, NullSpeaker)
    assert isinstance((await sound(Recordings((tmp_path / "a.wav",), is_fast=True))).player, NullSpeaker)


async def test_a_code_is_recognised_here_where_the_language_allows_it(caplog: pytest.LogCaptureFixture) -> None:
    pytest.importorskip("pocketsphinx", reason="the extra `local` is not installed")
    code = Secrets(pin=SecretStr("4711"))
    assert (await sound(secrets=code)).private_ear is None, "no tool asks for a code"
    assert isinstance((await sound(secrets=code, tools=[UNLOCK])).private_ear, DigitListener)
    assert (await sound(secrets=code, tools=[UNLOCK], language="de")).private_ear is None
    assert "recognised by the service" in caplog.text


@pytest.mark.parametrize(
    ("echo", "device", "kind"),
    [
        ("half_duplex", "default", HalfDuplex),
        ("cancel", "default", EchoCanceller),
        ("off", "default", FullDuplex),
        ("half_duplex", "none", FullDuplex),
        ("cancel", "none", FullDuplex),
    ],
)
async def test_what_is_heard_while_the_node_speaks(echo: str, device: str, kind: type) -> None:
    pytest.importorskip("livekit.rtc", reason="the extra `aec` is not installed")
    stages = await sound(capture={"echo": echo}, playback={"device": device})

    assert isinstance(stages.echo, kind)
    if isinstance(stages.player, Speaker):
        assert (stages.player._give_reference is not None) is (kind is EchoCanceller)
