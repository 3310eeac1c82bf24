from typing import Any

import pytest

from voice_node.local.conversation import MOST_ITEMS, MOST_TEXT, Conversation, Item, message, read_item
from voice_node.local.dialogue import Called, CameBack, EngineSaid, UserSaid
from voice_node.local.refusal import Refused


def text_item(item_id: str, text: str = "hi", role: str = "user") -> Item:
    kind = "output_text" if role == "assistant" else "input_text"
    return read_item({"id": item_id, "type": "message", "role": role, "content": [{"type": kind, "text": text}]})


def test_items_have_their_order() -> None:
    conversation = Conversation()
    assert conversation.add(text_item("b")) is None
    assert conversation.add(text_item("d")) == "b"
    assert conversation.add(text_item("c"), "b") == "b"
    assert conversation.add(text_item("a"), "root") is None
    with pytest.raises(Refused):
        conversation.add(text_item("e"), "nowhere")
    with pytest.raises(Refused):
        conversation.add(text_item("a"))
    conversation.delete("b")
    assert [conversation.get(item_id).id for item_id in "acd"] == list("acd")
    assert conversation.last_id() == "d"


def test_the_oldest_are_forgotten() -> None:
    conversation = Conversation()
    for number in range(MOST_ITEMS + 5):
        conversation.add(text_item(f"i{number}"))
    assert len(conversation.entries()) == MOST_ITEMS
    with pytest.raises(Refused):
        conversation.get("i4")
    conversation.get("i5")


def test_long_texts_are_forgotten_sooner() -> None:
    conversation = Conversation()
    for number in range(40):
        conversation.add(text_item(f"i{number}", "x" * (MOST_TEXT // 20)))
    kept = len(conversation.entries())
    assert 15 < kept < 20
    conversation.get(f"i{40 - kept}")


def test_it_becomes_entries() -> None:
    conversation = Conversation()
    conversation.add(text_item("s", "be nice", "system"))
    conversation.add(text_item("u", "hello"))
    conversation.add(text_item("a", "hi", "assistant"))
    conversation.add(read_item({"type": "function_call", "name": "t", "arguments": "{}", "call_id": "c"}))
    conversation.add(read_item({"type": "function_call_output", "call_id": "c", "output": "x"}))
    assert conversation.entries() == [UserSaid("hello"), EngineSaid(), Called("c", "t", "{}"), CameBack("c", "x")]
    assert conversation.has_call("c")


def test_only_what_was_spoken_is_truncated() -> None:
    conversation = Conversation()
    said = {"type": "output_audio", "transcript": "one two"}
    conversation.add(Item(message("a", "assistant", [said], "completed"), audio_ms=500.4))
    conversation.add(text_item("u"))
    assert conversation.truncate("a", 0, 500) == (0, 500)
    assert conversation.get("a").content["content"][0]["transcript"] == ""
    for arguments in (("a", 0, 501), ("a", 1, 1), ("a", 0, -1), ("a", 0, True), ("u", 0, 1), ("x", 0, 1)):
        with pytest.raises(Refused):
            conversation.truncate(*arguments)


@pytest.mark.parametrize(
    "raw",
    [
        None,
        {},
        {"type": "mcp_call"},
        {"type": "message", "role": "robot", "content": []},
        {"type": "message", "role": "user", "content": {}},
        {"type": "message", "role": "user", "content": [{"type": "output_text", "text": "x"}]},
        {"type": "message", "role": "assistant", "content": [{"type": "output_audio", "audio": ""}]},
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "x" * 70_000}]},
        {"type": "message", "role": "user", "content": [{"type": "input_text"}] * 40},
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "x" * 60_000}] * 2},
        {"type": "message", "role": "user", "content": [{"type": "input_audio", "audio": ""}] * 2},
        {"type": "message", "role": "user", "content": [], "id": "x" * 200},
        {"type": "message", "role": "user", "content": [], "id": "root"},
        {"type": "function_call", "name": "t"},
        {"type": "function_call_output", "output": "x"},
    ],
)
def test_items_that_cannot_be_are_refused(raw: Any) -> None:
    with pytest.raises(Refused):
        read_item(raw)
