"""`script/install` and the shipped units on a machine with systemd, from nothing to nothing, as a Pi would have it."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.systemd.house import LONGEST_S, UNIT, House, furnished, wheels_in
from tests.systemd.machine import CannotBoot, Machine, why_not

PASSWORD = "canary-of-the-broker"
SOUND_SERVER = """
load-module module-native-protocol-unix
load-module module-null-sink sink_name=nothing
load-module module-virtual-source source_name=mic master=nothing.monitor
"""

WHY_NOT = why_not("mosquitto", "mosquitto_sub", "espeak-ng", "pulseaudio", "/usr/bin/python3")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.skipif(WHY_NOT is not None, reason=f"no container here: {WHY_NOT}"),
]


@pytest.fixture(scope="module")
def wheels(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Kept until the project's dependencies change."""
    cache = getattr(request.config, "cache", None)
    return wheels_in(tmp_path_factory.mktemp("kept") if cache is None else cache.mkdir("wheels"))


@pytest.fixture
def house(tmp_path: Path, wheels: Path) -> Iterator[House]:
    with ExitStack() as stack:
        try:
            machine = stack.enter_context(Machine(tmp_path))
        except CannotBoot as error:
            pytest.skip(str(error))
        yield furnished(machine, wheels)


def test_from_nothing_to_nothing(house: House) -> None:
    install(house)
    install_again(house)
    reload(house)
    the_local_engine(house)
    hung_at = house.hang()
    a_stranger_in_the_node_finds_nothing(house)
    a_wrong_room_file_is_not_tried_again(house)
    the_watchdog_ends_what_hangs(house, hung_at)
    a_users_sound_server(house)
    stop_in_time(house)
    upgrade_to_what_fails(house)
    upgrade_to_what_works(house)
    assert PASSWORD not in house.machine.read("journalctl", "--no-pager")
    uninstall(house)


def install(house: House) -> None:
    (house.machine.root / "srv/wrong.yaml").write_text("room: wrong\ncolour: red\n")
    done = house.install("/srv/wrong.yaml")
    assert done.returncode == 78, done.stdout
    assert not list((house.machine.root / "etc/voice-node").glob("*.yaml"))
    beside = house.machine.root / "srv/credentials/kitchen"
    beside.mkdir(parents=True)
    (beside / "mqtt_password").write_text(PASSWORD + "\n")
    done = house.install("/srv/kitchen.yaml", VOICE_NODE_PIN="4711")
    assert done.returncode == 0, done.stdout
    assert "Room kitchen is ready" in done.stdout
    assert PASSWORD not in done.stdout
    assert house.show("ActiveState") == "active"  # Type=notify: it said READY
    assert house.show("UnitFileState") == "enabled"
    assert house.show("Type") == "notify"
    house.machine.until(lambda: "voice_node/kitchen/tool/set_light/call" in house.heard())
    assert "voice_node/kitchen/availability online" in house.heard()
    credentials = house.machine.root / "etc/voice-node/credentials"
    secret = credentials / "kitchen" / "mqtt_password"
    assert [oct(path.stat().st_mode)[-3:] for path in (credentials, secret.parent, secret)] == ["700", "700", "600"]
    assert secret.read_text() == PASSWORD + "\n"
    assert (credentials / "kitchen" / "pin").read_text() == "4711\n"
    assert "ok: room kitchen" in house.machine.read("voice-node", "check", "/etc/voice-node/kitchen.yaml")


def install_again(house: House) -> None:
    """Builds nothing, asks for nothing, and keeps what is there."""
    file = house.machine.root / "etc/voice-node/kitchen.yaml"
    file.write_text(file.read_text().replace("name: Kitchen", "name: Pantry"))
    before = house.version()
    done = house.install("kitchen")
    assert done.returncode == 0, done.stdout
    assert "== Version" not in done.stdout
    assert house.version() == before
    assert "name: Pantry" in file.read_text()


def reload(house: House) -> None:
    process = house.show("MainPID")
    file = house.machine.root / "etc/voice-node/kitchen.yaml"
    file.write_text(file.read_text().replace("name: Pantry", "name: Larder"))
    house.machine.run("systemctl", "reload", UNIT)
    house.machine.until(lambda: "Larder" in house.heard())
    assert (house.show("MainPID"), house.show("NRestarts"), house.show("ActiveState")) == (process, "0", "active")


def the_local_engine(house: House) -> None:
    unit = "voice-node-local.service"
    (house.machine.root / "etc/voice-node/credentials/local_api_key").write_text("canary-of-the-engine\n")
    house.machine.run("systemctl", "start", unit, check=False)
    assert house.show("ActiveState", unit) == "active", house.journal(unit)
    house.machine.run("systemctl", "stop", unit)
    assert house.show("Result", unit) == "success"


