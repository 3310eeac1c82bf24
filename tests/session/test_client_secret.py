"""Client secrets: what is asked for, with which key, and what comes of every answer."""

import asyncio
import json
import logging
import shutil
import socket
import ssl
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.http_server import Answer, Hangup, HttpServer, Silence
from tests.fakes.realtime_server import RealtimeServer, Refuse, Stay, greet
from tests.fakes.schema import assert_body_published
from tests.fakes.until import until
from tests.session.room import settings
from voice_node.model.errors import SessionRefused
from voice_node.model.moment import Moment
from voice_node.model.turn import LinkChanged, Outcome
from voice_node.runtime.pipe import Pipe
from voice_node.session.client_secret import ClientSecrets, Secret
from voice_node.session.connection import Connection
from voice_node.session.protocol import Input, Protocol
from voice_node.session.providers import Endpoint, endpoint
from voice_node.session.retry import Refusal, Retry
from voice_node.session.setup import session_beta, session_ga
from voice_node.settings.session import SessionSettings
from voice_node.settings.tools import Tool

KEY = "sk-canary-0123456789abcdef"
VALUE = "ek_canary_0123456789abcdef"
GOOD = Answer({"value": VALUE, "expires_at": 1_800_000_000, "session": {}})
TOOLS = (Tool(name="set_light", description="Switch a light."),)


def minting(port: int, key: str | None = KEY, **values: Any) -> tuple[ClientSecrets, SessionSettings]:
    section = settings(**{"url": f"ws://127.0.0.1:{port}/v1/realtime", "auth": "client_secret"} | values)
    return ClientSecrets(endpoint(section, key), section, TOOLS, key, patience_s=2), section


async def verdict_of(answer: Answer | Silence | Hangup) -> Secret | Retry | Refusal:
    async with HttpServer(answer) as server:
        return await minting(server.port)[0].mint()


async def test_it_asks_with_the_parameters_of_the_session() -> None:
    async with HttpServer(GOOD) as server:
        secrets, section = minting(server.port, model="gpt-realtime-2.1")
        assert await secrets.mint() == Secret(VALUE, 1_800_000_000)
    (asked,) = server.asked
    assert (asked.method, asked.path) == ("POST", "/v1/realtime/client_secrets")
    assert asked.headers["authorization"] == f"Bearer {KEY}"
    assert asked.headers["content-type"] == "application/json"
    assert_body_published("ga.http.ClientSecretCreateParams", asked.body)
    assert asked.body["session"] == {**session_ga(section, TOOLS), "model": "gpt-realtime-2.1"}
    assert asked.body["expires_after"] == {"anchor": "created_at", "seconds": 60}


async def test_a_session_of_transcription_has_no_model() -> None:
    async with HttpServer(GOOD) as server:
        secrets, _ = minting(server.port, type="transcription")
        await secrets.mint()
    assert_body_published("ga.http.ClientSecretCreateParams", server.asked[0].body)
    assert server.asked[0].body["session"]["type"] == "transcription"
    assert "model" not in server.asked[0].body["session"]


async def test_the_beta_dialect_asks_elsewhere() -> None:
    async with HttpServer(Answer({"client_secret": {"value": VALUE, "expires_at": 5}, "voice": "alloy"})) as server:
        secrets, section = minting(server.port, dialect="beta", model="gpt-realtime")
        assert await secrets.mint() == Secret(VALUE, 5)
    (asked,) = server.asked
    assert asked.path == "/v1/realtime/sessions"
    expires_after = {"anchor": "created_at", "seconds": 60}
    assert asked.body == {
        **session_beta(section, TOOLS),
        "model": "gpt-realtime",
        "client_secret": {"expires_after": expires_after},
    }


async def test_azure_has_its_own_path_and_header() -> None:
    async with HttpServer(GOOD) as server:
        secrets, _ = minting(server.port, provider="azure", url=f"http://127.0.0.1:{server.port}/openai/v1/realtime")
        place = await secrets.endpoint()
    (asked,) = server.asked
    assert asked.path == "/openai/v1/realtime/client_secrets"
    assert asked.headers["api-key"] == KEY
    assert isinstance(place, Endpoint)
    assert place.headers == {"Authorization": f"Bearer {VALUE}"}


@pytest.mark.parametrize("key", [None, KEY])
async def test_a_server_at_home_mints_for_a_node_without_a_key(key: str | None) -> None:
    async with HttpServer(GOOD) as server:
        home = f"http://127.0.0.1:{server.port}/mint?room=kitchen"
        secrets, _ = minting(1, key, provider="openai", url=None, auth={"url": home})
        place = await secrets.endpoint()
    (asked,) = server.asked
    assert asked.path == "/mint?room=kitchen"
    assert asked.headers.get("authorization") == (key and f"Bearer {key}")
    assert isinstance(place, Endpoint)
    assert place.url.startswith("wss://api.openai.com/v1/realtime?model=")
    assert place.headers == {"Authorization": f"Bearer {VALUE}"}


async def test_an_end_that_is_not_told_is_no_matter() -> None:
    assert await verdict_of(Answer({"value": VALUE})) == Secret(VALUE, None)


