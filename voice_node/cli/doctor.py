"""`voice-node doctor`: everything that a room needs, looked at, with what to do where it is not well."""

import asyncio
import json
import logging
import os
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from voice_node.cli.credentials import VARIABLES, folder_of, with_stored
from voice_node.cli.doctor_broker import check_broker
from voice_node.cli.doctor_finding import Check, Finding, Patient, Status, examine, off_loop, output_of
from voice_node.cli.doctor_machine import (
    check_clock,
    check_disk,
    check_heat,
    check_service_unit,
    check_versions,
    state_of,
    versions,
)
from voice_node.cli.doctor_report import JOURNAL, Redaction, contents, write_bundle
from voice_node.cli.doctor_service import check_engine, check_session
from voice_node.cli.doctor_sound import check_microphone, check_speaker
from voice_node.model.errors import ConfigError
from voice_node.router.tools import schema_problems
from voice_node.runtime.lock import is_held
from voice_node.settings.load import load_room
from voice_node.settings.secrets import check_secrets, read_mcp_tokens, read_own_mcp_tokens, read_secrets

CHECKS: tuple[tuple[str, Check, float], ...] = (
    ("microphone", check_microphone, 12),
    ("speaker", check_speaker, 12),
    ("broker", check_broker, 15),
    ("offline engine", check_engine, 5),
    ("service", check_session, 15),
    ("clock", check_clock, 5),
    ("disk", check_disk, 8),
    ("heat and power", check_heat, 5),
    ("systemd", check_service_unit, 5),
    ("versions", check_versions, 5),
)
"""Subject, check, and the most that it may take, in seconds. They run at the same time; the table keeps this order."""
SERVICE_ROOMS = "/etc/voice-node"
_COLOURS = {Status.OK: "green", Status.WARNING: "yellow", Status.FAULT: "bold red"}


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("room", metavar="ROOM.yaml", type=click.Path(path_type=Path))
@click.option("--json", "is_json", is_flag=True, help="Print a list of objects for programs.")
@click.option(
    "--report", metavar="FILE", type=click.Path(path_type=Path), help="Write a bundle to show others: .zip or .tar.gz."
)
def doctor(room: Path, is_json: bool, report: Path | None) -> None:
    """Look at everything that a room needs, and say what to do about what is not well.

    Sound cards, broker and its rights, Home Assistant's discovery, the service with its key and model, clock, disk,
    heat, the systemd unit, versions. A room that runs is not disturbed. With --report what was found goes into a file
    for others to look at, without secrets and without anything that was said. Ends with 1 where something is a fault.

    Example: voice-node doctor config/rooms/kitchen.yaml --report kitchen.zip
    """
    if report is not None and not report.name.endswith((".zip", ".tar.gz", ".tgz")):
        raise click.BadParameter("the name must end with .zip or .tar.gz", param_hint="--report")
    logging.getLogger("voice_node").addHandler(logging.NullHandler())  # what matters of it is found and shown
    findings, files = asyncio.run(_visit(room, with_report=report is not None))
    if is_json:
        click.echo(json.dumps([asdict(finding) for finding in findings], indent=2, ensure_ascii=False))
    else:
        _show(findings)
    if report is not None:
        write_bundle(report, files)
        click.echo(f"Written: {report}. Look into it before you show it to others.", err=True)
    if any(finding.status is Status.FAULT for finding in findings):
        raise SystemExit(1)


async def _visit(path: Path, *, with_report: bool) -> tuple[list[Finding], dict[str, str]]:
    findings, patient = _room_file(path)
    if patient is not None and await _is_running(patient):
        patient = replace(patient, is_running=True)
    words = [os.environ.get(variable, "") for variable in VARIABLES.values()]  # of a room file that is broken, too
    if patient is not None:
        words += _words(patient)
        looks = [examine(subject, check, patient, timeout_s) for subject, check, timeout_s in CHECKS]
        for found in await asyncio.gather(*looks):
            findings += found
    else:
        findings += await check_versions()
    redaction = Redaction(words)
    findings = [
        Finding(finding.subject, finding.status, redaction.text(finding.text), finding.advice) for finding in findings
    ]
    if not with_report:
        return findings, {}
    unit = patient.unit if patient is not None else "voice-node@*"
    journal = await output_of(*JOURNAL, unit)
    return findings, contents(redaction.room_file(path), findings, versions(), journal, redaction)


def _room_file(path: Path) -> tuple[list[Finding], Patient | None]:
    """What `check` says, and the room where there is one to look at."""
    try:
        room = load_room(path, [schema_problems])
    except ConfigError as error:
        advice = "Mend the lines that are named."
        if not path.is_file():
            advice = f"Name the file of a room, such as {SERVICE_ROOMS}/kitchen.yaml; `voice-node init` writes one."
        return [Finding("room file", Status.FAULT, str(error), advice)], None
    environ = with_stored(os.environ, path)
    try:
        secrets = read_secrets(environ)
    except ConfigError as error:
        return [Finding("secrets", Status.FAULT, str(error), "Write it anew.")], None
    missing = check_secrets(room.settings, secrets)
    findings = [Finding("room file", Status.OK, f"{path}: room {room.settings.room}")]
    if room.warnings:
        findings = [Finding("room file", Status.WARNING, "\n".join(room.warnings), "Change or delete these lines.")]
    advice = f"A file of this name in {folder_of(path)} (which of a service only `sudo` reads), or export it."
    findings += [Finding("secrets", Status.FAULT, problem, advice) for problem in missing]
    return findings, Patient(path, room.settings, secrets, environ)


async def _is_running(patient: Patient) -> bool:
    """The room's node runs here: by hand, or as a service whose state this user may not see."""
    is_here = await off_loop(lambda: is_held(state_of(patient)))
    return is_here or await output_of("systemctl", "is-active", patient.unit) is not None


def _words(patient: Patient) -> list[str]:
    """What nothing that is shown may hold."""
    secrets = patient.secrets
    own = (secrets.openai_api_key, secrets.mqtt_password, secrets.pin)
    tokens = read_mcp_tokens(patient.environ, patient.settings) | read_own_mcp_tokens(patient.environ, patient.settings)
    return [secret.get_secret_value() for secret in (*own, *tokens.values()) if secret is not None]


def _show(findings: Sequence[Finding]) -> None:
    console = Console(highlight=False)
    table = Table(show_lines=False)
    table.add_column("what", no_wrap=True)
    table.add_column("state", no_wrap=True)
    table.add_column("how it is", overflow="fold")
    for finding in findings:
        text = escape(finding.text)
        if finding.advice and finding.status is not Status.OK:
            text += f"\n[dim]→ {escape(finding.advice)}[/]"
        table.add_row(finding.subject, f"[{_COLOURS[finding.status]}]{finding.status}[/]", text)
    console.print(table)
    faults = sum(finding.status is Status.FAULT for finding in findings)
    warnings = sum(finding.status is Status.WARNING for finding in findings)
    console.print(_summary(faults, warnings))


def _summary(faults: int, warnings: int) -> str:
    if not faults and not warnings:
        return "[green]All is well.[/]"
    said = [
        f"{count} {word}{'s' * (count != 1)}" for count, word in ((faults, "fault"), (warnings, "warning")) if count
    ]
    colour = "bold red" if faults else "yellow"
    return f"[{colour}]{', '.join(said)}.[/]" + (" The room cannot work so." if faults else "")
