"""`mqtt.host` is a host alone. What people write there besides: a URL, or the port behind a colon."""

import ipaddress
import re
from collections.abc import Iterator

from voice_node.settings.problem import Problem
from voice_node.settings.schema import RoomSettings

_NOT_IN_A_NAME = re.compile(r"[\s:/@\[\]?#]")


def check_broker_address(settings: RoomSettings) -> Iterator[Problem]:
    """Whether the broker's host can be one. The text does not repeat it: a URL may hold a password."""
    if not _is_address(settings.mqtt.host) and _NOT_IN_A_NAME.search(settings.mqtt.host):
        text = "must be a host name or address alone; the port goes to mqtt.port, the user to mqtt.username"
        yield Problem(("mqtt", "host"), text)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)  # IPv6 too, with its zone
    except ValueError:
        return False
    return True
