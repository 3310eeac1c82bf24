"""The adapters that `app` puts into the stages really have what the pipeline asks of them."""

from inspect import iscoroutinefunction, isfunction, signature

import pytest

from voice_node.capture.microphone import Microphone
from voice_node.capture.wav_file import WavFile
from voice_node.playback.speaker import NullSpeaker, Speaker
from voice_node.session.connection import Connection
from voice_node.stages import Player, Session, Source


@pytest.mark.parametrize(
    ("adapter", "wanted"),
    [
        (Microphone, Source),
        (WavFile, Source),
        (Speaker, Player),
        (NullSpeaker, Player),
        (Connection, Session),
    ],
)
def test_an_adapter_has_every_method_with_its_parameters(adapter: type, wanted: type) -> None:
    methods = [name for name, value in vars(wanted).items() if isfunction(value) and not name.startswith("_")]
    assert methods
    for name in methods:
        asked, given = vars(wanted)[name], getattr(adapter, name)
        assert list(signature(given).parameters) == list(signature(asked).parameters)
        assert iscoroutinefunction(given) == iscoroutinefunction(asked)
