"""Which device a room file means.

The rules, the first that fits counts:

1. A number is PortAudio's index. Indices change when cards come and go, so who knows the name of the device that it had
   under this index gets that device, wherever it is now.
2. `default` is the system's.
3. `pulse:NAME` is PulseAudio's source or sink of that name, opened through ALSA's device `pulse`.
4. `hw:CARD,DEVICE` is ALSA's, by the card's number or its id; `plughw:` the same, with ALSA converting what the card
   does not take. `,DEVICE` is 0 where it is left out; `hw:CARD=Device,DEV=0` is understood as well.
5. Otherwise it is a name, upper and lower case being one: the whole name of a device, the whole name of one of
   PulseAudio's, a part of a device's name, a part of a name of PulseAudio's. A part that fits several is refused.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

Direction = Literal["input", "output"]

PULSE = "pulse:"
"""Before a name of PulseAudio's, and the way to it: ALSA's device of that name."""

_ALSA = re.compile(r"(?P<plug>plug)?hw:(?:CARD=)?(?P<card>[\w-]+)(?:,(?:DEV=)?(?P<device>\d+))?", re.IGNORECASE)
_CARD = re.compile(r" \((?:plug)?hw:(?P<card>\d+),(?P<device>\d+)\)$")
"""How PortAudio ends the names of cards."""


class DeviceMissing(Exception):
    """The device is not there or cannot be opened now; the text says which and why, for people."""


@dataclass(frozen=True, slots=True)
class Device:
    """A sound card, or a way to one, as PortAudio names it."""

    index: int
    """Changes when cards come and go."""
    name: str
    input_channels: int
    output_channels: int
    default_rate_hz: int
    is_default_input: bool
    is_default_output: bool
    server_name: str | None = None
    """PulseAudio's source or sink that is meant by it; None: the server chooses, or has no part in it."""
    is_converted: bool = False
    """ALSA's plug layer converts rate, channels and format."""

    def channels(self, direction: Direction) -> int:
        """How many channels it has, 0 where it has no such direction."""
        return self.input_channels if direction == "input" else self.output_channels

    def is_default(self, direction: Direction) -> bool:
        """Whether `default` means this one."""
        return self.is_default_input if direction == "input" else self.is_default_output

    @property
    def card_name(self) -> str:
        """The name without the card's number, which changes as the index does."""
        return _CARD.sub("", self.name)


def choose_device(
    devices: Sequence[Device],
    wanted: int | str,
    direction: Direction,
    server_names: Callable[[Direction], Sequence[str]],
    card_number: Callable[[str], str],
    known_as: str | None = None,
) -> Device:
    """The device that is meant, by the rules at the top. DeviceMissing: none, or several; the text lists what there is.

    Args:
        server_names: PulseAudio's sources or sinks; empty where there is no such server.
        card_number: of the ALSA card with this id.
        known_as: the `card_name` that the device at the index `wanted` had before.
    """
    devices = [device for device in devices if device.channels(direction)]
    if isinstance(wanted, int):
        at_index = [device for device in devices if device.index == wanted]
        if known_as is not None and not any(device.card_name == known_as for device in at_index):
            at_index = [device for device in devices if device.card_name == known_as]
        found = at_index[:1]
    elif wanted == "default":
        found = [device for device in devices if device.is_default(direction)]
    elif wanted.startswith(PULSE):
        return _through_server(devices, wanted.removeprefix(PULSE), direction)
    elif (alsa := _ALSA.fullmatch(wanted)) is not None:
        card, number = alsa["card"], alsa["device"] or "0"
        card = card if card.isdecimal() else card_number(card)
        found = [device for device in devices if _is_card(device, card, number)]
        if alsa["plug"]:
            found = [replace(device, is_converted=True) for device in found]
    else:
        found = _by_name(devices, wanted, direction, server_names)
    if len(found) > 1:
        raise DeviceMissing(f"{wanted!r} fits several {direction} devices, write more of the name: {_list(found)}")
    if not found:
        there = _list(devices)
        if isinstance(wanted, str) and (names := server_names(direction)):
            there += f"; PulseAudio has: {', '.join(PULSE + name for name in names)}"
        if there == _NONE:
            raise DeviceMissing(f"there is no {direction} device here at all")
        raise DeviceMissing(f"there is no {direction} device {wanted!r}; there are: {there}")
    return found[0]


def _by_name(
    devices: Sequence[Device],
    wanted: str,
    direction: Direction,
    server_names: Callable[[Direction], Sequence[str]],
) -> list[Device]:
    name = wanted.casefold()
    if whole := [device for device in devices if device.name.casefold() == name]:
        return whole[:1]
    on_server = server_names(direction)
    if wanted in on_server:
        return [_through_server(devices, wanted, direction)]
    if parts := [device for device in devices if name in device.name.casefold()]:
        return parts
    return [_through_server(devices, known, direction) for known in on_server if name in known.casefold()]


def _through_server(devices: Sequence[Device], name: str, direction: Direction) -> Device:
    for device in devices:
        if device.name == "pulse":
            return replace(device, name=PULSE + name, server_name=name)
    raise DeviceMissing(
        f"there is no {direction} device {PULSE + name!r}: PulseAudio is away, or ALSA has no device `pulse`, "
        "which package libasound2-plugins brings"
    )


def _is_card(device: Device, card: str, number: str) -> bool:
    match = _CARD.search(device.name)
    return match is not None and (match["card"], match["device"]) == (card, number)


_NONE = "none"


def _list(devices: Sequence[Device]) -> str:
    return (
        ", ".join(
            repr(device.name) if device.server_name is not None else f"{device.index} {device.name!r}"
            for device in devices
        )
        or _NONE
    )
