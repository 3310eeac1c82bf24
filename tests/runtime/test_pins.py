"""Button, switch and LED on gpiozero's mock pins."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest

pytest.importorskip("gpiozero", reason="the extra `gpio` is not installed")

from gpiozero import Device
from gpiozero.pins.mock import MockFactory, MockPWMPin

from tests.fakes.until import until
from voice_node.model.errors import ConfigError
from voice_node.model.report import NodeState
from voice_node.runtime.pins import Pins

BUTTON, SWITCH, LED = 17, 22, 18


@pytest.fixture(autouse=True)
def board() -> Iterator[MockFactory]:
    """A Pi without a Pi."""
    before, Device.pin_factory = Device.pin_factory, MockFactory(pin_class=MockPWMPin)
    yield Device.pin_factory
    Device.pin_factory.reset()
    Device.pin_factory = before


class Room:
    """What the pins told."""

    def __init__(self) -> None:
        self.presses = 0
        self.switched: list[bool] = []

    def press(self) -> None:
        self.presses += 1


@pytest.fixture
async def room() -> AsyncIterator[tuple[Room, Pins]]:
    told = Room()
    pins = Pins(BUTTON, SWITCH, LED, pressed=told.press, switched=told.switched.append)
    yield told, pins
    pins.close()


async def test_a_button_is_pressed_once_for_one_press(board: MockFactory, room: tuple[Room, Pins]) -> None:
    told, _ = room
    board.pin(BUTTON).drive_low()
    await until(lambda: told.presses == 1)
    board.pin(BUTTON).drive_high()
    board.pin(SWITCH).drive_low()
    await until(lambda: told.switched == [True])
    assert told.presses == 1


async def test_the_switch_is_where_it_stands(board: MockFactory, room: tuple[Room, Pins]) -> None:
    told, pins = room
    assert not pins.is_mute_switched
    board.pin(SWITCH).drive_low()
    await until(lambda: told.switched == [True])
    assert pins.is_mute_switched
    await asyncio.sleep(0.05)  # contacts are believed again after the bounce
    board.pin(SWITCH).drive_high()
    await until(lambda: told.switched == [True, False])
    assert not pins.is_mute_switched


async def test_a_contact_that_chatters_ends_where_it_stands(board: MockFactory, room: tuple[Room, Pins]) -> None:
    """A pin that is deaf after each edge, as RPi.GPIO's is, never tells of the second edge of a glitch."""
    told, pins = room
    board.pin(SWITCH).drive_low()
    await until(lambda: told.switched == [True])
    board.pin(SWITCH).drive_high()
    board.pin(SWITCH)._state = False  # closed again, and nobody says so
    await until(lambda: told.switched == [True, False, True])
    assert pins.is_mute_switched


async def test_the_led_shows_each_state(board: MockFactory, room: tuple[Room, Pins]) -> None:
    _, pins = room
    led = board.pin(LED)
    pins.show(NodeState.LISTENING)
    assert led.state == 1
    pins.show(NodeState.IDLE)
    assert led.state == 0
    for state in (NodeState.THINKING, NodeState.SPEAKING, NodeState.MUTED):
        pins.show(NodeState.IDLE)
        pins.show(state)
        await until(lambda: led.state > 0)
    pins.close()
    assert led.state in (0, None)


async def test_a_room_without_pins_needs_none() -> None:
    pins = Pins(None, None, None, pressed=lambda: None, switched=lambda _: None)
    assert not pins.is_mute_switched
    pins.show(NodeState.LISTENING)
    pins.close()


async def test_a_pin_that_cannot_be_used_is_an_error_of_the_room_file() -> None:
    with pytest.raises(ConfigError, match=r"mute\.gpio: the pin cannot be used: "):
        Pins(17, 17, None, pressed=lambda: None, switched=lambda _: None)
