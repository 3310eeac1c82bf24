"""Microphones and speakers to choose from, each microphone with what it hears."""

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass

from voice_node.audio.level import SILENCE_DBFS
from voice_node.cli.calibrate_listening import Glimpse, Listening
from voice_node.model.errors import CaptureLost
from voice_node.runtime.portaudio import PortAudio
from voice_node.runtime.sound_devices import Device, Direction
from voice_node.settings.schema import CaptureSettings

_LISTEN_S = 0.6
_DEVICE_S = 4.0
_MOST_LISTENED_TO = 8


@dataclass(frozen=True, slots=True)
class Choice:
    """A device as it is offered."""

    value: int | str
    """What the room file takes: a name that no other device has in it, where there is one."""
    name: str
    is_default: bool
    level_dbfs: float | None = None
    """The loudest that it heard just now; None where it was not listened to, or cannot be opened."""


def choices(direction: Direction) -> list[Choice]:
    """The devices of one direction."""
    with PortAudio.open() as library:
        found = [device for device in library.devices() if device.channels(direction)]
    return [Choice(_value(device, found), device.name, device.is_default(direction)) for device in found]


def _value(device: Device, others: Sequence[Device]) -> int | str:
    name = device.card_name
    is_telling = sum(name.casefold() in other.name.casefold() for other in others) == 1
    return name if is_telling else device.index


async def with_levels(offered: Sequence[Choice]) -> list[Choice]:
    """The same, with what each hears; one after the other, as a card serves one program."""
    return [
        Choice(choice.value, choice.name, choice.is_default, await _level(choice.value))
        if number < _MOST_LISTENED_TO
        else choice
        for number, choice in enumerate(offered)
    ]


async def _level(device: int | str) -> float | None:
    levels: list[float] = []

    def show(glimpse: Glimpse) -> None:
        levels.append(glimpse.level_dbfs)

    listening = Listening(CaptureSettings(device=device), give_up_after_s=0)
    with contextlib.suppress(CaptureLost, TimeoutError):
        try:
            async with asyncio.timeout(_DEVICE_S):
                await listening.start()
                await listening.listen(_LISTEN_S, show)
        finally:
            await listening.close()
    return max(levels, default=SILENCE_DBFS) if levels else None
