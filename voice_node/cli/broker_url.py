"""A broker as people name it on the command line."""

from urllib.parse import urlsplit

from voice_node.model.errors import ConfigError
from voice_node.settings.schema import MqttSettings, TlsSettings


def broker_at(url: str, settings: MqttSettings) -> MqttSettings:
    """`settings` with the broker of `[mqtt://|mqtts://][USER@]HOST[:PORT]`; raises ConfigError.

    `mqtts` keeps the certificates of `settings`; where there are none, it trusts what this machine trusts.
    """
    place = urlsplit(url if "//" in url else f"mqtt://{url}")
    if place.password is not None:
        raise ConfigError(
            "--broker: others can read a password there: give it in the environment variable MQTT_PASSWORD"
        )
    is_secure = place.scheme == "mqtts"
    try:
        port = (8883 if is_secure else 1883) if place.port is None else place.port
    except ValueError:
        port = 0
    if place.scheme not in ("mqtt", "mqtts") or not place.hostname or not port:
        raise ConfigError(f"--broker: {url} is no address such as mqtt://192.168.1.10:1883")
    tls = (settings.tls or TlsSettings()) if is_secure else None
    changes = {"host": place.hostname, "port": port, "username": place.username, "tls": tls}
    return settings.model_copy(update=changes)
