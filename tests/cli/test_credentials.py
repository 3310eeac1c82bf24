from pathlib import Path

import pytest

from voice_node.cli.credentials import name_for_service, store, with_stored
from voice_node.model.errors import ConfigError
from voice_node.settings.secrets import read_secrets


def test_the_node_finds_what_was_kept_and_nobody_else_may_read_it(tmp_path: Path) -> None:
    folder = tmp_path / "credentials" / "kitchen"
    written = store(folder, {"mqtt_password": "first ä", "openai_api_key": "sk-abc"})
    assert [path.name for path in written] == ["mqtt_password", "openai_api_key"]
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in written} == {0o600}
    store(folder, {"mqtt_password": "second"})
    secrets = read_secrets({"CREDENTIALS_DIRECTORY": str(folder)})
    assert secrets.mqtt_password is not None
    assert secrets.mqtt_password.get_secret_value() == "second"
    assert sorted(path.name for path in folder.iterdir()) == ["mqtt_password", "openai_api_key"]


def test_a_place_that_cannot_be_written_is_told_without_the_secret(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot be kept there") as refused:
        store(tmp_path / "file", {"mqtt_password": "canary"})
    assert "canary" not in str(refused.value)


def test_a_persons_own_secrets_are_found_beside_the_room_file(tmp_path: Path) -> None:
    folder = tmp_path / "credentials" / "kitchen"
    store(folder, {"mqtt_password": "canary"})
    environ = with_stored({"HOME": "/"}, tmp_path / "kitchen.yaml", "kitchen")
    assert environ == {"HOME": "/", "CREDENTIALS_DIRECTORY": str(folder)}


def test_the_services_secrets_are_found_beside_the_room_file(tmp_path: Path) -> None:
    secrets = {"openai_api_key": "sk-1", "mqtt_password": "second", "pin": "4711"}
    store(tmp_path / "credentials", {name_for_service(name, "kitchen"): secret for name, secret in secrets.items()})
    store(tmp_path / "credentials", {name_for_service("mqtt_password", "bath"): "other"})
    path = tmp_path / "kitchen.yaml"
    assert with_stored({}, path, "kitchen") == {
        "OPENAI_API_KEY": "sk-1",
        "MQTT_PASSWORD": "second",
        "VOICE_NODE_PIN": "4711",
    }
    assert with_stored({"MQTT_PASSWORD": "mine"}, path, "kitchen")["MQTT_PASSWORD"] == "mine"
    assert with_stored({"CREDENTIALS_DIRECTORY": "/run/x"}, path, "kitchen") == {"CREDENTIALS_DIRECTORY": "/run/x"}
    assert with_stored({}, tmp_path / "none" / "kitchen.yaml", "kitchen") == {}
