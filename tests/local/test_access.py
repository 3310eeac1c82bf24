import pytest

from voice_node.local.access import Access, Headers
from voice_node.local.client_secrets import ClientSecrets
from voice_node.local.refusal import Refused

PROTOCOLS = "realtime, openai-insecure-api-key.{}"
SESSION = {"type": "realtime"}


def offered(value: str) -> list[Headers]:
    """A credential in all the ways in which clients give it."""
    return [
        [("Authorization", f"Bearer {value}")],
        [("api-key", value)],
        [("Sec-WebSocket-Protocol", PROTOCOLS.format(value))],
        [("authorization", "Bearer other"), ("API-KEY", value)],
    ]


def refused(access: Access, headers: Headers, now: float = 0) -> int:
    with pytest.raises(Refused) as refusal:
        access.open_session(headers, now)
    return refusal.value.status


@pytest.mark.parametrize("headers", offered("key"))
def test_the_key_opens_everything(headers: Headers) -> None:
    access = Access("key", ClientSecrets())
    assert access.open_session(headers, 0) is None
    access.use_key(headers)


@pytest.mark.parametrize("headers", [[], *offered("wrong"), *offered("schlüssel"), [("Origin", "http://localhost")]])
def test_without_it_nothing_is_open(headers: Headers) -> None:
    access = Access("key", ClientSecrets())
    assert refused(access, headers) == 401
    with pytest.raises(Refused):
        access.use_key(headers)


@pytest.mark.parametrize("api_key", ["key", None])
@pytest.mark.parametrize("way", range(4))
def test_a_client_secret_opens_sessions_and_nothing_else(way: int, api_key: str | None) -> None:
    secrets = ClientSecrets()
    access = Access(api_key, secrets)
    secret = secrets.mint(SESSION, 10, 0)
    headers = offered(secret.value)[way]
    assert access.open_session(headers, 5) is secret
    with pytest.raises(Refused) as refusal:
        access.use_key(headers)
    assert refusal.value.status == 401
    assert refused(access, headers, 10) == 401


def test_without_a_key_programs_are_let_in_and_foreign_web_pages_are_not() -> None:
    access = Access(None, ClientSecrets())
    near: list[Headers] = [[], [("Authorization", "Bearer any")], [("Origin", "http://localhost:3000")]]
    far = ("https://example.org", "null", "http://[", "")
    for headers in near:
        assert access.open_session(headers, 0) is None
        access.use_key(headers)
    for origin in far:
        assert refused(access, [("Origin", origin)]) == 403
        with pytest.raises(Refused):
            access.use_key([("Origin", origin)])
