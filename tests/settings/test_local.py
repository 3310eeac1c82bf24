from pathlib import Path

import pytest

from voice_node.model.errors import ConfigError
from voice_node.settings.load import load_room


def write(folder: Path, section: str) -> Path:
    file = folder / "room.yaml"
    file.write_text(f"room: attic\nlocal: {section}\n")
    return file


def test_names_begin_at_the_room_file(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "a.onnx").touch()
    local = load_room(write(tmp_path, "{recogniser: vosk, model: model, voice: a.onnx}")).settings.local
    assert (local.model, local.voice) == (str(tmp_path / "model"), str(tmp_path / "a.onnx"))


@pytest.mark.parametrize(
    ("section", "why"),
    [
        ("{recogniser: vosk}", "vosk needs `model`"),
        ("{recogniser: vosk, model: nowhere}", 'no folder "nowhere"'),
        ("{voice: nowhere.onnx}", 'no file "nowhere.onnx"'),
        ("{recogniser: whisper}", "pocketsphinx"),
    ],
)
def test_what_is_not_there_is_named(tmp_path: Path, section: str, why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        load_room(write(tmp_path, section))


def test_vosk_hears_other_languages(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    file = write(tmp_path, "{recogniser: vosk, model: model}\nlanguage: de\nsession: {provider: local}")
    assert not [line for line in load_room(file).warnings if "English" in str(line)]
