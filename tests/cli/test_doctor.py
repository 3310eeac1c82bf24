"""The command as people call it."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.cli.test_doctor_report import unpacked
from tests.fakes import broker as fake
from tests.fakes.broker import Broker
from tests.fakes.mqtt_spy import MqttSpy
from tests.fakes.realtime_server import RealtimeServer, Refuse
from tests.system.house import Program, online, write_room
from voice_node.cli.credentials import folder_of, store
from voice_node.cli.doctor import CHECKS

pytestmark = pytest.mark.skipif(bool(fake.ABSENT), reason=fake.ABSENT)

KEY, PASSWORD, PIN, WORDS = "sk-canary-0123456789abc", "canary password", "80477408", "the canary sings at noon"


def findings(command: Program) -> dict[str, dict[str, Any]]:
    return {finding["subject"]: finding for finding in json.loads(command.output)}


async def doctor(folder: Path, room: Path, *options: str, **environ: str) -> tuple[int, Program]:
    with Program(folder, "doctor", room, *options, environ=environ) as command:
        return await command.ended(60), command


async def test_a_room_that_is_well(tmp_path: Path) -> None:
    with Broker() as broker:
        code, command = await doctor(tmp_path, write_room(tmp_path, broker.port), "--json")
    found = findings(command)
    assert code == 0, command.output
    assert {subject for subject, _, _ in CHECKS} <= set(found)
    assert {finding["status"] for finding in found.values()} <= {"ok", "warning"}
    assert all(set(finding) == {"subject", "status", "text", "advice"} for finding in found.values())
    assert command.log == ""


async def test_a_table_says_what_to_do_and_a_fault_ends_with_1(tmp_path: Path, free_port: int) -> None:
    room = write_room(tmp_path, free_port, capture={"device": "no such card"})
    code, command = await doctor(tmp_path, room)
    assert code == 1
    assert "│ broker         │ fault" in command.output
    assert "→ Does the broker run" in command.output
    assert "→ `voice-node devices` lists" in command.output
    assert "2 faults" in command.output
    assert "Traceback" not in command.log


async def test_a_file_that_cannot_be_used_and_a_secret_that_is_missing(tmp_path: Path, free_port: int) -> None:
    room = write_room(tmp_path, free_port, session={"provider": "openai"}, mqtt={"username": "kitchen"})
    code, command = await doctor(tmp_path, room, "--json")
    assert code == 1
    texts = [finding["text"] for finding in json.loads(command.output) if finding["subject"] == "secrets"]
    assert [text.split(" needs ")[0] for text in texts] == [
        "session.provider: openai",
        "mqtt.username: a user name",
    ]
    code, command = await doctor(tmp_path, tmp_path / "none.yaml", "--json")
    assert code == 1
    assert findings(command)["room file"]["text"].endswith("none.yaml: there is no such file")
    assert "versions" in findings(command)


async def test_secrets_are_found_beside_the_room_file(tmp_path: Path) -> None:
    with Broker(users={"kitchen": PASSWORD}) as broker:
        room = write_room(tmp_path, broker.port, mqtt={"username": "kitchen"})
        store(folder_of(room), {"mqtt_password": PASSWORD})
        code, command = await doctor(tmp_path, room, "--json")
    assert code == 0, command.output
    assert "as kitchen: connected" in findings(command)["broker"]["text"]


async def test_the_checks_together_end_in_time() -> None:
    assert max(timeout_s for _, _, timeout_s in CHECKS) < 25  # they run at once; the rest is starting and writing


@pytest.mark.parametrize("name", ["report.zip", "report.tar.gz"])
async def test_a_report_holds_no_secret_and_no_spoken_word(tmp_path: Path, name: str) -> None:
    state = tmp_path / "state"
    state.mkdir()
    for file in ("state.json", "audit.jsonl", "outbox.db"):
        _write(state / file, f"{WORDS} {KEY}")
    journal = tmp_path / "bin" / "journalctl"
    journal.parent.mkdir()
    said = f"2026-11-20T12:00:00+0000 pi voice-node[1]: [kitchen] refused: Authorization: Bearer {KEY} {PASSWORD} {PIN}"
    _write(journal, f'#!/bin/sh\ncase "$*" in *--priority=warning*) echo "{said}";; *) echo "{WORDS}";; esac\n')
    journal.chmod(0o700)
    async with RealtimeServer([Refuse(401)]) as server:
        with Broker(users={"kitchen": PASSWORD}) as broker:
            room = write_room(
                tmp_path, broker.port, mqtt={"username": "kitchen"}, session={"provider": "custom", "url": server.url}
            )
            secrets = {"OPENAI_API_KEY": KEY, "MQTT_PASSWORD": PASSWORD, "VOICE_NODE_PIN": PIN}
            path = f"{journal.parent}:{os.environ['PATH']}"
            code, command = await doctor(tmp_path, room, "--report", str(tmp_path / name), PATH=path, **secrets)
    assert code == 1  # the key is refused
    files = unpacked(tmp_path / name)
    assert "[kitchen] refused" in files["journal.txt"]
    everything = "".join([*files.values(), command.output, command.log])
    for canary in (KEY, KEY[3:], PASSWORD, PIN, WORDS, "sings"):
        assert canary not in everything


async def test_a_report_on_a_broken_room_file_holds_no_secret_either(tmp_path: Path) -> None:
    room = tmp_path / "kitchen.yaml"
    _write(room, f"room: kitchen\nmqtt: {{password: {PASSWORD}}}\nnonsense: {PIN}x\napi_key: {KEY}\n")
    code, command = await doctor(tmp_path, room, "--report", str(tmp_path / "r.zip"), VOICE_NODE_PIN=PIN)
    assert code == 1
    everything = "".join([*unpacked(tmp_path / "r.zip").values(), command.output, command.log])
    assert "nonsense" in everything
    for canary in (KEY, PASSWORD, PIN):
        assert canary not in everything


@pytest.mark.slow
async def test_a_room_that_runs_is_not_disturbed(tmp_path: Path) -> None:
    with Broker() as broker:
        room = write_room(tmp_path, broker.port)
        async with MqttSpy(broker.port) as spy:
            with Program(tmp_path, "run", room) as node:
                await online(spy)
                await spy.wait_for(lambda seen: seen.topic == "homeassistant/device/voice_node_kitchen/config")
                code, command = await doctor(tmp_path, room, "--json")
                assert node.is_running
    found = findings(command)
    assert code == 0, command.output
    assert found["room"]["text"] == "runs, and is online"
    assert found["discovery"]["status"] == "ok"
    assert "entities" in found["discovery"]["text"]


async def test_a_report_of_another_kind_is_a_mistake_in_calling(tmp_path: Path) -> None:
    code, command = await doctor(tmp_path, tmp_path / "kitchen.yaml", "--report", "report.txt")
    assert code == 2
    assert "must end with .zip or .tar.gz" in command.log


def _write(path: Path, text: str) -> None:
    path.write_text(text)
