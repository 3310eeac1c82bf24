"""The section `mcp`."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from voice_node.model.errors import ConfigError
from voice_node.settings.load import load_room
from voice_node.settings.mcp import McpServer
from voice_node.settings.schema import RoomSettings
from voice_node.settings.secrets import Secrets, check_secrets, read_mcp_tokens, read_own_mcp_tokens

HOME = {"name": "home", "url": "http://homeassistant.local:8123/api/mcp", "allow": ["HassTurnOn"]}


def write(folder: Path, text: str) -> Path:
    path = folder / "kitchen.yaml"
    path.write_text(f"room: kitchen\n{text}\n")
    return path


def complaints(folder: Path, text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        load_room(write(folder, text))
    return str(caught.value)


def test_a_server(tmp_path: Path) -> None:
    text = "mcp:\n - {name: home, url: 'http://home:8123/api/mcp', allow: ['*'], tools: [{name: x, confirm: voice}]}"
    (server,) = load_room(write(tmp_path, text)).settings.mcp
    assert (server.name, server.allow, server.confirm, server.timeout_s) == ("home", ["*"], None, 10)
    assert server.confirmations == {None, "voice"}


@pytest.mark.parametrize(
    "change",
    [
        {"name": "My-Home"},
        {"url": "ws://home"},
        {"url": "http://me:word@home/api/mcp"},
        {"url": "http://home/api/mcp?token=x"},
        {"timeout_s": 61},
        {"hours": "25:00-26:00"},
        {"tools": [{"name": "x", "hours": "x"}]},
        {"tools": [{"name": "x", "timeout_s": 5}]},
        {"token": "x"},
    ],
)
def test_what_cannot_be(change: dict[str, Any]) -> None:
    McpServer.model_validate(HOME)
    with pytest.raises(ValidationError):
        McpServer.model_validate(HOME | change)


def test_a_token_in_the_file_is_refused_and_not_repeated(tmp_path: Path) -> None:
    text = complaints(tmp_path, "mcp:\n - {name: home, url: 'http://home/', allow: [a], token: abc}")
    assert "`credentials/NAME/mcp_<name>`" in text
    assert "abc" not in text


def test_names_of_servers_differ_from_those_that_the_service_calls_too(tmp_path: Path) -> None:
    """Else the token of the home would be given to a service on the internet."""
    server = "{name: my_home, url: 'http://home/', allow: [a]}"
    assert "same token" in complaints(tmp_path, f"mcp: [{server}, {server}]")
    outside = "{type: mcp, server_label: My-Home, server_url: 'https://x.example'}"
    assert "same token" in complaints(tmp_path, f"session: {{provider: openai, tools: [{outside}]}}\nmcp: [{server}]")


def test_a_confirmation_by_voice_needs_transcripts(tmp_path: Path) -> None:
    server = "{name: home, url: 'http://home/', allow: [a], tools: [{name: a, confirm: voice}]}"
    assert "transcription" in complaints(tmp_path, f"session: {{transcription: null}}\nmcp: [{server}]")


def test_a_code_is_needed_where_one_is_asked_for() -> None:
    settings = RoomSettings(room="kitchen", mcp=[McpServer.model_validate(HOME | {"confirm": "pin"})])
    assert any("mcp[home].confirm" in text for text in check_secrets(settings, Secrets()))


def test_each_has_its_token() -> None:
    settings = RoomSettings(room="kitchen", mcp=[McpServer.model_validate(HOME)])
    tokens = read_own_mcp_tokens({"MCP_HOME": "secret-of-home"}, settings)
    assert tokens["home"].get_secret_value() == "secret-of-home"
    assert "secret-of-home" not in repr(tokens)
    assert read_own_mcp_tokens({}, settings) == {}
    assert read_mcp_tokens({"MCP_HOME": "secret-of-home"}, settings) == {}
