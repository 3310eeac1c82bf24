"""The command as people call it."""

import os
import select
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tests.fakes import broker as fake
from tests.fakes.broker import Broker
from voice_node.cli import init as module
from voice_node.cli.commands import group
from voice_node.cli.init_devices import Choice
from voice_node.model.errors import ConfigError
from voice_node.settings.load import load_room

PASSWORD, KEY = "canary-password", "sk-canary-0123456789"
needs_broker = pytest.mark.skipif(bool(fake.ABSENT), reason=fake.ABSENT)


def init(*arguments: str | Path, typed: str = "", **environ: str) -> Result:
    names = ("OPENAI_API_KEY", "MQTT_PASSWORD", "CREDENTIALS_DIRECTORY", "LANG", "LC_ALL")
    hidden: dict[str, str | None] = dict.fromkeys(names)
    runner = CliRunner(env={**hidden, **environ})
    return runner.invoke(group, ["init", *map(str, arguments)], input=typed)


@pytest.fixture
def person(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody is there to be asked, in a house with two microphones."""
    monkeypatch.setattr(module, "is_terminal", lambda: True)
    offered = [Choice("USB Mic", "USB Mic: - (hw:1,0)", False, -42.0), Choice(7, "default", True, -96.0)]
    monkeypatch.setattr(module, "_microphones", lambda: offered)
    monkeypatch.setattr(module, "choices", lambda _: [])


def test_a_name_of_another_encoding_is_no_name(tmp_path: Path) -> None:
    path = tmp_path / "kitchen.yaml"
    result = init("kitchen", "--yes", "--output", path, "--name", "K\udcfcche")  # as Python has Latin-1 in UTF-8
    assert isinstance(result.exception, ConfigError)
    assert "UTF-8" in str(result.exception)
    assert list(tmp_path.iterdir()) == []


@needs_broker
def test_with_options_nothing_is_asked(tmp_path: Path) -> None:
    with Broker(users={"kitchen": PASSWORD}) as broker:
        path, folder = tmp_path / "etc" / "kitchen.yaml", tmp_path / "credentials"
        result = init(
            "kitchen", "--yes", "--output", path, "--broker", f"mqtt://kitchen@127.0.0.1:{broker.port}",
            "--provider", "openai", "--microphone", "3", "--speaker", "none", "--language", "de", "--name", "Küche",
            "--credentials", folder,
            MQTT_PASSWORD=PASSWORD, OPENAI_API_KEY=KEY,
        )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert "broker, ok: 127.0.0.1" in result.output
    settings = load_room(path).settings
    assert (settings.name, settings.language, settings.session.provider) == ("Küche", "de", "openai")
    assert (settings.capture.device, settings.playback.device) == (3, "none")
    assert (settings.mqtt.port, settings.mqtt.username) == (broker.port, "kitchen")
    kept = {file.name: file.read_text() for file in folder.iterdir()}  # as script/install and the unit want them
    assert kept == {"mqtt_password": PASSWORD + "\n", "openai_api_key": KEY + "\n"}
    assert not [word for word in (PASSWORD, KEY) if word in path.read_text() + result.output]


def test_a_broker_that_is_away_is_told_and_the_file_is_written(tmp_path: Path, free_port: int) -> None:
    path = tmp_path / "kitchen.yaml"
    result = init("Kitchen", "--yes", "--output", path, "--broker", f"127.0.0.1:{free_port}", LANG="fr_FR.UTF-8")
    assert result.exit_code == 0
    assert "broker, fault: 127.0.0.1" in result.output
    assert load_room(path).settings.language == "fr"
    assert f"voice-node doctor {path}" in result.output
    assert f"script/install {path}" in result.output


def test_a_file_that_is_there_stays(tmp_path: Path, free_port: int) -> None:
    path = tmp_path / "kitchen.yaml"
    path.write_text("mine\n")
    options = ("kitchen", "--yes", "--output", path, "--broker", f"127.0.0.1:{free_port}")
    result = init(*options)
    assert result.exit_code == 1
    assert "stays as it is" in str(result.exception)
    assert path.read_text() == "mine\n"
    assert init(*options, "--overwrite").exit_code == 0
    assert load_room(path).settings.room == "kitchen"


def test_what_the_loader_refuses_is_not_written(tmp_path: Path, free_port: int) -> None:
    path = tmp_path / "kitchen.yaml"
    result = init("kitchen", "--yes", "--output", path, "--provider", "azure", "--broker", f"127.0.0.1:{free_port}")
    assert result.exit_code == 1
    assert str(result.exception).startswith("not written: kitchen.yaml:")
    assert "session.url" in str(result.exception)
    assert not path.exists()


def test_a_language_that_is_no_code_is_refused_where_it_is_given(tmp_path: Path) -> None:
    result = init("kitchen", "--yes", "--output", tmp_path / "kitchen.yaml", "--language", "german")
    assert result.exit_code == 2
    assert "'german' is no code of a language, such as en, de or pt-BR" in result.output
    assert not list(tmp_path.iterdir())


@needs_broker
def test_a_language_that_is_no_code_is_asked_for_again(tmp_path: Path, person: None) -> None:
    path = tmp_path / "kitchen.yaml"
    with Broker() as broker:
        typed = "\ngerman\nde\n\n\n\n\n\n"
        result = init("kitchen", "--output", path, "--broker", f"127.0.0.1:{broker.port}", typed=typed)
    assert result.exit_code == 0, result.output
    assert result.output.count("What is spoken there") == 2
    assert load_room(path).settings.language == "de"


@needs_broker
def test_a_person_is_asked_and_enter_is_enough(tmp_path: Path, person: None) -> None:
    path = tmp_path / "kitchen.yaml"
    with Broker() as broker:
        result = init("kitchen", "--output", path, "--broker", f"127.0.0.1:{broker.port}", typed="\n" * 5)
    assert result.exit_code == 0, result.output
    assert "Kitchen" in result.output
    assert "██████████·········· " in result.output  # -42 dBFS
    assert "silent" in result.output
    assert "Speaker: there is none here" in result.output
    settings = load_room(path).settings
    assert (settings.name, settings.capture.device, settings.playback.device) == ("Kitchen", "default", "none")
    assert (settings.session.provider, settings.mqtt.port) == ("local", broker.port)


@needs_broker
def test_a_wrong_password_is_asked_for_again_and_secrets_are_kept_for_this_user(tmp_path: Path, person: None) -> None:
    path = tmp_path / "kitchen.yaml"
    with Broker(users={"me": PASSWORD}) as broker:
        broker_lines = [f"mqtt://127.0.0.1:{broker.port}", "me"]
        lines = [
            "Küche",
            "en",
            "1",
            "nonsense://x",
            *broker_lines,
            "mistyped",
            "y",
            *broker_lines,
            PASSWORD,
            "openai",
            KEY,
            "y",
        ]
        result = init("kitchen", "--output", path, typed="\n".join(lines) + "\n")
    assert result.exit_code == 0, result.output
    assert "is no address of a broker" in result.output
    assert "broker, fault" in result.output
    assert "broker, ok" in result.output
    settings = load_room(path).settings
    assert (settings.name, settings.capture.device, settings.session.provider) == ("Küche", "USB Mic", "openai")
    folder = tmp_path / "credentials" / "kitchen"
    assert {file.name: file.read_text().strip() for file in folder.iterdir()} == {
        "mqtt_password": PASSWORD,
        "openai_api_key": KEY,
    }
    assert "CREDENTIALS_DIRECTORY" not in result.output  # every command finds them there
    again = init("kitchen", "--output", path, "--yes", "--overwrite", "--provider", "openai")
    assert "still missing" not in again.output
    assert "still missing" not in result.output
    assert not [word for word in (PASSWORD, KEY, "mistyped") if word in result.output]


def test_what_is_still_missing_is_told(tmp_path: Path, person: None, free_port: int) -> None:
    path = tmp_path / "kitchen.yaml"
    lines = ["", "", "", "", "n", "xai", "", ""]
    result = init("kitchen", "--output", path, "--broker", f"me@127.0.0.1:{free_port}", typed="\n".join(lines) + "\n")
    assert result.exit_code == 0, result.output
    assert "export MQTT_PASSWORD=" in result.output
    assert "export OPENAI_API_KEY=" in result.output
    assert not (tmp_path / "credentials").exists()


def test_questions_are_seen_on_a_terminal_after_the_sound_cards_were_asked(tmp_path: Path) -> None:
    main, terminal = os.openpty()
    command = [sys.executable, "-m", "voice_node", "init", "kitchen", "--name", "K", "--language", "en"]
    environ = {**os.environ, "TERM": "dumb", "PULSE_SERVER": "unix:/nonexistent"}
    with subprocess.Popen(
        command, cwd=tmp_path, env=environ, stdin=terminal, stdout=terminal, stderr=terminal, start_new_session=True
    ) as process:
        os.close(terminal)
        shown, deadline = b"", time.monotonic() + 60
        while b"Broker (mqtt://HOST:PORT)" not in shown:
            assert select.select([main], [], [], deadline - time.monotonic())[0], shown
            shown += os.read(main, 4096)
            if shown.endswith(b"]: ") and b"Microphone (number" in shown.splitlines()[-1]:
                os.write(main, b"\n")  # this machine has a sound card
            elif shown.endswith(b"]: ") and b"Speaker (number" in shown.splitlines()[-1]:
                os.write(main, b"\n")
        process.kill()
    os.close(main)


def test_a_no_keeps_the_file(tmp_path: Path, person: None) -> None:
    path = tmp_path / "kitchen.yaml"
    path.write_text("mine\n")
    assert init("kitchen", "--output", path, typed="n\n").exit_code == 1
    assert path.read_text() == "mine\n"


@needs_broker
def test_what_was_typed_is_kept_where_the_command_says(tmp_path: Path, person: None) -> None:
    path, folder = tmp_path / "kitchen.yaml", tmp_path / "kept"
    with Broker(users={"me": PASSWORD}) as broker:
        lines = ["", "en", "1", f"mqtt://127.0.0.1:{broker.port}", "me", PASSWORD, "local", "y"]
        result = init("kitchen", "--output", path, "--credentials", folder, typed="\n".join(lines) + "\n")
    assert result.exit_code == 0, result.output
    (kept,) = folder.iterdir()
    assert kept.read_text().strip() == PASSWORD
    assert kept.stat().st_mode & 0o777 == 0o600
    assert f"export CREDENTIALS_DIRECTORY={folder}" in result.output  # no place where commands look by themselves
