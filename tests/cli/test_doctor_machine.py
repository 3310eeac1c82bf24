import os
from pathlib import Path

import pytest

from voice_node.cli.doctor_finding import Patient, Status
from voice_node.cli.doctor_machine import (
    check_clock,
    check_disk,
    check_heat,
    check_service_unit,
    check_versions,
    heat,
    hottest,
    look_at_disk,
    state_of,
    unit,
    versions,
)
from voice_node.settings.schema import RoomSettings
from voice_node.settings.secrets import Secrets
from voice_node.version import VERSION

PI = "Raspberry Pi 4 Model B Rev 1.5"


@pytest.fixture
def patient(tmp_path: Path) -> Patient:
    environ = {"STATE_DIRECTORY": str(tmp_path / "state")}
    return Patient(tmp_path / "kitchen.yaml", RoomSettings(room="kitchen"), Secrets(), environ)


async def test_this_machine_can_be_looked_at(patient: Patient) -> None:
    for check in (check_clock, check_disk, check_heat, check_service_unit, check_versions):
        (found,) = await check(patient)
        assert found.text
        assert found.status is Status.OK or found.advice


@pytest.mark.parametrize(
    ("celsius", "throttled", "status", "text"),
    [
        (48.0, "throttled=0x0\n", Status.OK, "48 °C, power and heat are fine"),
        (None, None, Status.OK, "fine"),
        (None, "nonsense", Status.OK, "fine"),
        (48.0, "throttled=0x50005\n", Status.FAULT, "too weak now"),
        (48.0, "throttled=0x50000\n", Status.WARNING, "too weak since the start"),
        (85.0, "throttled=0x80008\n", Status.WARNING, "slowed down by heat now"),
        (81.0, "throttled=0x0\n", Status.WARNING, "slowed down by heat now"),
        (48.0, "throttled=0xe0000\n", Status.WARNING, "slowed down since the start"),
    ],
)
def test_heat_and_power_of_a_pi(celsius: float | None, throttled: str | None, status: Status, text: str) -> None:
    (found,) = heat(PI, celsius, throttled)
    assert found.status is status
    assert text in found.text
    assert PI in found.text


def test_the_hottest_zone_counts(tmp_path: Path) -> None:
    for number, text in enumerate(("41000\n", "52500\n", "broken")):
        zone = tmp_path / f"thermal_zone{number}"
        zone.mkdir()
        (zone / "temp").write_text(text)
    assert hottest(tmp_path) == 52.5
    assert hottest(tmp_path / "none") is None


def test_a_disk_is_tried_and_nothing_stays(tmp_path: Path) -> None:
    found = look_at_disk(tmp_path / "not" / "yet")
    assert found.status in (Status.OK, Status.WARNING)
    assert "can be written" in found.text
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_takes_nothing_is_told() -> None:
    found = look_at_disk(Path("/proc/self"))
    assert found.status is not Status.OK
    assert "cannot be written" in found.text


@pytest.mark.skipif(os.geteuid() == 0, reason="this user may write everywhere")
def test_another_users_state_is_no_fault(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    assert look_at_disk(tmp_path).status is Status.WARNING


def test_the_state_is_where_the_room_keeps_it(patient: Patient, tmp_path: Path) -> None:
    assert state_of(patient) == tmp_path / "state"


@pytest.mark.parametrize(
    ("facts", "status", "text"),
    [
        ({"LoadState": "not-found"}, Status.WARNING, "is not installed"),
        ({"ActiveState": "failed", "SubState": "failed", "Result": "exit-code"}, Status.FAULT, "failed"),
        ({"UnitFileState": "disabled"}, Status.WARNING, "not started at boot"),
        ({"ActiveState": "inactive", "SubState": "dead"}, Status.WARNING, "inactive (dead)"),
        ({"WatchdogUSec": "0"}, Status.WARNING, "without a watchdog"),
        ({"NRestarts": "3"}, Status.OK, "started again 3 times, watchdog 30s"),
        ({}, Status.OK, "active (running), watchdog 30s"),
    ],
)
def test_what_systemd_says_of_the_unit(facts: dict[str, str], status: Status, text: str) -> None:
    good = {
        "LoadState": "loaded", "UnitFileState": "enabled", "ActiveState": "active", "SubState": "running",
        "WatchdogUSec": "30s", "NRestarts": "0", "Result": "success",
    }  # fmt: skip
    found = unit("voice-node@kitchen.service", good | facts)
    assert found.status is status
    assert text in found.text
    assert found.advice or status is Status.OK


def test_versions_name_what_takes_part() -> None:
    found = versions()
    assert found["voice-node"] == VERSION
    assert {"python", "system", "portaudio", "websockets", "paho-mqtt"} <= set(found)
