import socket
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from tests.fakes.http_server import Answer, HttpServer
from tests.fakes.realtime_server import RealtimeServer, Refuse, Stay, greet
from voice_node.cli import doctor_service
from voice_node.cli.doctor_finding import Finding, Patient, Status
from voice_node.cli.doctor_service import check_engine, check_session, look_at_models
from voice_node.settings.schema import RoomSettings
from voice_node.settings.secrets import Secrets

LIGHT = {"name": "set_light", "description": "Light.", "sentences": ["light on"]}


def patient(key: str | None = "sk-canary-0123456789", tools: list[Any] | None = None, **session: Any) -> Patient:
    room = {"room": "kitchen", "session": session, "tools": [LIGHT] if tools is None else tools}
    secrets = Secrets(openai_api_key=None if key is None else SecretStr(key))
    return Patient(Path("kitchen.yaml"), RoomSettings.model_validate(room), secrets, {})


async def only(who: Patient) -> Finding:
    (found,) = await check_session(who)
    return found


async def test_a_session_is_opened_configured_and_closed() -> None:
    async with RealtimeServer([*greet(), Stay()]) as server:
        found = await only(patient(provider="custom", url=server.url, model="some-model"))
    assert found.status is Status.OK, found
    assert "127.0.0.1, some-model: a session opened" in found.text


async def test_a_key_that_is_refused() -> None:
    async with RealtimeServer([Refuse(401)]) as server:
        found = await only(patient(provider="custom", url=server.url))
    assert found.status is Status.FAULT
    assert "refuses the API key" in found.text
    assert "canary" not in str(found)


async def test_a_service_that_is_ill_or_away() -> None:
    async with RealtimeServer([Refuse(503)]) as server:
        found = await only(patient(provider="custom", url=server.url))
        assert (found.status, "HTTP 503" in found.text) == (Status.FAULT, True)
    found = await only(patient(provider="custom", url=server.url))
    assert (found.status, "cannot be reached" in found.text) == (Status.FAULT, True)


async def test_a_service_that_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor_service, "ANSWER_S", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        found = await only(patient(provider="custom", url=f"ws://127.0.0.1:{silent.getsockname()[1]}/v1"))
    assert (found.status, "no session within" in found.text) == (Status.FAULT, True)


async def test_a_name_that_does_not_exist() -> None:
    found = await only(patient(provider="custom", url="wss://nowhere.invalid/v1"))
    assert found.status is Status.FAULT
    assert found.text == "nowhere.invalid cannot be looked up"


async def test_the_offline_engine_is_started_and_spoken_to() -> None:
    who = patient(provider="local")
    assert "the offline engine: a session opened" in (await only(who)).text
    (engine,) = await check_engine(who)
    assert engine.subject == "offline engine"


async def test_what_the_offline_engine_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor_service, "_ENGINE", ("hassil", "no_such_library"))
    (found,) = await check_engine(patient(provider="local"))
    assert (found.status, found.text) == (Status.FAULT, "the offline engine lacks no_such_library")
    monkeypatch.undo()
    monkeypatch.setattr("shutil.which", lambda _: None)
    (found,) = await check_engine(patient(provider="local"))
    assert (found.status, "espeak-ng" in found.text) == (Status.WARNING, True)
    assert await check_engine(patient(provider="openai")) == []


async def test_a_room_that_the_engine_cannot_serve(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda _: "/usr/bin/espeak-ng")
    (found,) = await check_engine(patient(tools=[]))
    assert "`sentences`" in found.text
    german = patient()
    settings = german.settings.model_copy(update={"language": "de"})
    (found,) = await check_engine(Patient(german.path, settings, german.secrets, {}))
    assert "English alone" in found.text


async def test_without_a_key_nothing_is_tried() -> None:
    assert await check_session(patient(key=None, provider="openai")) == []


async def test_a_model_that_ends_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor_service, "_resolves", lambda _: False)
    model, transcriber, name = await check_session(
        patient(provider="openai", model="gpt-realtime", transcription={"model": "whisper-1"})
    )
    assert "gpt-realtime" in model.text
    assert "whisper-1" in transcriber.text
    assert {model.status, transcriber.status} <= {Status.WARNING, Status.FAULT}
    assert str(date(2027, 1, 20)) in model.text
    assert name.text == "api.openai.com cannot be looked up"


async def test_the_services_own_list_is_asked() -> None:
    data = [{"id": "old", "shutdown_date": "2026-01-01"}, {"id": "some-model"}]
    models: Any = {"model": "some-model", "transcription": {"model": "other"}}
    async with HttpServer(*[Answer({"data": data})] * 3, Answer(status=500)) as server:
        url = f"ws://127.0.0.1:{server.port}/v1/realtime"
        (found,) = await look_at_models(patient(provider="custom", url=url, **models), told="")
        assert (found.status, "does not list other" in found.text) == (Status.WARNING, True)
        assert await look_at_models(patient(provider="custom", url=url, **models), told="other ends") != []
        (found,) = await look_at_models(patient(provider="custom", url=url, model="old", transcription=None), told="")
        assert (found.status, "shut down on 2026-01-01" in found.text) == (Status.WARNING, True)
        assert await look_at_models(patient(provider="custom", url=url), told="") == []
