import pytest

from tests.fakes.sound_card import SoundCard
from voice_node.runtime.sound_server import ServerDevice, server_devices, server_names


def test_sources_and_sinks_without_monitors(sound_card: SoundCard) -> None:
    sound_card.load("usb", rate_hz=44100, channels=2)

    assert server_devices("input") == [ServerDevice("mic", 1, 48000)]
    assert ServerDevice("usb", 2, 44100) in server_devices("output")
    assert server_names("output") == ["room", "stage", "speaker", "usb"]


def test_without_a_server_there_is_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PULSE_SERVER", "unix:/nonexistent/pulse.sock")

    assert server_devices("input") == []


def test_without_its_program_there_is_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")

    assert server_devices("input") == []
