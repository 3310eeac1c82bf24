"""The Pi's pins: a button that lets the node listen, a switch that mutes it, a LED that shows its state.

By gpiozero, on the machine's own pin numbers (GPIO17 is 17). Button and switch connect their pin with ground. Their
events come on a thread of the library and are handed over to the loop; everything else belongs to the loop.
"""

import asyncio
from collections.abc import Callable
from typing import TypeVar

from gpiozero import PWMLED, BadPinFactory, Button, GPIOZeroError
from gpiozero.exc import PinError

from voice_node.model.errors import ConfigError
from voice_node.model.report import NodeState

Device = TypeVar("Device")

BOUNCE_S = 0.03
"""Contacts chatter for so long."""


class Pins:
    """The pins of one room; None for those that are not there. Raises ConfigError where one cannot be used.

    Args:
        pressed: the button was pressed.
        switched: the mute switch was closed (True) or opened.
    """

    def __init__(
        self,
        button: int | None,
        switch: int | None,
        led: int | None,
        *,
        pressed: Callable[[], None],
        switched: Callable[[bool], None],
    ) -> None:
        loop = asyncio.get_running_loop()
        self._switched = switched
        self._button = self._switch = None
        self._led: PWMLED | None = None
        if button is not None:
            self._button = _device("activation.button_gpio", lambda: Button(button, bounce_time=BOUNCE_S))
            self._button.when_pressed = lambda: _hand_over(loop, pressed)
        if switch is not None:
            self._switch = _device("mute.gpio", lambda: Button(switch, bounce_time=BOUNCE_S))
            self._switch.when_pressed = lambda: _hand_over(loop, lambda: self._move(loop, True))
            self._switch.when_released = lambda: _hand_over(loop, lambda: self._move(loop, False))
        if led is not None:
            self._led = _device("indicator.led_gpio", lambda: PWMLED(led))

    @property
    def is_mute_switched(self) -> bool:
        """The mute switch is there and closed now."""
        return self._switch is not None and bool(self._switch.is_pressed)

    def _move(self, loop: asyncio.AbstractEventLoop, is_closed: bool) -> None:
        """Tell of it, and look again when the contacts are still: the library may have missed the last edge."""
        self._switched(is_closed)
        loop.call_later(2 * BOUNCE_S, self._settle, is_closed)

    def _settle(self, told: bool) -> None:
        if self._switch is not None and not self._switch.closed and self.is_mute_switched is not told:
            self._switched(not told)

    def show(self, state: NodeState) -> None:
        """Off: idle. On: it listens. Blinking: it thinks. Breathing: it speaks. A flash now and then: it cannot."""
        if self._led is None:
            return
        match state:
            case NodeState.LISTENING:
                self._led.on()
            case NodeState.THINKING:
                self._led.blink(on_time=0.25, off_time=0.25)
            case NodeState.SPEAKING:
                self._led.pulse(fade_in_time=0.5, fade_out_time=0.5)
            case NodeState.MUTED | NodeState.OFFLINE | NodeState.OVER_BUDGET:
                self._led.blink(on_time=0.1, off_time=2.9)
            case NodeState.IDLE:
                self._led.off()

    def close(self) -> None:
        """Let go of the pins; the LED goes dark."""
        for device in (self._button, self._switch, self._led):
            if device is not None:
                device.close()


def _device(key: str, make: Callable[[], Device]) -> Device:
    try:
        return make()
    except (GPIOZeroError, PinError, BadPinFactory, OSError) as error:
        raise ConfigError(f"{key}: the pin cannot be used: {error}") from None


def _hand_over(loop: asyncio.AbstractEventLoop, what: Callable[[], None]) -> None:
    if not loop.is_closed():
        loop.call_soon_threadsafe(what)
