import io
import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from rich.console import Console

from tests.fakes.sound_card import SoundCard, limit_cards
from tests.fakes.tone import tone, write_wav
from voice_node.cli.commands import group
from voice_node.cli.devices import _show_levels
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
    assert default["opens"] == {"1": default["rates_hz"], "2": default["rates_hz"], "32": default["rates_hz"]}
    assert set(default) == {
        "direction", "index", "name", "channels", "default_rate_hz", "opens", "rates_hz", "is_default",
        "level_dbfs", "peak_dbfs", "problem",
    }  # fmt: skip
    assert default["level_dbfs"] is None


def test_what_a_card_refuses_is_not_listed(sound_card: SoundCard, monkeypatch: pytest.MonkeyPatch) -> None:
    sound_card.plug("usb", 44100, 2)
    limit_cards(monkeypatch, [44100], [2])
    rows = json.loads(CliRunner().invoke(group, ["devices", "--json"]).output)
    table = CliRunner().invoke(group, ["devices"]).output

    usb = next(row for row in rows if row["name"] == "usb")
    assert usb["opens"] == {"2": [44100]}
    assert "2 ch: 44100 Hz" in table


def test_names_that_only_pulseaudio_knows(sound_card: SoundCard) -> None:
    rows = json.loads(CliRunner().invoke(group, ["devices", "--json"]).output)
    named = {(row["direction"], row["name"]): row for row in rows if row["index"] is None}

    assert set(named) == {
        ("input", "pulse:mic"), ("output", "pulse:room"), ("output", "pulse:stage"), ("output", "pulse:speaker"),
    }  # fmt: skip
    assert named["output", "pulse:speaker"]["channels"] == 2


def test_levels_of_each_microphone(
    sound_card: SoundCard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("voice_node.cli.devices._SECONDS", 0.6)
    player = sound_card.play(write_wav(tmp_path / "room.wav", tone(300, 48000, 20000)))
    try:
        table = CliRunner().invoke(group, ["devices", "--levels"]).output
        rows = json.loads(CliRunner().invoke(group, ["devices", "--json", "--levels"]).output)
    finally:
        player.kill()
        player.wait()

    assert "Say something." in table
    assert "█" in table
    heard = next(row for row in rows if row["name"] == "pulse:mic")
    assert -16 < heard["peak_dbfs"] < -10
    assert all(row["level_dbfs"] is None for row in rows if row["direction"] == "output")
    assert capfd.readouterr().err == ""


def test_at_a_terminal_the_bars_move(sound_card: SoundCard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("voice_node.cli.devices._SECONDS", 0.6)
    player = sound_card.play(write_wav(tmp_path / "room.wav", tone(300, 48000, 20000)))
    shown = io.StringIO()
    try:
        with PortAudio.open() as library:
            _show_levels(
                Console(file=shown, force_terminal=True, width=100), library, [library.find("pulse:mic", "input")]
            )
    finally:
        player.kill()
        player.wait()
    assert "█" in shown.getvalue()
    assert shown.getvalue().count("loudest") > 2, "ten times a second"


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
    assert "Example: voice-node devices --levels" in CliRunner().invoke(group, ["devices", "--help"]).output
