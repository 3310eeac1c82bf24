import ssl
from pathlib import Path

import pytest

from tests.fakes import broker as fake
from tests.fakes import certificates
from tests.fakes.broker import Broker
from tests.fakes.certificates import Authority, Certificate
from tests.mqtt.node import TOPICS, Told, call, node
from voice_node.model.command import BrokerChanged
from voice_node.model.errors import ConfigError
from voice_node.mqtt.bridge import Bridge, Published
from voice_node.mqtt.tls import explain
from voice_node.settings.schema import MqttSettings, TlsSettings

pytestmark = pytest.mark.skipif(bool(fake.ABSENT or certificates.ABSENT), reason=fake.ABSENT or certificates.ABSENT)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("stranger"), "stranger")


@pytest.fixture(scope="module")
def certificate(home: Authority) -> Certificate:
    return home.sign("broker")


def broker_with(home: Authority, certificate: Certificate, *config: str) -> Broker:
    return Broker(tls=(home.path, certificate.path, certificate.key), config=config)


def trusting(home: Authority, own: Certificate | None = None) -> TlsSettings:
    if own is None:
        return TlsSettings(ca=str(home.path))
    return TlsSettings(ca=str(home.path), cert=str(own.path), key=str(own.key))


async def refusal(port: int, tls: TlsSettings | None, host: str = "127.0.0.1", protocol: int = 5) -> BrokerChanged:
    """What a node that cannot connect says; it trusted nobody that it should not have."""
    async with node(port, host=host, tls=tls, protocol=protocol, is_online=False) as (_, told):
        change = await told.next(BrokerChanged)
        assert not change.is_connected
        assert isinstance(told, Told)
        return change


@pytest.mark.parametrize("protocol", [5, 3])
async def test_with_the_home_s_own_authority_and_a_client_certificate(
    home: Authority, certificate: Certificate, protocol: int
) -> None:
    own = home.sign("kitchen")
    with broker_with(home, certificate, "require_certificate true") as broker:
        async with node(broker.port, tls=trusting(home, own), protocol=protocol) as (bridge, _):
            assert await bridge.publish(call()) in (Published.UNHEARD, Published.DELIVERED)


async def test_a_broker_that_cannot_be_trusted(home: Authority, stranger: Authority, certificate: Certificate) -> None:
    with broker_with(home, certificate) as broker:
        for tls in (trusting(stranger), TlsSettings()):
            change = await refusal(broker.port, tls)
            assert change.is_refused
            assert "signed by an authority that `mqtt.tls.ca` does not hold" in change.detail
        change = await refusal(broker.port, trusting(home), host="localhost")
        assert change.is_refused
        assert change.detail == "the broker's certificate is for another host than localhost"


async def test_a_broker_whose_certificate_has_expired(home: Authority) -> None:
    with broker_with(home, home.sign("old", days=-1)) as broker:
        change = await refusal(broker.port, trusting(home))
        assert change.is_refused
        assert change.detail == "the broker's certificate has expired, or this machine's clock is wrong"


@pytest.mark.parametrize("version", ["tlsv1.3", "tlsv1.2"])
async def test_a_client_certificate_that_the_broker_does_not_take(
    home: Authority, stranger: Authority, certificate: Certificate, version: str
) -> None:
    refused = {
        "it wants one": None,
        "it has expired": home.sign("expired", days=-1),
        "does not know who signed it": stranger.sign("foreign"),
    }
    with broker_with(home, certificate, "require_certificate true", f"tls_version {version}") as broker:
        for why, own in refused.items():
            change = await refusal(broker.port, trusting(home, own))
            assert change.is_refused, change.detail
            assert change.detail.startswith("the broker refuses this node's certificate: ")
            assert why in change.detail


async def test_plain_and_tls_do_not_meet(home: Authority, certificate: Certificate) -> None:
    with broker_with(home, certificate) as broker:
        assert "does this port want TLS?" in (await refusal(broker.port, None)).detail
    with Broker() as broker:
        assert "does it speak TLS at this port?" in (await refusal(broker.port, trusting(home))).detail


async def test_a_missing_certificate_file_is_a_configuration_error(tmp_path: Path) -> None:
    for tls in (TlsSettings(ca="missing.pem"), TlsSettings(cert="missing.pem", key="missing.key")):
        bridge = Bridge(MqttSettings(tls=tls), None, TOPICS, "id", tmp_path, lambda _: None)
        with pytest.raises(ConfigError, match=r"mqtt\.tls.*missing\.pem"):
            await bridge.start()
        await bridge.stop()


def test_other_failures_are_named_too() -> None:
    error = ssl.SSLError(1, "something")
    error.reason = "BAD_THING"
    assert explain(error, "broker") == ("cannot connect: TLS failed (BAD_THING)", False)
    error.reason = "WRONG_VERSION_NUMBER"
    assert explain(error, "broker")[1]
