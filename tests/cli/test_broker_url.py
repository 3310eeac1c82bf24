import pytest

from voice_node.cli.broker_url import broker_at
from voice_node.model.errors import ConfigError
from voice_node.settings.schema import MqttSettings, TlsSettings


@pytest.mark.parametrize(
    ("url", "host", "port", "username"),
    [
        ("mqtt://192.168.1.10", "192.168.1.10", 1883, None),
        ("broker.lan", "broker.lan", 1883, None),
        ("broker.lan:1884", "broker.lan", 1884, None),
        ("mqtt://homeassistant@broker.lan:1884", "broker.lan", 1884, "homeassistant"),
        ("mqtt://[fe80::1]:1884", "fe80::1", 1884, None),
        ("mqtts://broker.lan", "broker.lan", 8883, None),
    ],
)
def test_an_address(url: str, host: str, port: int, username: str | None) -> None:
    settings = broker_at(url, MqttSettings())
    assert (settings.host, settings.port, settings.username) == (host, port, username)


def test_tls_is_asked_for_by_the_scheme_and_keeps_the_certificates() -> None:
    with_files = MqttSettings(tls=TlsSettings(ca="/ca.pem"))
    assert broker_at("mqtts://broker.lan", with_files).tls == TlsSettings(ca="/ca.pem")
    assert broker_at("mqtts://broker.lan", MqttSettings()).tls == TlsSettings()
    assert broker_at("mqtt://broker.lan", with_files).tls is None


@pytest.mark.parametrize("url", ["http://broker.lan", "mqtt://", "mqtt://broker.lan:0", "mqtt://broker.lan:99999"])
def test_what_is_no_address_is_said_to_be_none(url: str) -> None:
    with pytest.raises(ConfigError, match="is no address such as"):
        broker_at(url, MqttSettings())


def test_a_password_in_it_is_not_taken_and_not_repeated() -> None:
    with pytest.raises(ConfigError, match="MQTT_PASSWORD") as caught:
        broker_at("mqtt://home:canary@broker.lan", MqttSettings())
    assert "canary" not in str(caught.value)
