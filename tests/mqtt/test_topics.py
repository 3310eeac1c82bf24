import pytest

from voice_node.mqtt.topics import Topics, is_publishable

TOPICS = Topics("voice_node", "kitchen")


def test_the_node_subscribes_to_what_the_contract_lists() -> None:
    assert TOPICS.subscriptions == (
        "voice_node/kitchen/tool/+/result",
        "voice_node/kitchen/request/+",
        "voice_node/kitchen/mute/set",
        "voice_node/kitchen/volume/set",
        "voice_node/kitchen/wake_word/set",
        "voice_node/kitchen/gate_snr_db/set",
        "voice_node/kitchen/hang_over_ms/set",
        "voice_node/kitchen/follow_up_ms/set",
        "voice_node/kitchen/budget_usd/set",
        "homeassistant/status",
    )


def test_a_room_that_shares_its_words_with_others_hears_their_claims() -> None:
    sharing = Topics("voice_node", "kitchen", is_arbitrated=True)
    assert set(sharing.subscriptions) - set(TOPICS.subscriptions) == {"voice_node/claim"}


def test_discovery_stands_under_its_own_prefix() -> None:
    topics = Topics("home", "attic", "Discovery")
    assert topics.discovery == "Discovery/device/home_attic/config"
    assert topics.home_assistant_status == "Discovery/status"


@pytest.mark.parametrize("level", ["", "a/b", "+", "#", "$SYS", "a\0", "a\n", "A", "ü", "a" * 65])
def test_a_level_holds_nothing_that_changes_a_topic(level: str) -> None:
    for make in (
        lambda: TOPICS.call(level),
        lambda: TOPICS.result(level),
        lambda: TOPICS.response(level),
        lambda: TOPICS.setting_state(level),
        lambda: Topics("base", level),
        lambda: Topics(level, "room"),
    ):
        with pytest.raises(ValueError, match="a level of a topic"):
            make()


def test_a_bad_discovery_prefix_is_refused() -> None:
    with pytest.raises(ValueError, match="discovery prefix"):
        Topics("base", "room", "home/assistant")


@pytest.mark.parametrize("topic", ["", "a/+", "a/#", "a\0b", "a\x1fb", "\ud800", "\uffff", "a" * 65_536])
def test_what_a_broker_would_break_off_for_is_not_publishable(topic: str) -> None:
    assert not is_publishable(topic)


@pytest.mark.parametrize(
    ("topic", "is_taken"),
    [
        ("voice_node/kitchen/response/stop/phone", True),
        ("voice_node/kitchen/answers", True),
        ("voice_node/bath/response/stop", False),
        ("lock/front/set", False),
        ("voice_node/kitchen/state", False),
        ("voice_node/kitchen/mute/set", False),
        ("voice_node/kitchen/tool/unlock/call", False),
        ("voice_node/kitchen/response/+", False),
        ("voice_node/kitchen", False),
        ("voice_node/kitchen/", False),
        ("voice_node/kitchen//x", False),
    ],
)
def test_replies_stay_below_the_room_and_off_the_contract(topic: str, is_taken: bool) -> None:
    assert TOPICS.takes_replies(topic) is is_taken


def test_devices_are_heard_on_the_topics_that_tools_expect() -> None:
    topics = Topics("voice_node", "kitchen", device_filters=("zigbee2mqtt/+", "tele/+/state"))
    assert topics.subscriptions[-2:] == ("zigbee2mqtt/+", "tele/+/state")
    heard = ("zigbee2mqtt/blind", "tele/lamp/state", "zigbee2mqtt/")
    assert all(map(topics.is_of_device, heard))
    unheard = ("zigbee2mqtt", "zigbee2mqtt/blind/set", "tele/lamp/power", "tele/state", "")
    assert not any(map(topics.is_of_device, unheard))
