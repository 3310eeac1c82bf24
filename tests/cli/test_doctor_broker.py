import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from tests.fakes import broker as fake
from tests.fakes.broker import Broker
from tests.fakes.mqtt_spy import MqttSpy
from voice_node.cli import doctor_broker
from voice_node.cli.doctor_broker import check_broker
from voice_node.cli.doctor_finding import Finding, Patient, Status
from voice_node.settings.schema import RoomSettings
from voice_node.settings.secrets import Secrets

pytestmark = pytest.mark.skipif(bool(fake.ABSENT), reason=fake.ABSENT)

ACL = (Path(__file__).parents[2] / "config" / "mosquitto" / "acl.example").read_text()
USER = "kitchen"
PASSWORD = "canary-of-the-broker"
DISCOVERY = "homeassistant/device/voice_node_kitchen/config"


def patient(port: int, *, password: str = PASSWORD, is_running: bool = False, **mqtt: Any) -> Patient:
    room = {"room": "kitchen", "mqtt": {"port": port, **mqtt}}
    secrets = Secrets(mqtt_password=SecretStr(password))
    return Patient(Path("kitchen.yaml"), RoomSettings.model_validate(room), secrets, {}, is_running)


async def look(who: Patient) -> dict[str, Finding]:
    found = await check_broker(who)
    assert len({finding.subject for finding in found}) == len(found)
    assert PASSWORD not in str(found)
    return {finding.subject: finding for finding in found}


@asynccontextmanager
async def keeping(broker: Broker, **retained: str) -> AsyncIterator[MqttSpy]:
    """Somebody who may do everything, and has published these."""
    names = {
        "availability": "voice_node/kitchen/availability",
        "discovery": DISCOVERY,
        "status": "homeassistant/status",
    }
    async with MqttSpy(broker.port, username="all", password="all") as spy:
        for name, payload in retained.items():
            await spy.publish(names[name], payload, retain=True)
        yield spy


def guarded() -> Broker:
    acl = f"{ACL}\nuser all\ntopic readwrite #\nuser deaf\ntopic write voice_node/kitchen/#\nuser mute\ntopic read #\n"
    return Broker(users={name: "all" if name == "all" else PASSWORD for name in (USER, "all", "deaf", "mute")}, acl=acl)


async def test_a_login_with_the_shipped_rights_is_well_whatever_mqtt_it_speaks() -> None:
    with guarded() as broker:
        for protocol in (5, 3):
            found = await look(patient(broker.port, username=USER, protocol=protocol))
            assert found["broker"].status is Status.OK
            assert f"127.0.0.1:{broker.port} as {USER}: connected, round trip " in found["broker"].text
            assert found["commands"].status is Status.OK
            assert "voice_node/kitchen/request/diagnose arrives" in found["commands"].text
            assert found["room"].text == "does not run at the moment"
            assert [finding.status for finding in found.values()] == [Status.OK] * 5
            assert "when it was started once" in found["discovery"].text
            found = await look(patient(broker.port, username=USER, protocol=protocol, is_running=True))
            assert found["discovery"].status is Status.WARNING  # it should be there by now
            assert DISCOVERY in found["discovery"].advice


async def test_a_room_that_runs_with_the_shipped_rights_gets_no_warning() -> None:
    with guarded() as broker:
        async with keeping(broker, availability="online", discovery='{"components": {"state": {}}}'):
            found = await look(patient(broker.port, username=USER, is_running=True))
            assert [finding.status for finding in found.values()] == [Status.OK] * 5


async def test_a_wrong_password_and_a_broker_that_is_away() -> None:
    with guarded() as broker:
        found = await look(patient(broker.port, username=USER, password="wrong"))
        assert found["broker"].status is Status.FAULT
        assert "refuses" in found["broker"].text
        broker.kill()
        found = await look(patient(broker.port, username=USER))
        assert found["broker"].status is Status.FAULT
        assert "cannot connect" in found["broker"].text
        broker.restart()


async def test_a_broker_that_hangs_costs_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor_broker, "ANSWER_S", 0.3)
    with Broker() as broker:
        broker.freeze()
        async with asyncio.timeout(5):
            found = await look(patient(broker.port))
        broker.thaw()
    assert "no answer within" in found["broker"].text


async def test_a_login_that_may_not_publish_or_hears_nothing() -> None:
    with guarded() as broker:
        found = await look(patient(broker.port, username="mute"))
        assert found["broker"].status is Status.FAULT
        assert "may not publish below voice_node/kitchen/" in found["broker"].text
        assert "acl.example" in found["broker"].advice
        found = await look(patient(broker.port, username="deaf"))
        assert found["broker"].status is Status.OK
        assert found["commands"].status is Status.FAULT


async def test_what_the_broker_keeps_is_read() -> None:
    document = json.dumps({"device": {"name": "Kitchen"}, "components": {"state": {}, "mute": {}}})
    with guarded() as broker:
        async with keeping(broker, availability="online", discovery=document, status="online"):
            found = await look(patient(broker.port, username="all", password="all", is_running=True))
            assert [finding.status for finding in found.values()] == [Status.OK] * 5
            assert found["discovery"].text.endswith("with 2 entities")
            assert found["Home Assistant"].text == "online"
            found = await look(patient(broker.port, username="all", password="all"))
            assert "does not run here" in found["room"].text
        async with keeping(broker, availability="offline", discovery="{", status="offline"):
            found = await look(patient(broker.port, username="all", password="all", is_running=True))
            assert "not seen online" in found["room"].text
            assert found["discovery"].status is Status.FAULT
            assert found["Home Assistant"].status is Status.WARNING
        async with keeping(broker, status="?", discovery=""):
            found = await look(patient(broker.port, username="all", password="all"))
            assert "discovery_prefix" in found["Home Assistant"].advice
            assert "no discovery document" in found["discovery"].text
            found = await look(patient(broker.port, username="all", password="all", discovery=False))
            assert found["discovery"].text.startswith("switched off")


async def test_a_visit_changes_nothing_at_the_broker() -> None:
    with guarded() as broker:
        async with MqttSpy(broker.port, username="all", password="all") as spy:
            await look(patient(broker.port, username=USER))
            await spy.publish("the/end", "")
            await spy.wait_for_topic("the/end")
            seen = {message.topic for message in spy.messages} - {"the/end"}
            assert seen == {"voice_node/kitchen/response/doctor", "voice_node/kitchen/request/diagnose"}
            assert not any(message.retain for message in spy.messages)


async def test_a_certificate_that_is_not_there(tmp_path: Path) -> None:
    found = await look(patient(1, tls={"ca": str(tmp_path / "none.pem")}))
    assert found["broker"].status is Status.FAULT
    assert "mqtt.tls" in found["broker"].text
