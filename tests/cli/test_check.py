"""The command as people call it: exit codes, where words go, no traceback."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from voice_node.cli.check import check


def run(*arguments: str | Path, **environ: str) -> Result:
    """Call the command; secrets of this process's environment are out of its sight."""
    names = ("OPENAI_API_KEY", "MQTT_PASSWORD", "VOICE_NODE_PIN", "CREDENTIALS_DIRECTORY")
    hidden: dict[str, str | None] = dict.fromkeys(names)
    return CliRunner(env={**hidden, **environ}).invoke(check, [str(argument) for argument in arguments])


@pytest.fixture
def room(tmp_path: Path) -> Path:
    path = tmp_path / "kitchen.yaml"
    path.write_text("room: kitchen\ntools:\n  - {name: a, description: b, sentences: [a]}\n")
    return path


def test_a_good_file_is_one_line(room: Path) -> None:
    result = run(room)
    assert result.exit_code == 0
    assert result.stdout == (
        f"{room}: ok: room kitchen, provider local, 1 tool, microphone default, broker 127.0.0.1:1883\n"
    )
    assert result.stderr == ""


def test_a_name_without_its_ending_is_understood(room: Path) -> None:
    result = run(room.with_suffix(""))
    assert result.exit_code == 78
    assert result.stderr == f"{room.with_suffix('')}: there is no such file: did you mean {room}?\n"


def test_secrets_beside_the_file_are_found(room: Path) -> None:
    room.write_text(room.read_text() + "mqtt: {username: kitchen}\n")
    result = run(room)
    assert result.exit_code == 78
    assert "`credentials/NAME/mqtt_password` beside NAME.yaml" in result.stderr
    folder = room.parent / "credentials" / "kitchen"
    folder.mkdir(parents=True)
    (folder / "mqtt_password").write_text("p\n")
    assert run(room).exit_code == 0


def test_warnings_do_not_fail(room: Path) -> None:
    room.write_text("room: kitchen\nsession: {provider: openai, model: gpt-realtime}\n")
    result = run(room, OPENAI_API_KEY="x")
    assert result.exit_code == 0
    assert result.stderr.startswith(f"warning: {room}:2: session.model: OpenAI's gpt-realtime ")
    assert "0 tools" in result.stdout


