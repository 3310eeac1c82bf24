"""Why there is no broker, told apart in plain words: a password, a certificate, a client id that is in use twice."""

from pathlib import Path

import pytest

from tests.fakes import broker as fake
from tests.fakes import certificates
from tests.fakes.broker import Broker
from tests.fakes.certificates import Authority
from tests.mqtt.node import node
from voice_node.model.command import BrokerChanged
from voice_node.settings.schema import TlsSettings

pytestmark = [
    pytest.mark.skipif(bool(fake.ABSENT), reason=fake.ABSENT),
    pytest.mark.parametrize("protocol", [5, 3]),
]


@pytest.mark.parametrize(("username", "password"), [("me", "wrong"), ("me", None), (None, None), ("nobody", "right")])
async def test_a_wrong_password(username: str | None, password: str | None, protocol: int) -> None:
    with Broker(users={"me": "right"}) as broker:
        async with node(broker.port, password, username=username, is_online=False, protocol=protocol) as (_, told):
            change = await told.next(BrokerChanged)
    assert change.is_refused
    assert "mqtt.username and the password" in change.detail


async def test_a_client_id_that_is_in_use_twice(protocol: int) -> None:
    with Broker() as broker:
        async with (
            node(broker.port, protocol=protocol, client_id="same") as (_, told),
            node(broker.port, protocol=protocol, client_id="same"),
        ):
            change = await told.offline()
    assert not change.is_refused
    assert "another client" in change.detail
    assert "same" in change.detail


@pytest.mark.skipif(bool(certificates.ABSENT), reason=certificates.ABSENT)
async def test_a_bad_certificate_on_either_side(tmp_path: Path, protocol: int) -> None:
    home, stranger = Authority(tmp_path, "home"), Authority(tmp_path, "stranger")
    own, foreign = home.sign("broker", "DNS:localhost"), stranger.sign("client")
    ca = str(home.path)
    with Broker(tls=(home.path, own.path, own.key), config=("require_certificate true",)) as broker:
        for tls, words in (
            (TlsSettings(ca=str(stranger.path)), "the broker's certificate is signed by an authority"),
            (TlsSettings(ca=ca), "refuses this node's certificate: it wants one"),
            (
                TlsSettings(ca=ca, cert=str(foreign.path), key=str(foreign.key)),
                "refuses this node's certificate: the broker does not know who signed it",
            ),
        ):
            async with node(broker.port, tls=tls, host="localhost", is_online=False, protocol=protocol) as (_, told):
                change = await told.next(BrokerChanged)
            assert change.is_refused
            assert words in change.detail
            assert "password" not in change.detail
