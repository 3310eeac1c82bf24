"""What a check of `doctor` finds, and how a check is kept from hanging."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

from voice_node.runtime.child import end
from voice_node.runtime.worker import Worker
from voice_node.settings.schema import RoomSettings
from voice_node.settings.secrets import Secrets

Result = TypeVar("Result")

COMMAND_S = 4.0


class Status(StrEnum):
    """How bad it is."""

    OK = "ok"
    WARNING = "warning"
    """It runs, and something is worth a look."""
    FAULT = "fault"
    """A room cannot work so."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One row of the table. No secret and no spoken word stands in it."""

    subject: str
    status: Status
    text: str
    advice: str = ""
    """What to do about it."""


@dataclass(frozen=True, slots=True)
class Patient:
    """The room that is looked at."""

    path: Path
    settings: RoomSettings
    secrets: Secrets
    environ: Mapping[str, str]
    is_running: bool = False
    """Its node runs on this machine: it holds the sound card."""

    @property
    def unit(self) -> str:
        """The room's service."""
        return f"voice-node@{self.settings.room}.service"


Check = Callable[[Patient], Awaitable[Sequence[Finding]]]


async def examine(subject: str, check: Check, patient: Patient, timeout_s: float) -> list[Finding]:
    """What the check finds; a fault where it takes longer than this."""
    try:
        async with asyncio.timeout(timeout_s):
            return list(await check(patient))
    except TimeoutError:
        return [Finding(subject, Status.FAULT, f"no answer within {timeout_s:.0f} s", "Something hangs there.")]
    except Exception as bug:  # noqa: BLE001 - a broken check must not hide what the others found
        text = f"this could not be looked at: {type(bug).__name__}"  # its text may hold anything
        return [Finding(subject, Status.FAULT, text, "This is a bug of voice-node: please report it.")]


async def off_loop(function: Callable[[], Result]) -> Result:
    """Call what blocks in a thread of its own: one that never returns keeps no process from ending."""
    worker = Worker("doctor")
    try:
        return await worker.call(function)
    finally:
        worker.stop()


async def output_of(*command: str, timeout_s: float = COMMAND_S) -> str | None:
    """What a program prints, or None where there is none of that name, it fails, or it takes longer than this."""
    pipe, nowhere = asyncio.subprocess.PIPE, asyncio.subprocess.DEVNULL
    try:
        process = await asyncio.create_subprocess_exec(*command, stdin=nowhere, stdout=pipe, stderr=nowhere)
    except OSError:
        return None
    try:
        async with asyncio.timeout(timeout_s):
            said, _ = await process.communicate()
    except TimeoutError:
        return None
    finally:
        await end(process)
    return said.decode(errors="replace") if process.returncode == 0 else None