def test_all_errors_of_all_files_are_told_and_good_files_still_pass(room: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.yaml"
    bad.write_text("room: kitchen\ngate: {frame_ms: 25}\nlog: 3\n")
    result = run(bad, tmp_path / "none.yaml", room)
    assert result.exit_code == 78
    assert [line.split(" ")[0] for line in result.stderr.splitlines()] == [
        f"{bad}:2:",
        f"{bad}:3:",
        f"{tmp_path}/none.yaml:",
    ]
    assert result.stdout.startswith(f"{room}: ok: ")


def test_parameters_that_are_no_json_schema_are_an_error_once(room: Path) -> None:
    room.write_text(
        "room: kitchen\ntools:\n"
        "  - {name: a, description: b, parameters: {type: object, minProperties: many}}\n"
        "  - {name: c, description: d, parameters: {type: object, properties: {x: {type: text}}}}\n"
    )
    result = run(room)
    assert result.exit_code == 78
    first, second = result.stderr.splitlines()
    assert first.startswith(f"{room}:3: tools[a].parameters: is not a valid JSON Schema at ")
    assert second.startswith(f"{room}:4: tools[c].parameters.properties.x.type: must be string, ")


def test_secrets_are_errors_only_where_they_are_needed(room: Path) -> None:
    assert run(room).exit_code == 0
    room.write_text("room: kitchen\nsession: {provider: openai}\nmqtt: {username: me}\n")
    result = run(room)
    assert result.exit_code == 78
    assert [line.split(" needs ")[0] for line in result.stderr.splitlines()] == [
        f"{room}: session.provider: openai",
        f"{room}: mqtt.username: a user name",
    ]
    assert run(room, "--no-secrets").exit_code == 0
    assert run(room, OPENAI_API_KEY="k", MQTT_PASSWORD="p").exit_code == 0


def test_a_credential_that_cannot_be_used_is_an_error(room: Path, tmp_path: Path) -> None:
    (tmp_path / "mqtt_password").write_text("one\ntwo\n")
    result = run(room, CREDENTIALS_DIRECTORY=str(tmp_path))
    assert result.exit_code == 78
    assert result.stderr.startswith(f"{tmp_path}/mqtt_password: has more than one line")
    assert run(room, "--no-secrets", CREDENTIALS_DIRECTORY=str(tmp_path)).exit_code == 0


def test_two_files_of_one_room_are_an_error(room: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.yaml"
    other.write_text(room.read_text())
    result = run(room, other)
    assert result.exit_code == 78
    assert result.stderr == f"{other}: room: kitchen is the room of {room} too: two rooms need two ids\n"
    assert run(room, room).exit_code == 0
    other.write_text("room: kitchen\nmqtt: {base: other}\n")
    assert run(room, other).exit_code == 0


def test_help_has_an_example() -> None:
    result = run("--help")
    assert result.exit_code == 0
    assert "Example: voice-node check config/rooms/kitchen.yaml" in result.stdout


def test_no_file_is_a_mistake_in_calling() -> None:
    assert run().exit_code == 2


def test_the_program_itself_ends_with_78_and_no_traceback(tmp_path: Path) -> None:
    path = tmp_path / "room.yaml"
    path.write_bytes(b"room: \xff")
    command = [sys.executable, "-m", "voice_node", "check", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=dict(os.environ))
    assert done.returncode == 78
    assert done.stderr == f"{path}:1: is not UTF-8 text: save the file with the encoding UTF-8\n"


def test_a_code_that_the_service_would_hear_is_worth_a_warning(room: Path) -> None:
    room.write_text("room: kitchen\nlanguage: de\ntools:\n  - {name: a, description: b, confirm: pin}\n")
    room.write_text(room.read_text() + "  - {name: c, description: d, sentences: [d]}\n")
    result = run(room, VOICE_NODE_PIN="4711")
    assert result.exit_code == 0
    language, code = result.stderr.splitlines()
    assert language.startswith(f"warning: {room}:2: language: de: the offline engine")
    assert code.startswith(f"warning: {room}: confirm: pin: the code is recognised by the service")
    assert "4711" not in result.output


def test_a_tool_that_is_never_called_is_worth_a_warning(room: Path) -> None:
    room.write_text("room: kitchen\ntools:\n  - {name: unlock, description: b}\n")
    result = run(room)
    assert result.exit_code == 0
    assert result.stderr.startswith(f'warning: {room}:3: tools[unlock].name: "unlock" looks like a lock')


def test_a_sentence_that_the_offline_engine_cannot_use_is_worth_a_warning(room: Path) -> None:
    pytest.importorskip("hassil", reason="the extra `local` is not installed")
    parameters = "{type: object, properties: {area: {type: string}}}"
    tool = f"{{name: a, description: b, parameters: {parameters}, sentences: ['light {{area}}']}}"
    room.write_text(f"room: kitchen\ntools:\n  - {tool}\n")
    result = run(room)
    assert result.exit_code == 0
    assert result.stderr.startswith(f"warning: {room}: tool a: the sentence 'light {{area}}' cannot be used: {{area}}")
    room.write_text(f"room: kitchen\nfallback: {{provider: null}}\nsession: {{provider: openai}}\ntools:\n  - {tool}\n")
    assert "cannot be used" not in run(room, OPENAI_API_KEY="sk-x").stderr


@pytest.mark.parametrize(("key", "options"), [("ca", ()), ("ca", ("--no-secrets",)), ("key", ())])
def test_a_certificate_or_key_that_this_user_cannot_read_is_an_error(
    room: Path, key: str, options: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody can hide a file from root, so that what the system says of it is changed here."""
    for name in ("ca", "cert", "key"):
        (room.parent / name).touch()
    room.write_text("room: kitchen\nmqtt:\n  tls: {ca: ca, cert: cert, key: key}\n")
    assert run(room, *options).exit_code == 0
    monkeypatch.setattr(os, "access", lambda file, _: Path(file).name != key)
    result = run(room, *options)
    assert result.exit_code == 78
    assert f'{room}:3: mqtt.tls.{key}: the file "{key}" cannot be read by this user' in result.stderr
    assert run(room, "--no-secrets").exit_code == (0 if key == "key" else 78)


@pytest.mark.parametrize(("tools", "count"), [("[]", 1), ("[{name: a, description: b}]", 2)])
def test_a_local_room_that_understands_nothing_is_worth_a_warning(room: Path, tools: str, count: int) -> None:
    room.write_text(f"room: kitchen\ntools: {tools}\n")
    result = run(room)
    assert result.exit_code == 0
    assert len(result.stderr.splitlines()) == count
    assert f"warning: {room}: tools: no tool has a sentence" in result.stderr
    assert ("tools[a]: has no `sentences`" in result.stderr) == (count == 2)
