"""G5, a node that hangs: `python -m tests.systemd.hang [--hangs 50] [--seed 1]`

Rooms under the shipped unit, on a machine of their own. One after the other is stopped as it is; the unit's watchdog
must end it and have it started again.
"""

import argparse
import shutil
import sys
import tempfile
import time
from pathlib import Path
from random import Random

from tests.system.goal import Result
from tests.system.recovery import fill
from tests.systemd.house import LONGEST_S, ROOT, Back, House, furnished, wheels_in
from tests.systemd.machine import CannotBoot, Machine, why_not

ROOMS = ("attic", "bath", "cellar", "den", "pantry")
MEAN_GAP_S = 7.0
"""Between two hangs: no two rooms start at once, as in a house they would not."""


def hangs(folder: Path, count: int, seed: int) -> Result:
    """So many, with the seed's gaps; the times are from the hang to the new process, and to its READY."""
    result, began, dice = Result("G5", "a node that hangs", seed), time.monotonic(), Random(seed)
    if (why := why_not("mosquitto", "mosquitto_sub", "espeak-ng", "/usr/bin/python3")) is not None:
        result.demand(f"no container here: {why}", holds=False)
        return result
    wheels = ROOT / ".pytest_cache/d/wheels"
    wheels.mkdir(parents=True, exist_ok=True)
    try:
        with Machine(folder) as machine:
            found = _hang(furnished(machine, wheels_in(wheels)), count, dice)
    except CannotBoot as error:
        result.demand(str(error), holds=False)
        return result
    fill(result, [back.started_s for back in found], LONGEST_S, is_worst=True)
    result.figures["worst until ready"] = f"{max(back.ready_s for back in found):.1f} s"
    result.seconds = time.monotonic() - began
    return result


def _hang(house: House, count: int, dice: Random) -> list[Back]:
    units = _rooms(house)
    hung_at: dict[str, float] = {}
    found: list[Back] = []
    for number in range(count):
        unit = units[number % len(units)]
        if unit in hung_at:
            found.append(house.back(hung_at.pop(unit), unit))
        time.sleep(dice.uniform(0, 2 * MEAN_GAP_S))  # the watchdog was fed some time before a hang, at random
        hung_at[unit] = house.hang(unit)
    return found + [house.back(at, unit) for unit, at in hung_at.items()]


def _rooms(house: House) -> list[str]:
    """Installed and ready."""
    done = house.install("/srv/kitchen.yaml", MQTT_PASSWORD="none")
    assert done.returncode == 0, done.stdout
    settings = house.machine.root / "etc/voice-node"
    kitchen = (settings / "kitchen.yaml").read_text()
    units = []
    for room in ROOMS:
        (settings / f"{room}.yaml").write_text(kitchen.replace("room: kitchen", f"room: {room}"))
        shutil.copytree(settings / "credentials/kitchen", settings / "credentials" / room)
        units.append(f"voice-node@{room}.service")
        house.machine.run("systemctl", "start", units[-1], check=False)
        assert house.show("ActiveState", units[-1]) == "active", house.journal(units[-1])
    return units


def main() -> int:
    """Print what the hangs came to."""
    parser = argparse.ArgumentParser(prog="python -m tests.systemd.hang", description=__doc__)
    parser.add_argument("--hangs", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    wishes = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="hang-") as folder:
        result = hangs(Path(folder), wishes.hangs, wishes.seed)
    print(result)  # noqa: T201 - what the command is for
    return int(bool(result.failures))


if __name__ == "__main__":
    sys.exit(main())
