"""What `doctor` looks at on the service that listens and answers: a session is opened, configured and closed."""

import asyncio
import importlib.util
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from urllib.parse import urlsplit

from voice_node.building import steady_moment
from voice_node.cli.doctor_finding import Finding, Patient, Status, off_loop
from voice_node.local.voice import Voice
from voice_node.model.errors import NodeError, SessionRefused
from voice_node.model.turn import LinkChanged, Outcome
from voice_node.service import find_service
from voice_node.session.connection import Connection
from voice_node.session.models import Unlisted, list_models, troubles
from voice_node.session.protocol import Input, Protocol
from voice_node.session.providers import endpoint
from voice_node.settings.retired import find_retired
from voice_node.settings.secrets import read_mcp_tokens

ANSWER_S = 8.0
MODELS_S = 4.0
_ENGINE = ("hassil", "pocketsphinx")


async def check_engine(patient: Patient) -> list[Finding]:
    """What the offline engine needs, where it is the provider."""
    settings = patient.settings
    if settings.session.provider != "local":
        return []
    missing = [name for name in _ENGINE if importlib.util.find_spec(name) is None]
    if missing:
        text = f"the offline engine lacks {' and '.join(missing)}"
        return [Finding("offline engine", Status.FAULT, text, "Install it: pip install 'voice-node[local]'")]
    if not Voice(settings.language).is_available:
        text = "espeak-ng is not installed: it understands, and answers in writing only"
        return [Finding("offline engine", Status.WARNING, text, "`sudo apt-get install espeak-ng`")]
    if settings.language.partition("-")[0].lower() != "en":
        text = f"it hears English alone, and this room speaks {settings.language}"
        return [Finding("offline engine", Status.WARNING, text, "Another provider, or words typed over MQTT.")]
    if not any(tool.sentences for tool in settings.tools):
        text = "no tool of this room has `sentences`: it understands nothing"
        return [Finding("offline engine", Status.WARNING, text, "See config/rooms/kitchen.yaml.")]
    return [Finding("offline engine", Status.OK, "recogniser and espeak-ng are there")]


async def check_session(patient: Patient) -> list[Finding]:
    """Name, handshake, key, model and configuration, as the room itself would go about it."""
    settings, secrets = patient.settings, patient.secrets
    session = settings.session
    cloud = session.provider in ("openai", "azure", "xai") and session.auth in ("api_key", "client_secret")
    if cloud and secrets.openai_api_key is None:
        return []  # that is told as a missing secret
    findings = [_retired(problem.text) for problem in find_retired(settings, datetime.now(UTC).date())]
    host = "" if session.provider == "local" else urlsplit(endpoint(session, None).url).hostname or ""
    if host and not await off_loop(lambda: _resolves(host)):
        advice = "Is there internet (`ping 1.1.1.1`), and a name server (`getent hosts " + host + "`)? Or is it a slip?"
        return [*findings, Finding("service", Status.FAULT, f"{host} cannot be looked up", advice)]
    service = await _open(patient, host or "the offline engine")
    findings.append(service)
    if service.status is Status.OK and session.provider != "local":
        findings += await look_at_models(patient, told=" ".join(finding.text for finding in findings[:-1]))
    return findings


async def look_at_models(patient: Patient, told: str) -> list[Finding]:
    """What the service's own list says of the room's models, where the table has not told it."""
    key = patient.secrets.openai_api_key
    session = patient.settings.session
    models = await list_models(session, None if key is None else key.get_secret_value(), patience_s=MODELS_S)
    if isinstance(models, Unlisted) or not models:
        return []  # the session opened all the same
    named = [session.model, *([] if session.transcription is None else [session.transcription.model])]
    found = [
        text
        for text in troubles(session, models, datetime.now(UTC).date())
        if not any(name in told and name in text for name in named)
    ]
    if not found:
        return [Finding("models", Status.OK, f"the service lists {len(models)}, those of this room among them")]
    return [Finding("models", Status.WARNING, text, "Change it in the room file.") for text in found]


def _resolves(host: str) -> bool:
    try:
        return bool(socket.getaddrinfo(host, None))
    except (OSError, UnicodeError):
        return False


def _retired(text: str) -> Finding:
    status = Status.FAULT if "was shut down" in text else Status.WARNING
    return Finding("model", status, text, "Change it in the room file.")


async def _open(patient: Patient, place: str) -> Finding:
    settings = patient.settings
    tokens = read_mcp_tokens(patient.environ, settings)
    authorizations = {label: token.get_secret_value() for label, token in tokens.items()}
    told: asyncio.Queue[LinkChanged] = asyncio.Queue()

    def tell(outcome: Outcome) -> None:
        if isinstance(outcome, LinkChanged):
            told.put_nowait(outcome)

    async with AsyncExitStack() as stack:
        try:
            ask = await find_service(settings, patient.secrets, stack)
        except (NodeError, ModuleNotFoundError) as error:
            return Finding("service", Status.FAULT, f"{place}: {error}", "Install it: pip install 'voice-node[local]'")
        protocol = Protocol(settings.session, settings.tools, authorizations)
        connection = Connection(protocol, ask, steady_moment, tell, lambda _: None)
        life = asyncio.create_task(connection.run(_nothing()))
        news = asyncio.create_task(told.get())
        try:
            await asyncio.wait((life, news), timeout=ANSWER_S, return_when=asyncio.FIRST_COMPLETED)
            what = place if settings.session.provider == "local" else f"{place}, {settings.session.model}"
            return _verdict(what, news, life)
        finally:
            for task in (life, news):
                task.cancel()
            await asyncio.gather(life, news, return_exceptions=True)


async def _nothing() -> AsyncIterator[Input]:
    """A room in which nothing is ever said."""
    await asyncio.Event().wait()
    yield  # type: ignore[misc]  # never reached; it makes this an iterator


def _verdict(place: str, news: "asyncio.Task[LinkChanged]", life: "asyncio.Task[None]") -> Finding:
    if life.done() and not life.cancelled() and (error := life.exception()) is not None:
        refusals = error.split(SessionRefused)[0] if isinstance(error, BaseExceptionGroup) else None
        if refusals is None:
            raise error
        said = str(_first(refusals))
        return Finding("service", Status.FAULT, f"{place}: {said}", "Look at the key, session.url and session.model.")
    if not news.done():
        text = f"{place}: no session within {ANSWER_S:.0f} s"
        return Finding("service", Status.FAULT, text, "Is there internet? Does the service have a fault today?")
    link = news.result()
    if not link.is_up:
        return Finding("service", Status.FAULT, f"{place}: {link.detail}", "Look at session.url and the network.")
    text = f"{place}: a session opened and took the room's settings within {link.open_ms} ms"
    return Finding("service", Status.OK, text)


def _first(group: BaseExceptionGroup[SessionRefused]) -> SessionRefused:
    first = group.exceptions[0]
    return _first(first) if isinstance(first, BaseExceptionGroup) else first
