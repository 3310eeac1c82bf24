from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.fakes import broker as fake
from tests.fakes.broker import Broker
from tests.home_assistant.program import SHIPPED, HomeAssistant, SetupFailed, installed

DEVICES: dict[str, Any] = {
    "mqtt": {
        "light": [{"name": "Kitchen", "unique_id": "light", "command_topic": "devices/light"}],
        "cover": [
            {
                "name": "Kitchen",
                "unique_id": "cover",
                "command_topic": "devices/cover/command",
                "set_position_topic": "devices/cover",
                "position_topic": "devices/cover",
            }
        ],
        "climate": [
            {
                "name": "Kitchen",
                "unique_id": "climate",
                "temperature_command_topic": "devices/climate",
                "temperature_state_topic": "devices/climate",
                "current_temperature_topic": "devices/thermometer",
                "modes": ["heat"],
            }
        ],
    },
    "script": {
        "phone": {
            "sequence": [
                {
                    "action": "mqtt.publish",
                    "data": {
                        "topic": "devices/phone",
                        "payload": "{{ {'title': title, 'message': message, 'actions': data.actions} | to_json }}",
                    },
                }
            ]
        }
    },
}
"""What the home is made of, besides the shipped package: each command that a device gets is one message."""


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "home_assistant: a real Home Assistant judges; the first run installs it")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.home_assistant)
            item.add_marker(pytest.mark.slow)
            item.add_marker(pytest.mark.timeout(900))  # the first one waits for the installation


@pytest.fixture(scope="session")
def broker() -> Iterator[Broker]:
    if fake.ABSENT:
        pytest.skip(fake.ABSENT)
    with Broker() as running:
        yield running


@pytest.fixture(scope="session")
def home_assistant(broker: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[HomeAssistant]:
    try:
        environment = installed()
    except SetupFailed as error:
        pytest.skip(f"Home Assistant cannot be had: {error}")
    packages: dict[str, dict[str, Any] | Path] = {
        "voice_node": SHIPPED / "packages" / "voice_node.yaml",
        "devices": DEVICES,
    }
    program = HomeAssistant(environment, tmp_path_factory.mktemp("home") / "config", broker.port, packages)
    try:
        program.start()
        yield program
    finally:
        program.stop()
