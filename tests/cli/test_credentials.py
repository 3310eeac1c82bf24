import os
from pathlib import Path

import pytest

from voice_node.cli.credentials import VARIABLES, folder_of, store, take_stored, who_may_read, with_stored
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


def test_every_room_file_has_its_folder_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "kitchen.yaml"
    assert with_stored({"HOME": "/"}, path) == {"HOME": "/"}
    store(folder_of(path), {"mqtt_password": "canary"})
    environ = with_stored({"HOME": "/"}, path)
    assert environ == {"HOME": "/", "CREDENTIALS_DIRECTORY": str(tmp_path / "credentials" / "kitchen")}
    kept = read_secrets(environ).mqtt_password
    assert kept is not None
    assert kept.get_secret_value() == "canary"
    assert with_stored({}, tmp_path / "hall.yaml") == {}
    assert with_stored({"CREDENTIALS_DIRECTORY": "/run/x"}, path) == {"CREDENTIALS_DIRECTORY": "/run/x"}


@pytest.mark.skipif(os.geteuid() == 0, reason="this user may read everything")
def test_who_may_not_read_them_is_told(tmp_path: Path) -> None:
    path = tmp_path / "kitchen.yaml"
    assert who_may_read(path) == ""
    store(folder_of(path), {"mqtt_password": "canary"})
    assert who_may_read(path) == ""
    folder_of(path).parent.chmod(0)
    assert "is this for `sudo`?" in who_may_read(path)
    assert with_stored({}, path) == {}
    folder_of(path).parent.chmod(0o700)


def test_a_room_that_runs_in_this_process_finds_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", "")
    path = tmp_path / "kitchen.yaml"
    store(folder_of(path), {"openai_api_key": "sk-abc"})
    take_stored(path)
    kept = read_secrets(os.environ).openai_api_key
    assert kept is not None
    assert kept.get_secret_value() == "sk-abc"


def test_what_init_writes_is_what_the_installer_and_the_unit_read() -> None:
    root = Path(__file__).parents[2]
    unit = (root / "systemd/voice-node@.service").read_text(encoding="utf-8")
    installer = (root / "script/install").read_text(encoding="utf-8")
    for secret in VARIABLES:
        assert f"LoadCredential={secret}:/etc/voice-node/credentials/%i/{secret}\n" in unit
        assert folder_of(Path("/etc/voice-node/kitchen.yaml")) == Path("/etc/voice-node/credentials/kitchen")
    assert f"for secret in {' '.join(VARIABLES)}; do" in installer
    assert "local path=$credentials/$room/$1\n" in installer
