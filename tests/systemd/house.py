"""What is tested on a machine with systemd: a checkout, wheels, a broker and a room's recording."""

import hashlib
import shutil
import subprocess
import tempfile
import time
import wave
from dataclasses import dataclass
from pathlib import Path

from tests.systemd.machine import Machine

ROOT = Path(__file__).parents[2]
PARTS = ("voice_node", "config", "systemd", "script", "pyproject.toml", "README.md", "LICENSE")
UNIT = "voice-node@kitchen.service"
INSTALL_S = 240.0
LONGEST_S = 35.0
"""From a hang to the new start: the unit's watchdog (30 s), its RestartSec (3 s), and 2 s for systemd."""
ROOM = """
capture: {device: "wav:/srv/room.wav"}
playback: {device: none}
mqtt: {username: kitchen}
"""


@dataclass(frozen=True)
class Back:
    """How long a unit was away."""

    started_s: float
    """Until its process was started again."""
    ready_s: float
    """Until it said so."""

    def __str__(self) -> str:
        return f"started again after {self.started_s:.1f} s, ready after {self.ready_s:.1f} s"


class House:
    """A machine with a checkout, wheels and a broker on it."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine

    def install(self, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
        return self.machine.run(
            "/srv/checkout/script/install", "--wheels", "/srv/wheels", *arguments,
            timeout_s=INSTALL_S, check=False, **environ,
        )  # fmt: skip

    def show(self, name: str, unit: str = UNIT) -> str:
        return self.machine.read("systemctl", "show", "--value", f"--property={name}", unit)

    def until(self, name: str, value: str, unit: str = UNIT, deadline_s: float = 60) -> None:
        try:
            self.machine.until(lambda: self.show(name, unit) == value, deadline_s)
        except TimeoutError:
            raise AssertionError(f"{name} is {self.show(name, unit)}, not {value}\n{self.journal(unit)}") from None

    def journal(self, unit: str = UNIT) -> str:
        return self.machine.read("journalctl", "--no-pager", "--lines=30", f"--unit={unit}")

    def version(self) -> str:
        return (self.machine.root / "opt/voice-node/current").readlink().name

    def versions(self) -> list[str]:
        return sorted(path.name for path in (self.machine.root / "opt/voice-node/versions").iterdir())

    def drop_in(self, room: str, service: str) -> None:
        folder = self.machine.root / f"etc/systemd/system/voice-node@{room}.service.d"
        folder.mkdir()
        (folder / "test.conf").write_text(f"[Service]\n{service}\n")
        self.machine.run("systemctl", "daemon-reload")

    def hang(self, unit: str = UNIT) -> float:
        """Stop its process as it is; when, on the steady clock, which all machines of a kernel share."""
        at = time.monotonic()
        self.machine.run("systemctl", "kill", "--signal=STOP", "--kill-whom=main", unit)
        return at

    def back(self, hung_at: float, unit: str = UNIT) -> Back:
        """Wait until it is ready again."""

        def since_s(name: str) -> float:
            return int(self.show(name, unit)) / 1e6 - hung_at

        def is_back() -> bool:
            return since_s("ActiveEnterTimestampMonotonic") > 0 and self.show("ActiveState", unit) == "active"

        self.machine.until(is_back, 120)
        return Back(since_s("ExecMainStartTimestampMonotonic"), since_s("ActiveEnterTimestampMonotonic"))

    def heard(self) -> str:
        """All that was said on the broker."""
        return self.machine.read("journalctl", "--no-pager", "--output=cat", "--unit=listener")


def furnished(machine: Machine, wheels: Path) -> House:
    """A machine that was just booted, with all that `script/install` and a room need."""
    checkout = machine.root / "srv/checkout"
    checkout.mkdir()
    for part in PARTS:
        copy = shutil.copytree if (ROOT / part).is_dir() else shutil.copy
        copy(ROOT / part, checkout / part)
    shutil.copytree(wheels, machine.root / "srv/wheels")
    shutil.copy(Path(__file__).with_name("probe.py"), machine.root / "srv")
    demo = (ROOT / "config/rooms/demo.yaml").read_text()
    (machine.root / "srv/kitchen.yaml").write_text(
        demo.replace("room: demo", "room: kitchen").replace("Demonstration", "Kitchen") + ROOM
    )
    write_recording(machine.root / "srv/room.wav")
    machine.run("systemd-run", "--quiet", "--unit=broker", "mosquitto")
    machine.until(lambda: "running" in machine.read("journalctl", "--output=cat", "--unit=broker"))
    machine.run("systemd-run", "--quiet", "--unit=listener", "mosquitto_sub", "--verbose", "--topic", "#")
    return House(machine)


def wheels_in(folder: Path) -> Path:
    """What `pip wheel` makes of the project's dependencies for the system's Python; kept there until they change."""
    kept = folder / hashlib.sha256((ROOT / "pyproject.toml").read_bytes()).hexdigest()[:12]
    if kept.is_dir():
        return kept
    for old in folder.iterdir():
        shutil.rmtree(old)
    with tempfile.TemporaryDirectory(prefix="wheels-") as place:
        subprocess.run(["/usr/bin/python3", "-m", "venv", f"{place}/venv"], check=True)
        made = Path(place, "made")
        command = [f"{place}/venv/bin/python", "-m", "pip", "wheel", "--quiet", "--wheel-dir", str(made)]
        subprocess.run([*command, f"{ROOT}[local,confirm]", "hatchling"], check=True, capture_output=True, timeout=600)
        for wheel in made.glob("voice_node-*.whl"):  # it is built from the checkout, there
            wheel.unlink()
        shutil.move(made, kept)
    return kept


def write_recording(path: Path) -> None:
    """Three sentences, and then silence for longer than the test."""
    with wave.open(str(ROOT / "config/demo/three_sentences.wav")) as source, wave.open(str(path), "wb") as target:
        target.setparams(source.getparams())
        target.writeframes(source.readframes(source.getnframes()))
        target.writeframes(bytes(source.getframerate() * 2 * 1200))
