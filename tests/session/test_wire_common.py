"""What is heard, in both dialects: the official samples, and nonsense."""

import base64
import json
import math
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes import schema
from tests.fakes.schema import needs_schema
from voice_node.model.turn import ResponseStatus, TokenCount
from voice_node.session import events as ev
from voice_node.session.wire_common import decode

_EXAMPLES = schema._path().with_name("realtime-event-examples.json")

SAMPLES: dict[str, type[ev.ServerEvent]] = {
    "conversation.item.input_audio_transcription.completed": ev.TranscriptDone,
    "conversation.item.input_audio_transcription.delta": ev.TranscriptDelta,
    "conversation.item.input_audio_transcription.failed": ev.TranscriptFailed,
    "error": ev.ServerError,
    "input_audio_buffer.committed": ev.AudioCommitted,
    "input_audio_buffer.speech_started": ev.ServerSpeechStarted,
    "input_audio_buffer.speech_stopped": ev.ServerSpeechStopped,
    "mcp_list_tools.failed": ev.ToolsUnlisted,
    "response.mcp_call.completed": ev.ServiceActed,
    "response.mcp_call.failed": ev.ServiceActed,
    "response.mcp_call.in_progress": ev.ServiceActs,
    "response.mcp_call_arguments.done": ev.ServiceActs,
    "response.created": ev.ResponseCreated,
    "response.done": ev.ResponseDone,
    "response.output_audio.delta": ev.Malformed,  # the sample's audio is no base64
    "response.output_audio.done": ev.ReplyAudioDone,
    "response.output_audio_transcript.delta": ev.ReplyTextDelta,
    "response.output_audio_transcript.done": ev.ReplyTextDone,
    "response.output_item.done": ev.Ignored,  # a message: its words come by the events above
    "response.output_text.delta": ev.ReplyTextDelta,
    "response.output_text.done": ev.ReplyTextDone,
    "session.created": ev.SessionCreated,
    "session.updated": ev.SessionUpdated,
    # Of the beta dialect alone:
    "response.audio.delta": ev.Malformed,
    "response.audio.done": ev.ReplyAudioDone,
    "response.audio_transcript.delta": ev.ReplyTextDelta,
    "response.audio_transcript.done": ev.ReplyTextDone,
    "response.text.delta": ev.ReplyTextDelta,
    "response.text.done": ev.ReplyTextDone,
    "transcription_session.created": ev.SessionCreated,
    "transcription_session.updated": ev.SessionUpdated,
}
"""What the official samples decode to, in either dialect."""

IGNORED = frozenset(
    {
        "conversation.created",
        "conversation.item.added",
        "conversation.item.created",
        "conversation.item.deleted",
        "conversation.item.done",
        "conversation.item.input_audio_transcription.segment",
        "conversation.item.retrieved",
        "conversation.item.truncated",
        "input_audio_buffer.cleared",
        "input_audio_buffer.dtmf_event_received",
        "input_audio_buffer.timeout_triggered",
        "mcp_list_tools.completed",
        "mcp_list_tools.in_progress",
        "output_audio_buffer.cleared",
        "output_audio_buffer.started",
        "output_audio_buffer.stopped",
        "rate_limits.updated",
        "response.content_part.added",
        "response.content_part.done",
        "response.function_call_arguments.delta",
        "response.function_call_arguments.done",
        "response.mcp_call_arguments.delta",
        "response.output_item.added",
    }
)
"""What the node has no use for: ignored on purpose. Words and calls come by other events as well.

`conversation.item.done` is read where its item is a request for leave or a call of the service's own.
"""


def say(event_type: str, **fields: Any) -> ev.ServerEvent:
    return decode(json.dumps({"type": event_type, "event_id": "event_1", **fields}))


def _samples() -> list[Any]:
    if not _EXAMPLES.is_file():
        return [pytest.param("", {}, marks=pytest.mark.skip(f"{_EXAMPLES.name} is not beside the schema"))]
    examples = json.loads(_EXAMPLES.read_text(encoding="utf-8"))
    return [
        pytest.param(name, example["event"], id=name)
        for name, example in examples.items()
        if name.startswith(("ga.server.", "beta.server."))
    ]


@pytest.mark.parametrize(("name", "event"), _samples())
def test_official_samples(name: str, event: dict[str, Any]) -> None:
    event_type = name.partition(".server.")[2].strip()
    assert (event_type in SAMPLES) != (event_type in IGNORED)
    assert isinstance(decode(json.dumps(event)), SAMPLES.get(event_type, ev.Ignored))


@needs_schema
@pytest.mark.parametrize("dialect", ["ga", "beta"])
def test_every_published_event_is_read_or_ignored_on_purpose(dialect: str) -> None:
    published = schema.published("server", dialect)
    assert published <= SAMPLES.keys() | IGNORED