def a_stranger_in_the_node_finds_nothing(house: House) -> None:
    """The shipped unit with another program in it, in a room of its own."""
    root, kitchen = house.machine.root, house.show("MainPID")
    (root / "home/pi").mkdir(mode=0o755, parents=True)
    (root / "home/pi/letter").write_text("dear\n")
    (root / "tmp/note").write_text("of another program\n")
    (root / "etc/voice-node/probe.yaml").write_text("room: probe\n")
    (root / "etc/voice-node/credentials/probe").mkdir(mode=0o700)
    (root / "etc/voice-node/credentials/probe/pin").write_text("4711\n")
    private = [
        *("/etc/shadow", "/root", "/home", "/home/pi/letter", "/tmp/note", "/dev/kmsg", "/dev/mem", "/proc/kcore"),
        *("/etc/voice-node/credentials", "/etc/voice-node/credentials/kitchen/mqtt_password"),
        *("/etc/voice-node/credentials/probe/pin", "/run/credentials/voice-node@kitchen.service", "/run/user"),
        *("/var/lib/private/voice-node/kitchen", "/var/lib/voice-node/kitchen", "/run/voice-node/kitchen"),
        *(f"/proc/{kitchen}/{name}" for name in ("environ", "maps", "fd", "root/run/credentials")),
        "/proc/1/environ",
    ]
    closed = ["/", "/etc", "/etc/voice-node", "/opt/voice-node", "/usr/local/bin", "/var/lib", "/var/log", "/home/pi"]
    wanted = {"read": [*private, "/etc/voice-node/probe.yaml"], "write": [*closed, "/var/lib/voice-node/probe"]}
    (root / "srv/wanted.json").write_text(json.dumps(wanted))
    house.drop_in(
        "probe", "Type=oneshot\nRestart=no\nExecStart=\nExecStart=/usr/bin/python3 /srv/probe.py /srv/wanted.json"
    )
    house.machine.run("systemctl", "start", "voice-node@probe", check=False)
    assert house.show("Result", "voice-node@probe") == "success", house.journal("voice-node@probe")
    found = json.loads((root / "var/lib/private/voice-node/probe/found.json").read_text())
    assert found == {
        "read": ["/etc/voice-node/probe.yaml"],
        "written": ["/var/lib/voice-node/probe"],
        "raw network": False,
        "root": False,
        "credentials": {"openai_api_key": "\n", "mqtt_password": "\n", "pin": "4711\n"},
        "processes of others": 0,
    }


def a_wrong_room_file_is_not_tried_again(house: House) -> None:
    unit = "voice-node@wrong.service"
    (house.machine.root / "etc/voice-node/wrong.yaml").write_text("room: wrong\ncolour: red\n")
    house.machine.run("systemctl", "start", unit, check=False)
    house.until("ActiveState", "failed", unit)
    assert (house.show("ExecMainStatus", unit), house.show("NRestarts", unit)) == ("78", "0")


def the_watchdog_ends_what_hangs(house: House, hung_at: float) -> None:
    """It was stopped before the two steps above. `python -m tests.systemd.hang` does it 50 times."""
    back = house.back(hung_at)
    print(f"a node that hangs: {back}")  # noqa: T201 - pytest shows it with -s
    assert back.started_s <= LONGEST_S
    assert house.show("NRestarts") == "1"
    assert "Watchdog timeout" in house.machine.read("journalctl", "--no-pager", f"--unit={UNIT}")


def a_users_sound_server(house: House) -> None:
    """PulseAudio as systemd starts it for a user, who is not logged in."""
    root, unit = house.machine.root, "voice-node@parlour.service"
    house.machine.run("useradd", "--home-dir=/home/pi", "pi")
    (root / "home/pi/.config/pulse").mkdir(parents=True)
    (root / "home/pi/.config/pulse/default.pa").write_text(SOUND_SERVER)
    house.machine.run("chown", "-R", "pi:pi", "/home/pi")
    (root / "srv/parlour.yaml").write_text("room: parlour\ncapture: {device: pulse:mic}\nplayback: {device: none}\n")
    done = house.install("--sound-of", "pi", "/srv/parlour.yaml")
    assert done.returncode == 0, done.stdout
    assert (house.show("User", unit), house.show("DynamicUser", unit)) == ("pi", "no")
    house.machine.until(lambda: "microphone pulse:mic: open" in house.journal(unit))
    house.machine.run("systemctl", "disable", "--now", unit)


def stop_in_time(house: House) -> None:
    house.machine.run("systemctl", "stop", UNIT)
    assert (house.show("ActiveState"), house.show("Result")) == ("inactive", "success")  # a stop too late: `timeout`
    assert house.heard().rstrip().endswith("voice_node/kitchen/availability offline")
    house.machine.run("systemctl", "start", UNIT)


def upgrade_to_what_fails(house: House) -> None:
    before = house.version()
    app = house.machine.root / "srv/checkout/voice_node/app.py"
    good = app.read_text()
    app.write_text(good + "\n\ndef run_room(path, recordings=None):\n    raise SystemExit('broken on purpose')\n")
    done = house.install("--upgrade")
    app.write_text(good + "# the next version\n")
    assert done.returncode == 1, done.stdout
    assert "broken on purpose" in done.stdout
    assert f"{before} is back, and the rooms are ready" in done.stdout
    assert house.version() == before
    assert house.versions() == [before]
    assert (house.show("ActiveState"), house.show("NRestarts")) == ("active", "0")


def upgrade_to_what_works(house: House) -> None:
    before, process = house.version(), house.show("MainPID")
    file = house.machine.root / "etc/voice-node/kitchen.yaml"
    settings = file.read_text()
    done = house.install("--upgrade")
    assert done.returncode == 0, done.stdout
    assert house.version() != before
    assert house.versions() == sorted([before, house.version()])
    assert house.show("ActiveState") == "active"
    assert house.show("MainPID") != process
    assert file.read_text() == settings


def uninstall(house: House) -> None:
    root = house.machine.root
    house.machine.run("/srv/checkout/script/install", "--uninstall")
    assert house.show("LoadState") == "not-found"
    assert not (root / "opt/voice-node").exists()
    assert not (root / "usr/local/bin/voice-node").is_symlink()
    assert (root / "etc/voice-node/kitchen.yaml").exists()
    assert (root / "var/lib/private/voice-node/kitchen").is_dir()
    house.machine.run("/srv/checkout/script/install", "--uninstall", "--purge")
    assert not (root / "etc/voice-node").exists()
    assert not (root / "var/lib/private/voice-node").exists()
