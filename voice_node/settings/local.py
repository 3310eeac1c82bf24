"""The section `local`: what the offline engine hears and speaks with."""

from typing import Annotated, Literal

from pydantic import Field

from voice_node.settings.section import Section

_Place = Annotated[str, Field(min_length=1, max_length=4096)]


class LocalSettings(Section):
    """The offline engine; names of files begin at the room file's folder."""

    recogniser: Literal["pocketsphinx", "vosk"] = "pocketsphinx"
    model: _Place | None = None
    """Of vosk: a folder, as it is unpacked."""
    voice: _Place | None = None
    """A Piper voice: an `.onnx` file with its `.onnx.json` beside it. None: espeak-ng."""
