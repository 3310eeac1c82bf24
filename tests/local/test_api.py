import json
from typing import Any

import pytest

from tests.fakes.schema import assert_body_published
from voice_node.local.access import Access
from voice_node.local.api import CLIENT_SECRETS, MODELS, SESSIONS, TRANSCRIPTION_SESSIONS, Api
from voice_node.local.client_secrets import ClientSecrets
from voice_node.local.refusal import Refused

KEY = [("Authorization", "Bearer key")]


class Desk:
    """An Api with what it minted."""

    def __init__(self) -> None:
        self.secrets = ClientSecrets()
        self.api = Api(Access("key", self.secrets), self.secrets)

    def post(self, path: str, body: Any, now: float = 1000.0) -> dict[str, Any]:
        status, answer = self.api.answer("POST", path, KEY, json.dumps(body).encode(), now)
        assert status == 200
        return answer


def refusal(path: str, body: bytes = b"{}", method: str = "POST", headers: list[tuple[str, str]] = KEY) -> Refused:
    with pytest.raises(Refused) as refused:
        Desk().api.answer(method, path, headers, body, 0)
    return refused.value


def test_a_client_secret_keeps_its_session() -> None:
    desk = Desk()
    session = {
        "type": "realtime",
        "model": "gpt-realtime",
        "instructions": "Be brief.",
        "audio": {"output": {"speed": 1.5}},
    }
    request = {"expires_after": {"anchor": "created_at", "seconds": 10}, "session": session}
    assert_body_published("ga.http.ClientSecretCreateParams", request)
    answer = desk.post(CLIENT_SECRETS, request)
    assert_body_published("ga.http.ClientSecretCreateResponse", answer)
    assert answer["expires_at"] == 1010
    secret = desk.secrets.find(answer["value"], 1009)
    assert secret is not None
    assert secret.session == answer["session"]
    assert answer["session"]["model"] == "gpt-realtime"
    assert answer["session"]["audio"]["output"]["speed"] == 1.5
    assert answer["session"]["audio"]["input"]["turn_detection"]["type"] == "server_vad"


def test_nothing_need_be_said() -> None:
    for body in ({}, {"expires_after": None}):
        answer = Desk().post(f"{CLIENT_SECRETS}/?x=y", body)
        assert (answer["expires_at"], answer["session"]["type"]) == (1600, "realtime")
    assert Desk().api.answer("POST", CLIENT_SECRETS, KEY, b"", 0)[0] == 200


def test_a_session_may_be_of_transcription() -> None:
    answer = Desk().post(CLIENT_SECRETS, {"session": {"type": "transcription"}})
    assert_body_published("ga.http.ClientSecretCreateResponse", answer)
    assert answer["session"]["type"] == "transcription"


def test_a_session_of_the_beta_dialect() -> None:
    desk = Desk()
    request = {"voice": "alloy", "temperature": 0.7, "client_secret": {"expires_after": {"anchor": "created_at"}}}
    assert_body_published("beta.http.SessionCreateParams", request)
    answer = desk.post(SESSIONS, request)
    assert_body_published("beta.http.SessionCreateResponse", answer)
    assert (answer["voice"], answer["temperature"]) == ("alloy", 0.7)
    assert answer["client_secret"]["expires_at"] == 1060
    secret = desk.secrets.find(answer["client_secret"]["value"], 1000)
    assert secret is not None
    assert secret.session["audio"]["output"]["voice"] == "alloy"


def test_a_transcription_session_of_the_beta_dialect() -> None:
    desk = Desk()
    answer = desk.post(TRANSCRIPTION_SESSIONS, {"input_audio_transcription": {"model": "whisper-1"}})
    assert answer["input_audio_transcription"] == {"model": "whisper-1"}
    secret = desk.secrets.find(answer["client_secret"]["value"], 1000)
    assert secret is not None
    assert secret.session["type"] == "transcription"


def test_azure_s_paths_are_known() -> None:
    assert Desk().post(f"/openai{CLIENT_SECRETS}", {})["value"].startswith("ek_")


def test_there_is_one_model() -> None:
    status, answer = Desk().api.answer("GET", MODELS, KEY, b"", 0)
    assert (status, [model["id"] for model in answer["data"]]) == (200, ["local"])


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("POST", "/v1/chat/completions", 404), ("GET", "/", 404), ("GET", SESSIONS, 405), ("DELETE", MODELS, 405)],
)
def test_there_is_nothing_else(method: str, path: str, status: int) -> None:
    assert refusal(path, method=method).status == status


@pytest.mark.parametrize("path", [CLIENT_SECRETS, SESSIONS])
def test_who_has_no_key_gets_nothing(path: str) -> None:
    assert refusal(path, headers=[]).status == 401
    desk = Desk()
    headers = [("api-key", desk.post(CLIENT_SECRETS, {})["value"])]
    with pytest.raises(Refused):
        desk.api.answer("POST", path, headers, b"{}", 1000)


@pytest.mark.parametrize(
    ("path", "body", "param"),
    [
        (CLIENT_SECRETS, {"x": 1}, "x"),
        (CLIENT_SECRETS, {"session": []}, "session"),
        (CLIENT_SECRETS, {"session": None}, "session"),
        (CLIENT_SECRETS, {"session": {}}, "session.type"),
        (CLIENT_SECRETS, {"session": {"type": ["realtime"]}}, "session.type"),
        (CLIENT_SECRETS, {"session": {"type": "realtime", "model": 5}}, "session.model"),
        (CLIENT_SECRETS, {"session": {"type": "realtime", "model": "m" * 129}}, "session.model"),
        (CLIENT_SECRETS, {"session": {"type": "transcription", "model": "m"}}, "session.model"),
        (CLIENT_SECRETS, {"session": {"type": "realtime", "temperature": 1}}, "session.temperature"),
        (CLIENT_SECRETS, {"expires_after": 5}, "expires_after"),
        (CLIENT_SECRETS, {"expires_after": {"anchor": "now"}}, "expires_after.anchor"),
        (CLIENT_SECRETS, {"expires_after": {"seconds": 9}}, "expires_after.seconds"),
        (CLIENT_SECRETS, {"expires_after": {"seconds": 7201}}, "expires_after.seconds"),
        (CLIENT_SECRETS, {"expires_after": {"seconds": True}}, "expires_after.seconds"),
        (SESSIONS, {"session": {}}, "session"),
        (SESSIONS, {"client_secret": 5}, "client_secret"),
        (SESSIONS, {"client_secret": {"expires_after": {"seconds": "60"}}}, "client_secret.expires_after.seconds"),
        (SESSIONS, {"turn_detection": {"type": "server_vad", "threshold": 2}}, "turn_detection.threshold"),
        (TRANSCRIPTION_SESSIONS, {"voice": "alloy"}, "voice"),
    ],
)
def test_what_cannot_be_is_refused_with_its_place(path: str, body: Any, param: str) -> None:
    refused = refusal(path, json.dumps(body).encode())
    assert (refused.param, refused.status) == (param, 400)


@pytest.mark.parametrize("body", [b"{", b"[]", b"\xff", b'{"session": ' + b"[" * 5000, "{}".encode("utf-16")])
def test_what_is_no_json_object_is_refused(body: bytes) -> None:
    assert refusal(CLIENT_SECRETS, body).status == 400
