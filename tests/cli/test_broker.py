import socket
from pathlib import Path

import pytest

from tests.fakes import broker as fake
from tests.fakes.mqtt_spy import MqttSpy
from voice_node.cli.broker import PrivateBroker
from voice_node.model.errors import ConfigError

needs_mosquitto = pytest.mark.skipif(bool(fake.ABSENT), reason=fake.ABSENT)


def is_listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@needs_mosquitto
async def test_it_listens_when_it_is_entered_and_is_gone_after(tmp_path: Path) -> None:
    async with PrivateBroker(tmp_path) as broker, MqttSpy(broker.port) as spy:
        await spy.publish("a", "b")
        await spy.wait_for_topic("a")
    assert not is_listening(broker.port)


@needs_mosquitto
async def test_two_have_two_ports(tmp_path: Path) -> None:
    folders = [tmp_path / "one", tmp_path / "two"]
    for folder in folders:
        folder.mkdir()
    async with PrivateBroker(folders[0]) as one, PrivateBroker(folders[1]) as two:
        assert one.port != two.port


async def test_without_mosquitto_people_are_told_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda *_args, **_more: None)
    with pytest.raises(ConfigError, match=r"apt-get install mosquitto.*--broker"):
        async with PrivateBroker(tmp_path):
            pass


async def test_one_that_does_not_start_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "mosquitto"
    program.write_text("#!/bin/sh\necho 'Error: no luck today'\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    with pytest.raises(ConfigError, match="mosquitto does not start: Error: no luck today"):
        async with PrivateBroker(tmp_path):
            pass