@pytest.mark.parametrize("status", [400, 401, 403, 404])
async def test_what_no_other_attempt_can_help(status: int) -> None:
    verdict = await verdict_of(Answer({"error": {"message": f"Incorrect API key: {KEY}"}}, status))
    assert isinstance(verdict, Refusal)
    assert str(status) in verdict.detail
    assert KEY not in verdict.detail


@pytest.mark.parametrize(
    ("answer", "at_least_s"),
    [
        (Answer({}, 429, {"Retry-After": "7"}), 7),
        (Answer({}, 429), 30),
        (Answer({}, 500), 0),
        (Answer({}, 503), 0),
        (Answer({}, 307, {"Location": "http://127.0.0.1:1/"}), 0),
        (Hangup(), 0),
        (Answer(b"not json"), 60),
        (Answer(b"[" * 100_000), 60),
        (Answer(b" " * 3_000_000), 60),
        (Answer([]), 60),
        (Answer({"value": ""}), 60),
        (Answer({"value": 5}), 60),
        (Answer({"value": "ek_1\r\nX-Evil: 1"}), 60),
        (Answer({"client_secret": {}}), 60),
    ],
)
async def test_what_is_tried_again(answer: Answer | Hangup, at_least_s: float) -> None:
    verdict = await verdict_of(answer)
    assert isinstance(verdict, Retry)
    assert verdict.at_least_s == at_least_s
    assert verdict.detail.startswith("no client secret: ")


async def test_a_service_that_never_answers() -> None:
    async with HttpServer(Silence()) as server:
        section = settings(url=f"ws://127.0.0.1:{server.port}/v1/realtime")
        verdict = await ClientSecrets(endpoint(section, KEY), section, (), KEY, patience_s=0.2).mint()
    assert verdict == Retry("no client secret: no answer within 0.2 s")


async def test_nobody_is_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    assert isinstance(await minting(port)[0].mint(), Retry)


@pytest.mark.parametrize("url", ["http://home:abc/", "http://[", "http://127.0.0.1:99999/", "http://:5/", "http://h:0"])
async def test_what_is_no_address(url: str) -> None:
    section = settings(auth={"url": url})
    assert isinstance(await ClientSecrets(endpoint(section, None), section, (), None).mint(), Refusal)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
async def test_a_certificate_that_is_not_trusted(tmp_path: Path) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    order = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    files = ["-keyout", str(key), "-out", str(certificate), "-days", "1", "-subj", "/CN=localhost"]
    await asyncio.to_thread(subprocess.run, [*order, *files], check=True, capture_output=True)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, key)
    async with HttpServer(tls=tls) as server:
        verdict = await minting(server.port, url=f"wss://127.0.0.1:{server.port}/v1/realtime")[0].mint()
    assert isinstance(verdict, Retry)
    assert "certificate is not trusted" in verdict.detail
    assert verdict.at_least_s == 60


async def test_no_key_and_no_secret_is_ever_shown(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with HttpServer(GOOD, Answer({}, 401)) as server:
        secrets, _ = minting(server.port)
        place = await secrets.endpoint()
        shown = [repr(place), repr(await secrets.mint()), repr(Secret(VALUE, 5)), repr(secrets), caplog.text]
    assert not any(secret in text for text in shown for secret in (KEY, VALUE))
    assert str(server.port) not in caplog.text


class Node:
    """A connection that gets its endpoints from `secrets`."""

    def __init__(self, secrets: ClientSecrets, section: SessionSettings) -> None:
        self.inputs: Pipe[Input] = Pipe(10)
        self.outcomes: list[Outcome] = []

        def clock() -> Moment:
            return Moment(asyncio.get_running_loop().time(), datetime.now(UTC))

        self.connection = Connection(
            Protocol(section, TOOLS), secrets.endpoint, clock, self.outcomes.append, lambda _piece: None
        )

    def links(self) -> list[bool]:
        return [outcome.is_up for outcome in self.outcomes if isinstance(outcome, LinkChanged)]


async def test_each_connection_has_a_secret_of_its_own() -> None:
    answers = [Answer({"value": f"ek_{number}"}) for number in range(3)]
    async with (
        HttpServer(answers[0], Answer({}, 503), *answers[1:]) as mint,
        RealtimeServer([Refuse(503)], [*greet(), Stay()]) as server,
    ):
        home = f"http://127.0.0.1:{mint.port}/"
        secrets, section = minting(1, None, url=server.url, auth={"url": home})
        node = Node(secrets, section)
        task = asyncio.create_task(node.connection.run(node.inputs))
        await until(lambda: node.links()[-1:] == [True])
        node.inputs.close()
        await asyncio.wait_for(task, 10)
        assert [request.headers["Authorization"] for request in server.requests] == ["Bearer ek_0", "Bearer ek_1"]
        assert len(mint.asked) == 3


async def test_a_refusal_to_mint_ends_the_session() -> None:
    async with HttpServer(Answer({}, 401)) as mint:
        node = Node(*minting(mint.port))
        with pytest.raises(ExceptionGroup) as group:
            await node.connection.run(node.inputs)
    assert group.group_contains(SessionRefused, match="no client secret: the service refuses the API key")


def test_who_does_not_mint_does_not_pay_for_httpx() -> None:
    code = "import json, sys, voice_node.app; print(json.dumps([name in sys.modules for name in ('httpx', 'h11')]))"
    out = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True).stdout
    assert json.loads(out) == [False, False]
