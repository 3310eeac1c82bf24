"""The goals of reliability, one after the other: `script/soak [--goals G1 G6 ...] [--short] [--seed 1] [--json FILE]`

Each goal is a program that breaks something and compares, or the tests that hold it. A line of figures for each part,
then a table; 1 where anything failed. `--short` takes minutes, the long form about two hours on two cores.
"""

import argparse
import asyncio
import json
import logging
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.fuzz.doors import DOORS, INPUTS, knock
from tests.system.cost import television
from tests.system.disk import bad_disks, kill_writers
from tests.system.faults import storm
from tests.system.goal import GOALS, Result
from tests.system.recovery import away, recover
from tests.system.recovery_sound import microphone_back
from tests.system.round_trip import round_trips
from tests.system.soak import MEBIBYTE, Soaked, soak
from tests.system.stale import storm_of_commands
from tests.systemd.hang import hangs

LONGEST_DAY_S = 600.0
LONGEST_FUZZING_S = 300.0


@dataclass(frozen=True)
class Size:
    """How much of each."""

    is_short: bool
    seed: int

    def of(self, short: int, long: int) -> int:
        """The one that is wanted."""
        return short if self.is_short else long


Program = Callable[[Size, Path], Awaitable[list[Result]]]


async def _storms(size: Size, folder: Path) -> list[Result]:
    """G1, G2 and G3 are one program: what broke a call breaks a transcript too."""
    results = []
    for seed in range(size.seed, size.seed + size.of(1, 3)):
        place = folder / str(seed)
        place.mkdir()
        outcome = await storm(seed, size.of(60, 1000), place, size.of(500, 40_000))
        result = Result("G1 G2 G3", "storm", seed, seconds=outcome.seconds, failures=outcome.failures)
        result.figures = {
            "faults": outcome.faults.total(),
            "calls": outcome.calls,
            "executed": outcome.executed,
            "transcripts": outcome.sent,
            "owed": outcome.owed,
            "delivered": outcome.delivered,
            "late": outcome.delayed,
            "repeated": outcome.repeated,
        }
        results.append(result)
    return results


async def _stale(size: Size, _folder: Path) -> list[Result]:
    return [await asyncio.to_thread(storm_of_commands, size.of(1000, 10_000), size.seed)]


async def _recovery(size: Size, folder: Path) -> list[Result]:
    results = [await microphone_back(folder, size.of(3, 50), size.seed), *await recover(size.of(1, 5))]
    if size.is_short:
        return results
    machine = folder / "hang"
    machine.mkdir()
    return [*results, *await away(600), await asyncio.to_thread(hangs, machine, 50, size.seed)]


async def _day(size: Size, folder: Path) -> list[Result]:
    day, traced = folder / "day", folder / "traced"
    day.mkdir()
    traced.mkdir()
    hour_s, turns = size.of(200, 3600), size.of(7, 84)
    whole = await soak(day, hours=size.of(3, 24), turns=turns, faults=size.of(5, 500), seed=size.seed, hour_s=hour_s)
    counted = await soak(
        traced, hours=size.of(3, 24), turns=turns, faults=size.of(5, 500), seed=size.seed, hour_s=hour_s, is_traced=True
    )
    results = [_soaked("a day of sound", whole), _soaked("with tracemalloc", counted)]
    results[0].demand("it takes more than 10 minutes", whole.seconds <= LONGEST_DAY_S)
    return results


def _soaked(what: str, soaked: Soaked) -> Result:
    print(soaked, flush=True)  # noqa: T201 - what the command is for
    result = Result("G6", what, soaked.seed, seconds=soaked.seconds, failures=soaked.failures)
    result.figures = {"frames": soaked.frames, "faults": soaked.faults}
    if len(soaked.samples) >= 3:
        result.figures |= {"turns": soaked.samples[-1]["turns"]}
        result.figures |= {what: f"{soaked.held(what)[0]} -> {soaked.held(what)[-1]}" for what in ("threads", "tasks")}
        name = "traced" if soaked.held("traced") else "rss"
        result.figures[f"{name} growth"] = f"{soaked.growth(name) / MEBIBYTE:+.2f} MiB"
    return result


async def _bad_input(size: Size, _folder: Path) -> list[Result]:
    results, began = [], time.monotonic()
    for outcome in await asyncio.to_thread(lambda: list(knock(DOORS, size.of(20_000, INPUTS), size.seed))):
        figures = {"inputs": outcome.inputs, "slowest": f"{outcome.slowest_ms:.1f} ms"}
        results.append(Result("G7", outcome.name, size.seed, figures, outcome.seconds, outcome.findings))
    whole = Result("G7", "all doors", size.seed, seconds=time.monotonic() - began)
    whole.demand("it takes more than 5 minutes", whole.seconds <= LONGEST_FUZZING_S)
    return [*results, whole]