def test_the_official_response_is_read_whole() -> None:
    if not _EXAMPLES.is_file():
        pytest.skip(f"{_EXAMPLES.name} is not beside the schema")
    event = decode(json.dumps(json.loads(_EXAMPLES.read_text("utf-8"))["ga.server.response.done"]["event"]))
    assert isinstance(event, ev.ResponseDone)
    assert event.status is ResponseStatus.COMPLETED
    assert [message.text[:14] for message in event.messages] == ["Loud and clear"]
    assert event.usage_input == TokenCount(119, 13, 64, 0)
    assert event.usage_output == TokenCount(30, 91)


def test_session_created() -> None:
    session = {"id": "sess_1", "expires_at": 1756324625, "type": "realtime"}
    assert say("session.created", session=session) == ev.SessionCreated("sess_1", 1756324625, session)
    assert say("session.created", session={}) == ev.SessionCreated("", None, {})


@pytest.mark.parametrize("name", ["response.output_audio.delta", "response.audio.delta"])
def test_audio_of_a_reply(name: str) -> None:
    delta = base64.b64encode(b"\1\2\3\4").decode()
    event = say(name, response_id="r", item_id="i", delta=delta)
    assert event == ev.ReplyAudioDelta("r", "i", b"\1\2\3\4")
    for bad in ("%%%", "AAA", "\u00e4\u00e4\u00e4\u00e4", 5, None):
        assert isinstance(say(name, response_id="r", item_id="i", delta=bad), ev.Malformed)


def test_a_transcript() -> None:
    event = say(
        "conversation.item.input_audio_transcription.completed",
        item_id="i",
        transcript="licht an",
        languages=[{"code": "de"}],
        logprobs=[{"token": "a", "logprob": math.log(0.5)}, {"token": "b", "logprob": math.log(0.5)}],
        usage={"type": "tokens", "input_tokens": 13, "output_tokens": 9, "input_token_details": {"audio_tokens": 13}},
    )
    assert event == ev.TranscriptDone("i", "licht an", "de", 0.5, TokenCount(audio=13), TokenCount(text=9))
    event = say("conversation.item.input_audio_transcription.completed", item_id="i", usage={"seconds": 2.5})
    assert event == ev.TranscriptDone("i", "", usage_s=2.5)


def test_calls_are_read_where_they_are_complete() -> None:
    call = {"type": "function_call", "call_id": "c", "name": "light", "arguments": '{"on":true}', "status": "completed"}
    expected = ev.FunctionCall("c", "light", '{"on":true}')
    assert say("response.output_item.done", response_id="r", item=call) == ev.CallDone("r", expected)
    cut = call | {"status": "incomplete"}
    assert isinstance(say("response.output_item.done", response_id="r", item=cut), ev.Ignored)
    for status, calls in (("completed", (expected,)), ("cancelled", ()), ("incomplete", ()), ("failed", ())):
        event = say("response.done", response={"id": "r", "status": status, "output": [call, cut]})
        assert isinstance(event, ev.ResponseDone)
        assert event.calls == calls
    assert isinstance(say("response.function_call_arguments.done", call_id="c", arguments="{}"), ev.Ignored)


def test_why_a_response_failed() -> None:
    details = {"type": "failed", "error": {"type": "insufficient_quota", "code": "insufficient_quota"}}
    event = say("response.done", response={"id": "r", "status": "failed", "status_details": details})
    assert event == ev.ResponseDone("r", ResponseStatus.FAILED, "insufficient_quota")
    details = {"type": "cancelled", "reason": "client_cancelled"}
    event = say("response.done", response={"id": "r", "status": "cancelled", "status_details": details})
    assert event == ev.ResponseDone("r", ResponseStatus.CANCELLED, "client_cancelled")


ODD: list[Any] = [None, 5, -1.5, True, "text", [], [5], [[]], {}, {"id": []}, {"a": {"b": None}}, "\ud800", 10**400]


@pytest.mark.parametrize("key", ["status_details", "usage", "metadata", "output", "object", "output_modalities"])
@pytest.mark.parametrize("odd", ODD, ids=lambda odd: repr(odd)[:20])
def test_a_response_is_over_whatever_else_is_odd_in_it(key: str, odd: Any) -> None:
    event = say("response.done", response={"id": "r", "status": "completed", key: odd})
    assert isinstance(event, ev.ResponseDone)
    assert (event.response_id, event.status) == ("r", ResponseStatus.COMPLETED)


