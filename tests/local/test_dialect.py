from voice_node.local import wire
from voice_node.local.dialect import Ga
from voice_node.local.refusal import Refused


def test_ga_passes_as_it_is() -> None:
    event = wire.buffer_cleared()
    refused = Refused("invalid_value", "No.", "session.audio")
    assert Ga().read(event) is event
    assert Ga().write(event) is event
    assert Ga().refused(refused) is refused
