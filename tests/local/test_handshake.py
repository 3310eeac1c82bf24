import pytest

from voice_node.local.client_secrets import ClientSecret
from voice_node.local.handshake import check_secret, dialect_of, is_session, key_in, session_of
from voice_node.local.refusal import Refused
from voice_node.local.session import default_session


@pytest.mark.parametrize(
    ("target", "headers", "expected"),
    [
        ("/v1/realtime?model=m", [], "ga"),
        ("/v1/realtime", [("OpenAI-Beta", "assistants=v2, realtime=v1")], "beta"),
        ("/v1/realtime", [("OpenAI-Beta", "assistants=v2")], "ga"),
        ("/v1/realtime", [("Sec-WebSocket-Protocol", "realtime, openai-beta.realtime-v1")], "beta"),
        ("/v1/realtime", [("Sec-WebSocket-Protocol", "realtime")], "ga"),
        ("/openai/v1/realtime?model=m", [], "ga"),
        ("/openai/realtime?api-version=2025-04-01-preview&deployment=m", [], "beta"),
        ("/voice-live/realtime?api-version=2026-07-15&model=m", [], "beta"),
    ],
)
def test_a_client_says_its_dialect(target: str, headers: list[tuple[str, str]], expected: str) -> None:
    assert is_session(target)
    assert dialect_of(target, headers) == expected


def test_a_key_may_stand_in_the_address() -> None:
    assert key_in("/v1/realtime?model=m&api-key=a%2Bb") == [("api-key", "a+b")]
    assert key_in("/v1/realtime?api_key=k") == [("api-key", "k")]
    assert key_in("/v1/realtime?model=m") == []


def test_other_paths_are_no_sessions() -> None:
    assert not any(is_session(path) for path in ("/", "/v1/realtime/client_secrets", "/openai", "/v2/realtime"))


def test_the_session_is_what_the_url_or_the_secret_says() -> None:
    assert session_of("/v1/realtime?model=m", None, 5.5)["model"] == "m"
    assert session_of("/openai/realtime?deployment=d", None, 5.5)["model"] == "d"
    session = session_of("/v1/realtime?intent=transcription", None, 5.5)
    assert (session["type"], session["expires_at"]) == ("transcription", 5)
    secret = ClientSecret("ek_1", 9, default_session("", "realtime", "s"))
    session = session_of("/v1/realtime?model=m", secret, 5.5)
    assert session["model"] == "s"
    assert session["id"].startswith("sess_")


def test_a_secret_is_for_its_type() -> None:
    secret = ClientSecret("ek_1", 9, default_session("", "transcription", "s"))
    check_secret("/v1/realtime?intent=transcription", secret)
    check_secret("/v1/realtime", secret)
    check_secret("/v1/realtime?intent=realtime", None)
    with pytest.raises(Refused, match="transcription"):
        check_secret("/v1/realtime?intent=realtime", secret)
