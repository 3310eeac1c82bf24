"""G9: writers that are killed, and a disk that is full, read-only or lies: what waits survives, calls go on."""

import asyncio
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

from tests.fakes.broker import Broker
from tests.fakes.mqtt_spy import MqttSpy
from tests.fakes.until import until
from tests.mqtt.node import BRANCH, call, node, transcript
from tests.mqtt.test_outbox import kill_a_writer, opened
from tests.system.goal import Result
from voice_node.mqtt.bridge import Bridge, Published

RECOVERY_S = 5.0


async def kill_writers(folder: Path, kills: int, seed: int) -> Result:
    """kill -9 of a process that writes; every row that it said was written must be there, in order."""
    result, dice, began = Result("G9", "kill -9 of a writer", seed), Random(seed), time.monotonic()
    owed: set[int] = set()
    first, lost, disordered, troubles = 0, 0, 0, 0
    for _ in range(kills):
        last = await asyncio.to_thread(kill_a_writer, folder, first, dice.randrange(3, 25))
        owed |= {number for number in range(first, last + 1) if number % 2 == 0}
        async with opened(folder) as it:
            lost = len(owed - set(it.numbers))
            disordered += it.numbers != sorted(it.numbers)
            troubles += len(it.troubles)
            if len(owed) > 500:  # what was compared makes room
                for kept in it.found:
                    it.box.remove(kept.identity)
                owed.clear()
        first = last + 2
        if lost:
            break
    result.figures = {"kills": kills, "rows written": first, "lost": lost}
    result.demand(f"{lost} rows that were written are gone", not lost)
    result.demand(f"{disordered} times out of order, {troubles} complaints", not disordered and not troubles)
    result.seconds = time.monotonic() - began
    return result


@contextmanager
def small_disk(place: Path, size: str = "400k") -> Iterator[Path]:
    """A disk of its own; OSError where this user may not mount one."""
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(place)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise OSError(done.stderr.strip())
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


async def bad_disks(folder: Path) -> list[Result]:
    """Full, read-only, and a file that somebody overwrites; each with calls that go on meanwhile."""
    results = []
    for what, spoil, mend in (
        ("a full disk", _fill, _empty),
        ("a read-only disk", lambda disk: _remount(disk, "ro"), lambda disk: _remount(disk, "rw")),
        ("a corrupt database", _corrupt, lambda _: None),
    ):
        with small_disk(folder / what.replace(" ", "-")) as disk:
            if what == "a read-only disk":  # from the start: none is made so under open files
                spoil(disk)
            results.append(await _suffer(what, disk, spoil, mend))
    return results


async def _suffer(what: str, disk: Path, spoil: Callable[[Path], None], mend: Callable[[Path], None]) -> Result:
    result, began = Result("G9", what), time.monotonic()
    with Broker() as broker:
        async with node(broker.port, directory=disk / "state") as (bridge, _), MqttSpy(broker.port) as spy:
            await _told(bridge, spy, "before")
            broker_away = [f"waits-{number}" for number in range(20)]
            if what != "a read-only disk":
                spoil(disk)
            bridge.offer(transcript("meanwhile"))
            published = [await bridge.publish(call(f"c{number}")) for number in range(20)]
            await _told(bridge, spy, "meanwhile")
            result.demand(f"calls did not go on: {set(published)}", set(published) == {Published.DELIVERED})
            broker.kill()
            for item in broker_away:
                bridge.offer(transcript(item))
            mend(disk)
            mended_at = time.monotonic()
            await until(lambda: not bridge._outbox._is_behind and bridge._outbox._is_open, 30)
            recovery_s = time.monotonic() - mended_at
            await asyncio.to_thread(broker.restart)
            async with MqttSpy(broker.port) as after:
                for item in broker_away:
                    await _seen(after, item)
    result.figures = {"calls meanwhile": len(published), "kept": len(broker_away), "level again": f"{recovery_s:.2f} s"}
    result.demand(f"level again after {recovery_s:.1f} s", recovery_s <= RECOVERY_S)
    result.seconds = time.monotonic() - began
    return result


async def _told(bridge: Bridge, spy: MqttSpy, item: str) -> None:
    bridge.offer(transcript(item))
    await _seen(spy, item)


async def _seen(spy: MqttSpy, item: str) -> None:
    await spy.wait_for(lambda seen: seen.topic == BRANCH + "transcript" and seen.json["item_id"] == item, 30)


def _fill(disk: Path) -> None:
    with (disk / "ballast").open("wb", buffering=0) as file:
        for size in (65536, 4096, 1):
            while _is_written(file.fileno(), size):
                pass


def _is_written(descriptor: int, size: int) -> bool:
    try:
        return os.write(descriptor, bytes(size)) == size
    except OSError:
        return False


def _empty(disk: Path) -> None:
    (disk / "ballast").unlink()


def _remount(disk: Path, how: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{how}", str(disk)], check=True)


def _corrupt(disk: Path) -> None:
    for file in (disk / "state").glob("outbox.db*"):
        with file.open("r+b") as opened_file:
            opened_file.write(os.urandom(file.stat().st_size))
