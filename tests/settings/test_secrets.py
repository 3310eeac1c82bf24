"""Secrets come from credentials and the environment alone, and nothing tells them."""

from pathlib import Path

import pytest

from voice_node.model.errors import ConfigError
from voice_node.settings.schema import RoomSettings
from voice_node.settings.secrets import (
    LARGEST_BYTES,
    Secrets,
    check_secrets,
    find_written_secrets,
    read_mcp_tokens,
    read_secrets,
)

CANARY = "sk-canary-canary-canary"


def told(secrets: Secrets) -> tuple[str | None, str | None]:
    """The values."""
    key, password = secrets.openai_api_key, secrets.mqtt_password
    return key.get_secret_value() if key else None, password.get_secret_value() if password else None


def room(**sections: object) -> RoomSettings:
    """Settings with these sections."""
    return RoomSettings.model_validate({"room": "a", **sections})


def test_nothing_is_given() -> None:
    assert told(read_secrets({})) == (None, None)
    assert told(read_secrets({"OPENAI_API_KEY": "", "MQTT_PASSWORD": "", "CREDENTIALS_DIRECTORY": ""})) == (None, None)


def test_credentials_come_before_the_environment(tmp_path: Path) -> None:
    environ = {"CREDENTIALS_DIRECTORY": str(tmp_path), "OPENAI_API_KEY": "from-env", "MQTT_PASSWORD": "pass from env"}
    assert told(read_secrets(environ)) == ("from-env", "pass from env")
    (tmp_path / "openai_api_key").write_bytes(b"from-file\n")
    (tmp_path / "mqtt_password").write_bytes(" pässword with blanks \r\n".encode())
    assert told(read_secrets(environ)) == ("from-file", " pässword with blanks ")


@pytest.mark.parametrize("content", [b"", b"\n", b" \r\n"])
def test_an_empty_credential_is_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "openai_api_key").write_bytes(content)
    assert told(read_secrets({"CREDENTIALS_DIRECTORY": str(tmp_path)})) == (None, None)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"sk-canary\nsk-canary\n", "has more than one line"),
        (b"sk-canary\rsk-canary", "has more than one line"),
        (b"sk-canary\xff", "is not UTF-8 text"),
        (b"sk-canary\0", "is not UTF-8 text"),
        (b"sk-canary " * LARGEST_BYTES, f"is larger than {LARGEST_BYTES} bytes"),
        (b"sk-canary sk-canary", "holds a space or a character that no API key has"),
        ("sk-canäry".encode(), "holds a space or a character that no API key has"),
    ],
)
def test_a_credential_that_cannot_be_used_is_named_without_its_content(
    tmp_path: Path, content: bytes, words: str
) -> None:
    path = tmp_path / "openai_api_key"
    path.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        read_secrets({"CREDENTIALS_DIRECTORY": str(tmp_path), "OPENAI_API_KEY": CANARY})
    assert str(caught.value).startswith(f"{path}: {words}: it must hold the ")
    assert "canary" not in str(caught.value)


def test_all_credentials_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    (tmp_path / "openai_api_key").mkdir()
    with pytest.raises(ConfigError) as caught:
        read_secrets({"CREDENTIALS_DIRECTORY": str(tmp_path), "MQTT_PASSWORD": "one\ntwo"})
    assert str(caught.value).split("\n") == [
        f"{tmp_path}/openai_api_key: is not a regular file: it must hold the secret on its only line",
        "environment variable MQTT_PASSWORD: has more than one line: it must hold the secret on its only line",
    ]


def test_a_folder_that_is_none_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="openai_api_key: cannot be read: Not a directory"):
        read_secrets({"CREDENTIALS_DIRECTORY": str(tmp_path / "file")})
    with pytest.raises(ConfigError, match="cannot be read: the path is not valid"):
        read_secrets({"CREDENTIALS_DIRECTORY": "a\0b"})


def test_a_variable_that_is_no_text_is_named() -> None:
    with pytest.raises(ConfigError, match="environment variable MQTT_PASSWORD: is not UTF-8 text"):
        read_secrets({"MQTT_PASSWORD": "\udcff"})


def test_nothing_shows_a_secret() -> None:
    secrets = read_secrets({"OPENAI_API_KEY": CANARY, "MQTT_PASSWORD": CANARY})
    assert "canary" not in f"{secrets} {secrets!r} {secrets.openai_api_key} {secrets.mqtt_password!r}"
    assert told(secrets) == (CANARY, CANARY)


@pytest.mark.parametrize("provider", ["openai", "azure", "xai"])
@pytest.mark.parametrize("auth", ["api_key", "client_secret"])
def test_a_cloud_needs_a_key(provider: str, auth: str) -> None:
    settings = room(session={"provider": provider, "auth": auth})
    assert check_secrets(settings, Secrets()) == [
        f"session.provider: {provider} needs an API key: give it in the file `credentials/NAME/openai_api_key` "
        "beside NAME.yaml or in the environment variable OPENAI_API_KEY"
    ]
    assert check_secrets(settings, read_secrets({"OPENAI_API_KEY": "k"})) == []


