import asyncio
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from voice_node.cli.doctor_finding import Finding, Patient, Status, examine, off_loop, output_of
from voice_node.settings.schema import RoomSettings
from voice_node.settings.secrets import Secrets

PATIENT = Patient(Path("kitchen.yaml"), RoomSettings(room="kitchen"), Secrets(), {})


async def test_a_check_that_hangs_is_a_fault_of_its_subject() -> None:
    never = threading.Event()

    async def hang(_: Patient) -> Sequence[Finding]:
        await off_loop(never.wait)
        return []

    began = time.monotonic()
    (found,) = await examine("card", hang, PATIENT, 0.05)
    assert (found.subject, found.status) == ("card", Status.FAULT)
    assert "no answer within" in found.text
    assert time.monotonic() - began < 5
    never.set()


async def test_what_a_check_finds_is_handed_on() -> None:
    fine = Finding("card", Status.OK, "there")

    async def look(patient: Patient) -> Sequence[Finding]:
        assert patient.unit == "voice-node@kitchen.service"
        return (fine,)

    assert await examine("card", look, PATIENT, 5) == [fine]


async def test_the_output_of_a_program() -> None:
    assert await output_of("echo", "ä") == "ä\n"
    assert await output_of("false") is None
    assert await output_of("no-such-program-here") is None


async def test_a_program_that_hangs_is_ended() -> None:
    assert await output_of("sleep", "600", timeout_s=0.1) is None
    task = asyncio.create_task(output_of("sleep", "600"))
    await asyncio.sleep(0)
    task.cancel()
    assert isinstance((await asyncio.gather(task, return_exceptions=True))[0], asyncio.CancelledError)


async def test_a_broken_check_hides_no_other_and_tells_nothing_of_what_it_held() -> None:
    async def break_down(_: Patient) -> Sequence[Finding]:
        raise ValueError("canary")

    (found,) = await examine("card", break_down, PATIENT, 5)
    assert found.status is Status.FAULT
    assert "ValueError" in found.text
    assert "canary" not in str(found)
