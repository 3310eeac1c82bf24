import subprocess
from pathlib import Path

import pytest

from tests.fakes import broker as fake
from tests.fakes.broker import Broker
from tests.mqtt.node import TOPICS, call, node
from voice_node.model.command import BrokerChanged
from voice_node.model.errors import ConfigError
from voice_node.mqtt.bridge import Bridge, Published
from voice_node.settings.schema import MqttSettings, TlsSettings


@pytest.mark.skipif(bool(fake.ABSENT), reason=fake.ABSENT)
async def test_tls_needs_a_trusted_certificate_of_the_right_name(tmp_path: Path) -> None:
    authority, certificate, key = _certificates(tmp_path, "IP:127.0.0.1")
    with Broker(tls=(authority, certificate, key)) as broker:
        async with node(broker.port, tls=TlsSettings(ca=str(authority))) as (bridge, _):
            assert await bridge.publish(call()) is Published.UNHEARD
        async with node(broker.port, tls=TlsSettings(), is_online=False) as (_, told):
            change = await told.next(BrokerChanged)
            assert change.is_refused
            assert "certificate" in change.detail
        async with node(broker.port, host="localhost", tls=TlsSettings(ca=str(authority)), is_online=False) as (
            _,
            told,
        ):
            change = await told.next(BrokerChanged)
            assert change.is_refused
            assert "localhost" in change.detail


async def test_a_missing_certificate_file_is_a_configuration_error(tmp_path: Path) -> None:
    for tls in (TlsSettings(ca="missing.pem"), TlsSettings(cert="missing.pem", key="missing.key")):
        bridge = Bridge(MqttSettings(tls=tls), None, TOPICS, "id", tmp_path, lambda _: None)
        with pytest.raises(ConfigError, match=r"mqtt\.tls.*missing\.pem"):
            await bridge.start()
        await bridge.stop()


def _certificates(folder: Path, name: str) -> tuple[Path, Path, Path]:
    authority, certificate, key = folder / "ca.pem", folder / "broker.pem", folder / "broker.key"
    made_of = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-days",
        "2",
    ]
    subject = ["-subj", "/CN=broker", "-addext", f"subjectAltName={name}"]
    made_of += [*subject, "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(made_of, check=True, capture_output=True)
    authority.write_bytes(certificate.read_bytes())
    return authority, certificate, key
