"""One room as Home Assistant finds it: a device with its entities and triggers, in one document.

Home Assistant's names and rules: https://www.home-assistant.io/integrations/mqtt/#device-discovery-payload. Every
component has a key that never changes, and its unique id is made of it: what a person renames, hides or puts on a
dashboard stays so over every restart and update.

What was measured against Home Assistant 2025.4 and 2026.11 and is not written there: an unknown key in a component is
ignored without a word; a state of more than 255 characters is refused; a text may ask for 255 at most.
"""

from typing import Any

from voice_node.model.report import EventType, NodeState
from voice_node.mqtt.topics import Topics
from voice_node.settings.mcp import RemoteTool
from voice_node.settings.schema import RoomSettings
from voice_node.settings.tunable import span

_LONGEST_STATE = 255
_PRESS = "{}"
"""A request without fields."""
_TEXT = '{{ {"text": value} | to_json }}'
"""Written as JSON: a text that begins with a brace is no command of its own then."""
_DIAGNOSTIC = {"entity_category": "diagnostic"}
_TUNING = {"entity_category": "config"}

Component = dict[str, Any]


def document(settings: RoomSettings, topics: Topics, version: str) -> dict[str, Any]:
    """What is published on `topics.discovery`; `components` maps each component's key to its content."""
    identity = f"{topics.base}_{topics.room}"
    components = _entities(settings, topics)
    for key, component in components.items():
        component["unique_id"] = f"{identity}_{key}"
        component["default_entity_id"] = f"{component['platform']}.{identity}_{key}"
    name = settings.display_name
    return {
        "device": {
            "identifiers": [identity],
            "name": f"{name} voice",
            "manufacturer": "voice_node",
            "model": "Voice node",
            "sw_version": version,
            "suggested_area": name,
        },
        "origin": {"name": "voice_node", "sw_version": version},
        "availability_topic": topics.availability,
        "qos": 1,
        "components": components | _triggers(settings, topics),
    }


def _entities(settings: RoomSettings, topics: Topics) -> dict[str, Component]:
    entities = _sensors(topics) | _switches(topics) | _numbers(topics)
    if settings.activation.mode == "wake_word":
        entities["wake_word"] = {
            "platform": "select",
            "name": "Wake word",
            **_setting("wake_word", topics),
            "options": list(settings.activation.wake_word_choices),
            "icon": "mdi:account-voice",
        }
    return entities


def _sensors(topics: Topics) -> dict[str, Component]:
    return {
        "voice_event": {
            "platform": "event",
            "name": "Voice event",
            "state_topic": topics.event,
            "event_types": [str(event_type) for event_type in EventType],
            "icon": "mdi:account-voice",
        },
        "state": {
            "platform": "sensor",
            "name": "State",
            "state_topic": topics.state,
            "value_template": "{{ value_json.state }}",
            "json_attributes_topic": topics.state,
            "json_attributes_template": '{{ {"since": value_json.since} | to_json }}',
            "device_class": "enum",
            "options": [str(state) for state in NodeState],
            "icon": "mdi:state-machine",
        },
        "last_transcript": _last_words("Last transcript", topics.last_words("user"), "mdi:ear-hearing"),
        "last_response": _last_words("Last response", topics.last_words("assistant"), "mdi:message-text"),
        "cost_today": {
            "platform": "sensor",
            "name": "Cost today",
            "state_topic": topics.usage,
            "value_template": "{{ value_json.usd }}",
            "json_attributes_topic": topics.usage,
            "device_class": "monetary",
            "unit_of_measurement": "USD",
            "state_class": "total",
            "last_reset_value_template": "{{ (value_json.date ~ 'T00:00:00') | as_datetime | as_local }}",
            "suggested_display_precision": 3,
            **_DIAGNOSTIC,
        },
        "tokens_today": {
            "platform": "sensor",
            "name": "Tokens today",
            "state_topic": topics.usage,
            # What was cached is counted among its class already.
            "value_template": "{% set i, o = value_json.input_tokens, value_json.output_tokens %}"
            "{{ i.text + i.audio + i.image + o.text + o.audio + o.image }}",
            "unit_of_measurement": "tokens",
            "state_class": "total_increasing",
            "icon": "mdi:counter",
            **_DIAGNOSTIC,
        },
        "session": {
            "platform": "sensor",
            "name": "Session",
            "state_topic": topics.info,
            "value_template": "{% set model = '' if value_json.provider == 'local' else ' ' ~ value_json.model %}"
            f"{{{{ (value_json.provider ~ model)[:{_LONGEST_STATE}] }}}}",
            "json_attributes_topic": topics.info,
            "icon": "mdi:cloud-outline",
            **_DIAGNOSTIC,
        },
        "speech": {
            "platform": "binary_sensor",
            "name": "Speech",
            "state_topic": topics.speech,
            "device_class": "sound",
        },
        "problem": {
            "platform": "binary_sensor",
            "name": "Problem",
            "state_topic": topics.state,
            "value_template": "{{ 'ON' if value_json.state in ['offline', 'over_budget'] else 'OFF' }}",
            "device_class": "problem",
            **_DIAGNOSTIC,
        },
        "connected": {
            "platform": "binary_sensor",
            "name": "Connected",
            "state_topic": topics.availability,
            "payload_on": "online",
            "payload_off": "offline",
            # Off is what it has to say of a node that is away, so it must not become unavailable with it.
            "availability_template": "online",
            "device_class": "connectivity",
            **_DIAGNOSTIC,
        },
    }


