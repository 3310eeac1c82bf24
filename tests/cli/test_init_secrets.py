from pathlib import Path

import pytest

from voice_node.cli.init_secrets import store
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
