"""The demo's parts and its refusals; the whole of it runs in tests/system."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from voice_node.cli.commands import group
from voice_node.cli.demo import RECORDING, shipped
from voice_node.model.errors import ConfigError, NodeError


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The demo sets these for its own process, which here is ours."""
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path))
    monkeypatch.delenv("MQTT_PASSWORD", raising=False)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)


def test_what_it_needs_is_shipped() -> None:
    assert shipped(RECORDING).is_file()
    assert shipped("rooms/demo.yaml").is_file()
    with pytest.raises(ConfigError, match="config/none is missing"):
        shipped("none")


@pytest.mark.parametrize("url", ["ftp://host", "mqtt://", "mqtt://host:notaport", "mqtt://host:99999"])
def test_an_address_that_is_none_is_refused_plainly(url: str) -> None:
    result = CliRunner().invoke(group, ["demo", "--broker", url])
    assert isinstance(result.exception, ConfigError), result.exception
    assert str(result.exception).startswith("--broker: ")


def test_a_broker_that_is_not_there_is_said(free_port: int) -> None:
    result = CliRunner().invoke(group, ["demo", "--broker", f"127.0.0.1:{free_port}"])
    assert isinstance(result.exception, NodeError)
    assert f"127.0.0.1:{free_port}: cannot connect" in str(result.exception)


@pytest.mark.parametrize("provider", ["local", "custom"])
def test_what_the_offline_engine_does_not_understand_is_said_to_be_rough(
    tmp_path: Path, free_port: int, provider: str
) -> None:
    room = tmp_path / "hall.yaml"
    url = "" if provider == "local" else ", url: 'ws://127.0.0.1:1/v1/realtime'"
    room.write_text(f"room: hall\nsession: {{provider: {provider}{url}}}\nplayback: {{device: none}}\n")
    result = CliRunner().invoke(group, ["demo", "--room", str(room), "--broker", f"127.0.0.1:{free_port}"])
    assert f"provider {provider}" in result.output
    assert ("are written down roughly" in result.output) is (provider == "local")


@pytest.mark.parametrize("url", ["mqtt://me:canary@127.0.0.1:1", "ftp://me:canary@host:x"])
def test_a_password_in_the_address_is_refused_and_not_shown(url: str) -> None:
    result = CliRunner().invoke(group, ["demo", "--broker", url])
    assert isinstance(result.exception, ConfigError)
    assert "MQTT_PASSWORD" in str(result.exception)
    assert "canary" not in str(result.exception) + result.output


def test_a_user_without_a_password_is_told_where_to_give_it() -> None:
    result = CliRunner().invoke(group, ["demo", "--broker", "mqtt://me@127.0.0.1:1"])
    assert isinstance(result.exception, ConfigError)
    assert "MQTT_PASSWORD" in str(result.exception)


def test_a_room_that_lacks_its_key_is_refused(tmp_path: Path, free_port: int) -> None:
    room = tmp_path / "hall.yaml"
    room.write_text("room: hall\nsession: {provider: openai}\nplayback: {device: none}\n")
    result = CliRunner().invoke(group, ["demo", "--room", str(room), "--broker", f"127.0.0.1:{free_port}"])
    assert isinstance(result.exception, ConfigError)
    assert "openai needs an API key" in str(result.exception)