async def _disk(size: Size, folder: Path) -> list[Result]:
    writer = folder / "writer"
    writer.mkdir()
    results = [await kill_writers(writer, size.of(20, 500), size.seed)]
    try:
        results += await bad_disks(folder)
    except OSError as error:
        print(f"G9: no disks are spoilt: {error}")  # noqa: T201 - what the command is for
    return results


async def _round_trip(_size: Size, _folder: Path) -> list[Result]:
    return [await round_trips(500)]


def _tests(goal: str, short: tuple[str, ...], long: tuple[str, ...] = ()) -> Program:
    """The goal is held by tests, which say themselves how."""

    async def run(size: Size, _folder: Path) -> list[Result]:
        began = time.monotonic()
        chosen = short if size.is_short or not long else (*short, *long)
        marks = ("-m", "not slow") if size.is_short else ()
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *marks, *chosen]
        done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, check=False)
        last = done.stdout.strip().splitlines()[-1] if done.stdout.strip() else done.stderr[-300:]
        result = Result(goal, " ".join(chosen), figures={"tests": last}, seconds=time.monotonic() - began)
        result.demand(done.stdout[-3000:], done.returncode == 0)
        return [result]

    return run


async def _mute_and_cost(size: Size, folder: Path) -> list[Result]:
    muted = await _tests("G13", ("tests/system/test_mute.py",))(size, folder)
    return [*muted, await television(folder, size.of(900, 3600))]


PROGRAMS: dict[tuple[str, ...], Program] = {
    ("G1", "G2", "G3"): _storms,
    ("G4",): _stale,
    ("G5",): _recovery,
    ("G6",): _day,
    ("G7",): _bad_input,
    ("G8",): _tests("G8", ("tests/system/test_poison.py", "tests/mqtt/test_outgoing.py")),
    ("G9",): _disk,
    ("G10",): _round_trip,
    ("G11",): _tests(
        "G11",
        ("tests/systemd/test_unit.py", "tests/systemd/test_local_unit.py"),
        ("tests/systemd/test_container.py",),
    ),
    ("G12",): _tests(
        "G12", ("tests/system/test_canary.py", "tests/mqtt/test_tls.py", "tests/config/test_mosquitto.py")
    ),
    ("G13",): _mute_and_cost,
}
"""What holds which goals."""


async def _all(wanted: list[str], size: Size) -> list[Result]:
    results: list[Result] = []
    for goals, program in PROGRAMS.items():
        if not set(goals) & set(wanted):
            continue
        with tempfile.TemporaryDirectory(prefix="soak-") as folder:
            try:
                found = await program(size, Path(folder))
            except (
                TimeoutError,
                OSError,
                AssertionError,
                subprocess.SubprocessError,
            ) as error:  # the other goals are measured all the same
                found = [Result(" ".join(goals), "did not end", failures=[f"{type(error).__name__}: {error}"])]
        for result in found:
            print(result, flush=True)  # noqa: T201 - what the command is for
        results += found
    return results


def _table(results: list[Result]) -> str:
    lines = ["", "| goal | what | holds |", "|---|---|---|"]
    for name, what in GOALS.items():
        of_it = [result for result in results if name in result.goal.split()]
        if of_it:
            failures = sum(len(result.failures) for result in of_it)
            lines.append(f"| {name} | {what} | {'no: ' + str(failures) + ' failures' if failures else 'yes'} |")
    return "\n".join(lines)


def main() -> int:
    """Run what is wanted."""
    parser = argparse.ArgumentParser(prog="script/soak", description=__doc__)
    parser.add_argument("--goals", nargs="+", choices=list(GOALS), default=list(GOALS), metavar="G1")
    parser.add_argument("--short", action="store_true", help="minutes, not hours")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path)
    wishes = parser.parse_args()
    logging.disable()  # what is broken on purpose is told in the log, without end
    print(f"Python {platform.python_version()}, {os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}", flush=True)  # noqa: T201 - what the command is for
    results = asyncio.run(_all(wishes.goals, Size(wishes.short, wishes.seed)))
    print(_table(results))  # noqa: T201 - what the command is for
    if wishes.json is not None:
        wishes.json.write_text(json.dumps([asdict(result) for result in results], indent=1) + "\n")
    return int(any(result.failures for result in results))


if __name__ == "__main__":
    sys.exit(main())