@pytest.mark.parametrize("status", ["in_progress", "", "new_status", 5, {}])
def test_a_response_of_unknown_status_failed(status: Any) -> None:
    event = say("response.done", response={"id": "r", "status": status})
    assert isinstance(event, ev.ResponseDone)
    assert event.status is ResponseStatus.FAILED
    assert event.detail


def test_a_call_that_cannot_be_read_leaves_the_others() -> None:
    good = {"type": "function_call", "call_id": "c", "name": "light", "arguments": "{}"}
    bad: list[Any] = [{"type": "function_call", "name": "x"}, {"type": "function_call", "call_id": 5, "name": "x"}]
    event = say("response.done", response={"id": "r", "status": "completed", "output": [*bad, good, 7]})
    assert isinstance(event, ev.ResponseDone)
    assert [call.call_id for call in event.calls] == ["c"]


@pytest.mark.parametrize("key", ["usage", "languages", "logprobs", "content_index"])
@pytest.mark.parametrize("odd", ODD, ids=lambda odd: repr(odd)[:20])
def test_a_transcript_counts_whatever_else_is_odd_in_it(key: str, odd: Any) -> None:
    event = say("conversation.item.input_audio_transcription.completed", item_id="i", transcript="hi", **{key: odd})
    assert isinstance(event, ev.TranscriptDone)
    assert (event.item_id, event.text) == ("i", "hi")


def test_errors() -> None:
    error = {"type": "invalid_request_error", "code": "invalid_value", "message": "no", "event_id": "node_3"}
    assert say("error", error=error) == ev.ServerError("invalid_value", "no", "node_3")
    assert say("error", error=error | {"code": None}) == ev.ServerError("invalid_request_error", "no", "node_3")
    assert say("error", error={}) == ev.ServerError("unknown", "", None)
    assert say("error", error=error | {"code": 500}) == ev.ServerError("invalid_request_error", "no", "node_3")
    assert isinstance(say("error"), ev.Malformed)


def test_lone_surrogates_never_come_through() -> None:
    event = decode(
        '{"type":"response.output_text.done","response_id":"r","item_id":"i\\udfff","text":"a\\ud800b \\ud83d\\ude00"}'
    )
    assert event == ev.ReplyTextDone("r", "i\ufffd", "a\ufffdb \U0001f600")


NONSENSE: list[str | bytes] = [
    *("", "null", "[]", "5", '"x"', "{}", '{"type":5}', "{", "\ufeff{}", b"\xff\xfe", b"", b"\x00\x01", "NaN"),
    "[" * 100_000,
    '{"type":"error","error":' + '{"a":' * 100_000,
    '{"type":"error","n":' + "9" * 5000 + "}",
]


@pytest.mark.parametrize("message", NONSENSE, ids=lambda message: repr(message)[:20])
def test_nonsense_is_a_value(message: str | bytes) -> None:
    assert isinstance(decode(message), ev.Malformed)


def test_unknown_types_are_ignored() -> None:
    assert decode('{"type":"response.new_thing","delta":[1]}') == ev.Ignored("response.new_thing")
    assert decode(b'{"type":"rate_limits.updated"}') == ev.Ignored("rate_limits.updated")
    assert decode(json.dumps({"type": "x" * 10_000})) == ev.Ignored("x" * 64)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=8) | st.just(10**400),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)
_TYPES = sorted(SAMPLES)
_WORDS = (
    "id status item item_id response response_id delta transcript text error code session usage output content",
    "languages logprobs logprob metadata status_details type call_id name arguments input_token_details",
    "cached_tokens_details text_tokens seconds",
)
_KEYS = [word for line in _WORDS for word in line.split()]
_EVENT = st.recursive(
    _JSON,
    lambda inner: st.dictionaries(st.sampled_from(_KEYS), inner, max_size=6) | st.lists(inner, max_size=3),
    max_leaves=20,
)


@given(event_type=st.sampled_from(_TYPES), fields=st.dictionaries(st.sampled_from(_KEYS), _EVENT, max_size=6))
def test_decode_never_raises(event_type: str, fields: dict[str, Any]) -> None:
    event = decode(json.dumps(fields | {"type": event_type}))
    assert isinstance(event, get_args(ev.ServerEvent))
    str(event).encode()


@given(st.binary() | st.text(st.characters()) | _JSON.map(json.dumps))
def test_decode_takes_anything(message: str | bytes) -> None:
    assert isinstance(decode(message), get_args(ev.ServerEvent))


def test_malformed_names_no_value() -> None:
    event = say("response.output_text.done", response_id=["secret words"], text="secret words")
    assert isinstance(event, ev.Malformed)
    assert "secret" not in event.detail


