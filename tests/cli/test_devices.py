import json

import pytest
from click.testing import CliRunner

from tests.fakes.sound_card import SoundCard
from voice_node.cli.commands import group
from voice_node.runtime.portaudio import PortAudio


def test_a_table_of_microphones_and_speakers(sound_card: SoundCard, capfd: pytest.CaptureFixture[str]) -> None:
    result = CliRunner().invoke(group, ["devices"])

    assert result.exit_code == 0
    assert "Microphones" in result.output
    assert "Speakers" in result.output
    assert "default (default)" in result.output
    assert "48000" in result.output
    assert "ALSA" not in result.output + capfd.readouterr().err


def test_json_for_programs(sound_card: SoundCard) -> None:
    rows = json.loads(CliRunner().invoke(group, ["devices", "--json"]).output)

    assert {row["direction"] for row in rows} == {"input", "output"}
    default = next(row for row in rows if row["direction"] == "input" and row["is_default"])
    assert default["rates_hz"] == [8000, 16000, 24000, 32000, 44100, 48000]
    assert set(default) == {"direction", "index", "name", "channels", "default_rate_hz", "rates_hz", "is_default"}


def test_no_sound_card_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PULSE_SERVER", "unix:/nonexistent/pulse.sock")
    with PortAudio.open() as library:
        if library.devices():
            pytest.skip("this machine has a sound card")
    table = CliRunner().invoke(group, ["devices"])
    as_json = CliRunner().invoke(group, ["devices", "--json"])

    assert table.exit_code == 0
    assert table.output.startswith("No sound card is in sight.")
    assert json.loads(as_json.output) == []


def test_help_has_an_example() -> None:
    assert "Example: voice-node devices" in CliRunner().invoke(group, ["devices", "--help"]).output