@pytest.mark.parametrize(
    "session", [{}, {"provider": "custom"}, {"provider": "openai", "auth": {"url": "http://home.example"}}]
)
def test_nobody_else_needs_a_key(session: dict[str, object]) -> None:
    assert check_secrets(room(session=session), Secrets()) == []


def test_a_user_name_needs_a_password() -> None:
    settings = room(mqtt={"username": "node"})
    assert check_secrets(settings, Secrets()) == [
        "mqtt.username: a user name needs its password: give it in the file `credentials/NAME/mqtt_password` "
        "beside NAME.yaml or in the environment variable MQTT_PASSWORD"
    ]
    assert check_secrets(settings, read_secrets({"MQTT_PASSWORD": "p"})) == []


@pytest.mark.parametrize(
    "values",
    [
        {"mqtt": {"password": "x"}},
        {"MQTT_PASSWORD": "x"},
        {"session": {"apiKey": "x"}},
        {"session": {"tracing": {"metadata": [{"token": "x"}]}}},
        {"session": {"model": "ek_0123456789abcdef"}},
        {"session": {"model": ["xai-0123456789abcdef"]}},
        {"session": {"instructions": "the key: (sk-proj-0123456789)"}},
        {"mqtt": {"tls": {"key": "-----BEGIN PRIVATE KEY-----"}}},
        {"name": "eyJhbGciOiJIUzI1NiIsInR5cCI6.eyJz"},
        {"sk-0123456789abcdef": None},
        {"tools": [{"publish": {"payload": {"user": {"secret": 5}}}}]},
    ],
)
def test_a_secret_in_the_room_file_is_found_once(values: dict[str, object]) -> None:
    assert len(list(find_written_secrets(values))) == 1


@pytest.mark.parametrize(
    "values",
    [
        {"session": {"max_output_tokens": 5, "auth": "client_secret", "truncation": {"token_limits": {}}}},
        {"mqtt": {"tls": {"key": "node.key"}}},
        {"tools": [{"parameters": {"properties": {"token": {"type": "string"}, "pass": {}}, "required": ["token"]}}]},
        {"tools": [{"name": "set_password", "publish": {"payload": {"token": "{token}", "secret": None}}}]},
        {"session": {"instructions": "We ask-you-to-be-kind-always. The risk-of-being-misunderstood-here."}},
    ],
)  # fmt: skip
def test_what_is_no_secret_is_left_alone(values: dict[str, object]) -> None:
    assert list(find_written_secrets(values)) == []


def test_the_token_of_an_mcp_server_has_its_name(tmp_path: Path) -> None:
    labels = ("My-News", "open", "other")
    tools = [{"type": "mcp", "server_label": label, "server_url": "https://example.org"} for label in labels]
    (tmp_path / "mcp_my_news").write_text("from-file\n")
    environ = {"CREDENTIALS_DIRECTORY": str(tmp_path), "MCP_MY_NEWS": "from-env", "MCP_OTHER": CANARY}
    tokens = read_mcp_tokens(environ, room(session={"tools": tools}))
    assert {label: token.get_secret_value() for label, token in tokens.items()} == {
        "My-News": "from-file",
        "other": CANARY,
    }
    assert CANARY not in repr(tokens)


def test_a_tool_that_asks_for_the_code_needs_one(tmp_path: Path) -> None:
    settings = room(tools=[{"name": "unlock", "description": "x", "confirm": "pin"}])
    assert check_secrets(settings, Secrets()) == [
        "tools[unlock].confirm: pin needs the code: give it in the file `credentials/NAME/pin` "
        "beside NAME.yaml or in the environment variable VOICE_NODE_PIN"
    ]
    assert check_secrets(settings, read_secrets({"VOICE_NODE_PIN": "4711"})) == []
    (tmp_path / "pin").write_text("123456\n")
    secrets = read_secrets({"VOICE_NODE_PIN": "4711", "CREDENTIALS_DIRECTORY": str(tmp_path)})
    assert secrets.pin is not None
    assert secrets.pin.get_secret_value() == "123456"
    assert "123456" not in repr(secrets)
    assert read_secrets({"PIN": "4711"}).pin is None


@pytest.mark.parametrize("code", ["123", "1234567890123", "12a4", "1 2 3 4", "\u0661\u0662\u0663\u0664"])
def test_a_code_is_4_to_12_digits(code: str) -> None:
    with pytest.raises(ConfigError, match="environment variable VOICE_NODE_PIN: must be 4 to 12 digits") as error:
        read_secrets({"VOICE_NODE_PIN": code})
    assert code not in str(error.value)