def _last_words(name: str, topic: str, icon: str) -> Component:
    return {
        "platform": "sensor",
        "name": name,
        "state_topic": topic,
        "value_template": f"{{{{ value_json.text[:{_LONGEST_STATE}] if value_json is defined }}}}",
        "json_attributes_topic": topic,
        "json_attributes_template": "{{ (value_json if value_json is defined else {}) | to_json }}",
        "icon": icon,
    }


def _switches(topics: Topics) -> dict[str, Component]:
    def button(name: str, request: str, icon: str, **more: str) -> Component:
        place = {"command_topic": topics.request(request), "payload_press": _PRESS}
        return {"platform": "button", "name": name, **place, "icon": icon, **more}

    return {
        "mute": {"platform": "switch", "name": "Mute", **_setting("mute", topics), "icon": "mdi:microphone-off"},
        "listen": button("Listen", "listen", "mdi:microphone"),
        "stop": button("Stop", "stop", "mdi:stop"),
        "new_conversation": button("New conversation", "reset", "mdi:message-plus"),
        "restart_session": button("Restart session", "reload", "mdi:restart", **_DIAGNOSTIC),
        "say": {
            "platform": "notify",
            "name": "Say",
            "command_topic": topics.request("say"),
            "command_template": _TEXT,
            "icon": "mdi:bullhorn",
        },
        "ask": {
            "platform": "text",
            "name": "Ask",
            "command_topic": topics.request("ask"),
            "command_template": _TEXT,
            "min": 1,
            "max": _LONGEST_STATE,
            "icon": "mdi:chat-question",
        },
    }


def _numbers(topics: Topics) -> dict[str, Component]:
    def number(name: str, setting: str, step: float, unit: str, **more: str) -> Component:
        wanted = span(setting)
        limits = {"min": wanted.lowest if wanted.is_lowest_allowed else step, "max": wanted.highest, "step": step}
        place = {**_setting(setting, topics), **limits, "unit_of_measurement": unit}
        return {"platform": "number", "name": name, **place, "mode": "box", **more}

    return {
        "volume": {
            **number("Volume", "volume", 1, "%"),
            "mode": "slider",
            "icon": "mdi:volume-high",
        },
        "gate_snr": number("Gate SNR", "gate_snr_db", 0.5, "dB", icon="mdi:signal", **_TUNING),
        "hang_over": number("Hang-over", "hang_over_ms", 50, "ms", icon="mdi:timer-outline", **_TUNING),
        "follow_up_window": number("Follow-up window", "follow_up_ms", 500, "ms", icon="mdi:timer-sand", **_TUNING),
        "daily_budget": number("Daily budget", "budget_usd", 0.01, "USD", icon="mdi:cash", **_TUNING),
    }


def _setting(name: str, topics: Topics) -> Component:
    return {"state_topic": topics.setting_state(name), "command_topic": topics.setting_set(name)}


def _triggers(settings: RoomSettings, topics: Topics) -> dict[str, Component]:
    def trigger(kind: str, subtype: str, topic: str) -> Component:
        names = {"platform": "device_automation", "automation_type": "trigger", "type": kind, "subtype": subtype}
        return {**names, "topic": topic}

    triggers = {
        "trigger_wake": trigger("wake", "wake_word", topics.event)
        | {"value_template": "{{ value_json.event_type }}", "payload": str(EventType.WAKE)}
    }
    for tool in settings.tools:
        if isinstance(tool, RemoteTool) or tool.publish is not None:
            continue  # its server or its device does it; nothing comes on its topic
        triggers[f"tool_call_{tool.name}"] = trigger("tool_call", tool.name, topics.call(tool.name))
    return triggers
