"""What the tests of the thirty pitfalls share."""

from tests.fakes.realtime_server import Json, Script, Until, emit
from tests.session.node import Node, committed, reply

VOICE = b"\1\0" * 24_000
"""One second that is not silence."""
VAD = {"type": "server_vad", "silence_duration_ms": 300}


def error(code: str, event_id: str | None = None) -> Json:
    body = {"type": "invalid_request_error", "code": code, "message": "as it says", "event_id": event_id}
    return {"type": "error", "error": body}


async def assert_next_turn_works(room: Node, turn_id: str = "next") -> None:
    """The next turn works."""
    before = len(await room.ended(0))
    await room.say(turn_id)
    assert (await room.ended(before + 1))[before] == (turn_id, "completed")


def detected(number: int) -> Script:
    """A service with its own detector: the words, so much silence, and it answers unasked."""
    item_id = f"item_{number}"

    def has_fallen_silent(heard: bytes) -> bool:
        return heard.count(VOICE) >= number and not any(heard[-14_400:])

    return (
        Until(has_fallen_silent),
        emit(
            {"type": "input_audio_buffer.speech_started", "item_id": item_id, "audio_start_ms": 0},
            {"type": "input_audio_buffer.speech_stopped", "item_id": item_id, "audio_end_ms": 1000},
        ),
        committed(item_id),
        reply(f"resp_{number}"),
    )