def test_tokens_of_each_class() -> None:
    usage = {
        "input_tokens": 100,
        "input_token_details": {
            "text_tokens": 50,
            "audio_tokens": 30,
            "image_tokens": 20,
            "cached_tokens": 60,
            "cached_tokens_details": {"text_tokens": 40, "audio_tokens": 15, "image_tokens": 5},
        },
        "output_tokens": 12,
        "output_token_details": {"text_tokens": 4, "audio_tokens": 8},
    }
    event = say("response.done", response={"id": "r", "status": "completed", "usage": usage})
    assert isinstance(event, ev.ResponseDone)
    assert event.usage_input == TokenCount(50, 30, 40, 15, 20, 5)
    assert event.usage_output == TokenCount(4, 8)


def test_the_items_that_a_response_left() -> None:
    output = [{"id": "i1", "type": "message"}, {"id": None, "type": "message"}, 5, {"id": "i2", "type": "new"}]
    event = say("response.done", response={"id": "r", "status": "cancelled", "output": output})
    assert isinstance(event, ev.ResponseDone)
    assert event.item_ids == ("i1", "i2")


@pytest.mark.parametrize("kind", ["session.created", "transcription_session.created"])
def test_the_first_event_of_each_kind_of_session(kind: str) -> None:
    assert say(kind, session={"id": "s", "expires_at": 0}) == ev.SessionCreated("s", None, {"id": "s", "expires_at": 0})
    nulls = {"id": None, "expires_at": None, "type": None, "audio": None}
    assert say(kind, session=nulls) == ev.SessionCreated("", None, nulls)


def test_codes_are_no_longer_than_a_word() -> None:
    long = "c" * 1_000_000
    error = decode(json.dumps({"type": "error", "error": {"code": long, "message": "m"}}))
    done = decode(json.dumps({"type": "response.done", "response": {"id": "r", "status_details": {"reason": long}}}))
    failed = {"type": "conversation.item.input_audio_transcription.failed", "error": {"code": long}}
    assert isinstance(error, ev.ServerError)
    assert isinstance(done, ev.ResponseDone)
    assert (len(error.code), len(done.detail)) == (64, 64)
    assert decode(json.dumps(failed)) == ev.TranscriptFailed("", "c" * 64)


LONG = "x" * 257


@pytest.mark.parametrize(
    "event",
    [
        {"type": "input_audio_buffer.committed", "item_id": LONG},
        {"type": "conversation.item.input_audio_transcription.completed", "item_id": LONG, "transcript": "a"},
        {"type": "response.created", "response": {"id": LONG}},
        {"type": "response.output_audio.delta", "response_id": "r", "item_id": LONG, "delta": ""},
        {"type": "response.output_text.done", "response_id": LONG, "item_id": "i", "text": "a"},
        {
            "type": "response.output_item.done",
            "response_id": "r",
            "item": {"type": "function_call", "call_id": LONG, "name": "light", "arguments": "{}"},
        },
        {"type": "session.created", "session": {"id": LONG}},
    ],
    ids=lambda event: event["type"],
)
def test_an_id_without_end_makes_an_event_unreadable(event: dict[str, Any]) -> None:
    found = decode(json.dumps(event))
    assert isinstance(found, ev.Malformed)
    assert "longer than 256" in found.detail
    assert LONG not in found.detail


def test_an_item_with_an_id_without_end_does_not_hide_that_its_response_is_over() -> None:
    call = {"type": "function_call", "id": "i1", "call_id": "c1", "name": "light", "arguments": "{}"}
    output = [call, call | {"call_id": LONG}, {"type": "message", "id": LONG, "content": []}]
    found = decode(
        json.dumps({"type": "response.done", "response": {"id": "r", "status": "completed", "output": output}})
    )
    assert isinstance(found, ev.ResponseDone)
    assert [call.call_id for call in found.calls] == ["c1"]
    assert found.item_ids == ("i1", "i1")
    assert found.messages == ()


def test_of_an_output_without_end_the_first_items_are_read() -> None:
    calls = [{"type": "function_call", "call_id": f"c{i}", "name": "light", "arguments": "{}"} for i in range(5000)]
    found = decode(
        json.dumps({"type": "response.done", "response": {"id": "r", "status": "completed", "output": calls}})
    )
    assert isinstance(found, ev.ResponseDone)
    assert [call.call_id for call in found.calls] == [f"c{i}" for i in range(192)]


@pytest.mark.parametrize(("told", "read"), [("conv_1", "conv_1"), (None, None), ("", None), (5, None), (LONG, None)])
def test_the_conversation_of_a_response(told: Any, read: str | None) -> None:
    response = {"id": "r", "status": "completed", "output": [], "conversation_id": told}
    found = decode(json.dumps({"type": "response.done", "response": response}))
    assert isinstance(found, ev.ResponseDone)
    assert found.conversation_id == read
