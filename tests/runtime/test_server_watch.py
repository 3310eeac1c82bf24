import pytest

from tests.fakes.sound_card import SoundCard
from tests.fakes.until import until
from voice_node.runtime.server_watch import ServerWatch
from voice_node.runtime.sound_devices import Direction


@pytest.mark.parametrize("direction", ["input", "output"])
async def test_a_device_that_goes_is_noticed(sound_card: SoundCard, direction: Direction) -> None:
    sound_card.load("usb")
    watch = ServerWatch(direction)
    watch.start()
    await until(lambda: sound_card.clients() == 1)  # it is there
    sound_card.load("another")
    assert not watch.has_lost
    sound_card.unload("usb")
    await until(lambda: watch.has_lost)
    watch.stop()
    watch.stop()


def test_without_the_program_nothing_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    watch = ServerWatch("input")
    watch.start()
    watch.stop()

    assert not watch.has_lost
