import pytest

from voice_node.settings.broker_address import check_broker_address
from voice_node.settings.schema import RoomSettings


def problems(host: str) -> list[str]:
    settings = RoomSettings.model_validate({"room": "a", "mqtt": {"host": host}})
    return [f"{problem.path}: {problem.text}" for problem in check_broker_address(settings)]


@pytest.mark.parametrize(
    "host",
    ["192.168.1.10", "broker", "broker.local", "core-mosquitto", "my_host", "::1", "fe80::1%eth0", "2001:db8::5"],
)
def test_names_and_addresses(host: str) -> None:
    assert problems(host) == []


@pytest.mark.parametrize(
    "host",
    [
        "mqtt://192.168.1.10",
        "192.168.1.10:1883",
        "host:1883",
        "host/path",
        "me:hunter2@host",
        "[::1]",
        "[::1]:1883",
        "my host",
        " broker",
    ],
)
def test_what_is_more_than_a_host(host: str) -> None:
    (problem,) = problems(host)
    assert "a host name or address alone; the port goes to mqtt.port" in problem
    assert "hunter2" not in problem
