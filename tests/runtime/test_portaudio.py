import os
import threading
from pathlib import Path

import pytest

from tests.fakes.sound_card import SoundCard
from voice_node.runtime.portaudio import PortAudio
from voice_node.runtime.sound_devices import DeviceMissing


@pytest.fixture
def no_sound_card(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine whose sound server is away. Skips where it has a sound card of its own."""
    monkeypatch.setenv("PULSE_SERVER", "unix:/nonexistent/pulse.sock")
    with PortAudio.open() as library:
        if library.devices():
            pytest.skip("this machine has a sound card")


def test_devices_are_found_by_index_default_and_part_of_a_name(sound_card: SoundCard) -> None:
    with PortAudio.open() as library:
        devices = library.devices()
        default = library.find("default", "input")

        assert default.is_default_input
        assert default.is_default("input")
        assert library.find(default.index, "input") == default
        assert library.find("PULS", "output").name == "pulse"
        assert {device.name for device in devices} >= {"pulse", "default"}


def test_a_whole_name_goes_before_a_part(sound_card: SoundCard) -> None:
    with PortAudio.open() as library:
        for device in library.devices():
            assert library.find(device.name, "input").name == device.name


@pytest.mark.parametrize("wanted", ["no such card", 99])
def test_a_missing_device_is_named_with_those_that_are_there(sound_card: SoundCard, wanted: str | int) -> None:
    with PortAudio.open() as library, pytest.raises(DeviceMissing, match=r"there are: .*'pulse'"):
        library.find(wanted, "output")


def test_without_a_card_there_is_nothing(no_sound_card: None) -> None:
    with PortAudio.open() as library:
        assert library.devices() == []
        with pytest.raises(DeviceMissing, match=r"there is no .* device here at all"):
            library.find("default", "input")


def test_rates_are_probed(sound_card: SoundCard) -> None:
    with PortAudio.open() as library:
        device = library.find("default", "input")

        assert library.takes(device, "input", 48000, 1)
        assert not library.takes(device, "input", 48000, 99)


def test_a_device_that_refuses_is_named_with_its_reasons(sound_card: SoundCard) -> None:
    with PortAudio.open() as library:
        device = library.find("default", "input")
        with pytest.raises(DeviceMissing, match=r"cannot be opened at 48000 or 8000 Hz with 99 channels: \w+"):
            library.open_input(device, [48000, 48000, 8000], [99], 20, lambda *_: None)


def test_whoever_misses_a_device_asks_the_others_to_let_go(sound_card: SoundCard, new_patience: None) -> None:
    """The list of devices is made anew only when nobody holds the library."""
    holder, seeker = PortAudio.open(), PortAudio.open()
    with pytest.raises(DeviceMissing):
        seeker.find("plugged in later", "output")
    seeker.close()

    assert holder.should_let_go
    holder.close()
    with PortAudio.open() as again:
        assert not again.should_let_go


def test_nobody_is_asked_again_at_once_or_for_a_list_that_is_fresh(
    sound_card: SoundCard, new_patience: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("voice_node.runtime.portaudio._CARDS", tmp_path)

    def miss() -> None:
        with PortAudio.open() as seeker, pytest.raises(DeviceMissing):
            seeker.find("nothing", "output")

    with PortAudio.open() as holder:
        with pytest.raises(DeviceMissing):
            holder.find("nothing", "output")
        assert not holder.should_let_go
        miss()
        assert holder.should_let_go
    with PortAudio.open() as holder:
        miss()
        assert not holder.should_let_go
        (tmp_path / "controlC1").touch()  # a card came: it may be the one
        miss()
        assert holder.should_let_go


def test_the_chatter_of_alsa_and_jack_stays_off_the_terminal(capfd: pytest.CaptureFixture[str]) -> None:
    """And not a line of anybody else is lost with it."""
    is_over = threading.Event()
    written = 0

    def write() -> None:
        nonlocal written
        while not is_over.wait(0.002):
            os.write(2, b"line of another thread\n")
            written += 1

    writer = threading.Thread(target=write)
    writer.start()
    PortAudio.open().close()
    is_over.set()
    writer.join()

    lines = capfd.readouterr().err.splitlines()
    assert set(lines) == {"line of another thread"}
    assert len(lines) == written
