from pathlib import Path

import pytest

from voice_node.cli.init_room_file import Answers, BrokerPlace, broker_place, language_code, room_file, room_id
from voice_node.model.errors import ConfigError
from voice_node.settings.load import load_room


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ("kitchen", "kitchen"),
        ("Living Room", "living_room"),
        (" Küche 2! ", "kuche_2"),
        ("a-b_c", "a-b_c"),
    ],
)
def test_what_people_call_a_room_becomes_its_id(said: str, found: str) -> None:
    assert room_id(said) == found


@pytest.mark.parametrize("said", ["", "!!!", "x" * 65])
def test_what_can_be_no_id_is_an_error(said: str) -> None:
    with pytest.raises(ConfigError, match="a room needs a name"):
        room_id(said)


@pytest.mark.parametrize("text", ["german", "", "de_DE", "en\n", "e"])
def test_what_is_no_code_of_a_language(text: str) -> None:
    with pytest.raises(ConfigError, match="is no code of a language"):
        language_code(text)
    assert language_code("pt-BR") == "pt-BR"


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("192.168.1.10", BrokerPlace("192.168.1.10")),
        ("broker.lan:1884", BrokerPlace("broker.lan", 1884)),
        ("mqtt://kitchen@broker.lan", BrokerPlace("broker.lan", 1883, "kitchen")),
        ("mqtts://broker.lan", BrokerPlace("broker.lan", 8883, None, is_tls=True)),
        ("mqtt://[::1]:1885/", BrokerPlace("::1", 1885)),
    ],
)
def test_addresses_of_brokers(text: str, place: BrokerPlace) -> None:
    assert broker_place(text) == place


@pytest.mark.parametrize("text", ["http://broker.lan", "mqtt://", "broker.lan:99999", "", "mqtt://a/b"])
def test_what_is_no_address_of_a_broker(text: str) -> None:
    with pytest.raises(ConfigError, match="is no address of a broker"):
        broker_place(text)


def test_a_password_in_an_address_is_refused_and_not_repeated() -> None:
    with pytest.raises(ConfigError, match="no place for a password") as refused:
        broker_place("mqtt://kitchen:canary@broker.lan")
    assert "canary" not in str(refused.value)


@pytest.mark.parametrize(
    "answers",
    [
        Answers("kitchen", "Kitchen"),
        Answers("null", "true", microphone=3, speaker="none"),
        Answers("k", 'The "big" room: #1 ☃', "de-AT", "USB: - 'x' # {a}", "\\ [b]"),
        Answers("k", "K", broker=BrokerPlace("::1", 1, "0x10 ", is_tls=True)),
        Answers("k", "K", provider="azure", url="https://a.example", model="my deployment"),
        Answers("k", "1e3", provider="openai"),
    ],
)
def test_every_answer_comes_back_as_it_was(tmp_path: Path, answers: Answers) -> None:
    path = tmp_path / "room.yaml"
    path.write_text(room_file(answers, path.name))
    room = load_room(path)
    settings = room.settings
    assert (settings.room, settings.name, settings.language) == (answers.room, answers.name, answers.language)
    assert (settings.capture.device, settings.playback.device) == (answers.microphone, answers.speaker)
    assert (settings.mqtt.host, settings.mqtt.port) == (answers.broker.host, answers.broker.port)
    assert settings.mqtt.username == answers.broker.username
    assert (settings.mqtt.tls is not None) is answers.broker.is_tls
    assert (settings.session.provider, settings.session.url) == (answers.provider, answers.url)
    if answers.model is not None:
        assert settings.session.model == answers.model
    assert [tool.name for tool in settings.tools] == ["set_light"]
    assert max(map(len, path.read_text().splitlines())) <= 120


def test_a_plain_room_has_no_quotes_and_no_warnings(tmp_path: Path) -> None:
    path = tmp_path / "kitchen.yaml"
    path.write_text(room_file(Answers("kitchen", "Living Room", broker=BrokerPlace("192.168.1.10")), path.name))
    assert load_room(path).warnings == ()
    head = path.read_text().partition("tools:")[0]
    assert '"' not in head
