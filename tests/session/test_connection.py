"""The connection against a scripted server over a true WebSocket."""

import asyncio
import base64

from tests.fakes.realtime_server import Drop, Emit, Expect, Pause, RealtimeServer, Stay, emit, greet
from tests.fakes.until import until
from tests.session.node import PCM, Node, call, node, reply, spoken_turn
from tests.session.room import SECOND
from voice_node.model.control import AnswerCall, AskText, SetSpent
from voice_node.model.speech import SpeechOver
from voice_node.model.turn import LinkChanged, ReplyAudio, ToolCall, Transcript, TurnLost
from voice_node.session.step import Returned


async def test_a_spoken_turn() -> None:
    async with RealtimeServer([*greet(), *spoken_turn()]) as server, node(server.url) as room:
        await room.say("t1", SECOND + PCM)
        assert await room.ended(1) == [("t1", "completed")]
        assert bytes(server.audio) == SECOND + PCM
        assert [(words.role, words.text) for words in room.all(Transcript)] == [
            ("user", "turn on the light"),
            ("assistant", "it is on"),
        ]
        assert [piece.pcm for piece in room.played if isinstance(piece, ReplyAudio)] == [PCM]
        assert server.types() == ["session.update", "input_audio_buffer.commit", "response.create"]
        session = server.events[0]["session"]
        assert session["audio"]["input"]["turn_detection"] is None
        assert "OpenAI-Beta" not in server.requests[0].headers


async def test_no_audio_before_the_session_is_configured() -> None:
    go = asyncio.Event()
    handshake = greet()
    script = (handshake[0], handshake[1], Pause(go), handshake[2], *spoken_turn())
    async with RealtimeServer(script) as server, node(server.url) as room:
        await room.say("t1")
        await until(lambda: server.types() == ["session.update"])
        await asyncio.sleep(0.1)  # time in which a wrong node would speak
        assert server.audio == b""
        go.set()
        assert await room.ended(1) == [("t1", "completed")]


async def test_parallel_calls_are_told_once_and_lead_to_one_response() -> None:
    script = (
        *greet(),
        Expect("conversation.item.create"),
        Expect("response.create"),
        call("r1", "call_1", "call_2"),
        Expect("conversation.item.create", lambda event: event["item"]["call_id"] == "call_2"),
        Expect("conversation.item.create", lambda event: event["item"]["call_id"] == "call_1"),
        Expect("response.create"),
        reply("r2"),
    )
    async with RealtimeServer(script) as server, node(server.url) as room:
        await room.inputs.put(AskText("t1", "all lights on"))
        await until(lambda: len(room.all(ToolCall)) == 2)
        await room.inputs.put(AnswerCall("call_2", "{}"))
        await room.inputs.put(AnswerCall("call_2", "{}"))
        await until(lambda: len(server.events) == 4)
        await room.inputs.put(AnswerCall("call_1", "{}"))
        assert await room.ended(1) == [("t1", "completed")]
        assert [asked.call_id for asked in room.all(ToolCall)] == ["call_1", "call_2"]


async def test_large_and_unreadable_messages() -> None:
    large = {"type": "conversation.item.retrieved", "item": {"audio": "A" * 3 * 2**20}}
    odd = Emit((b"\xff\xfe", "[]", "{", '{"type":"response.new"}', '{"type":"response.done"}'))
    script = (*greet(), emit(large), odd, *spoken_turn())
    async with RealtimeServer(script) as server, node(server.url) as room:
        await room.say("t1")
        assert await room.ended(1) == [("t1", "completed")]
        assert len(server.requests) == 1


async def test_it_closes_when_idle_and_opens_when_somebody_speaks() -> None:
    async with (
        RealtimeServer([*greet(), *spoken_turn()], [*greet(), *spoken_turn(2)]) as server,
        node(server.url, connect="on_speech", speed=200) as room,
    ):
        await room.say("t1")
        await room.ended(1)
        await until(lambda: [link.is_up for link in room.all(LinkChanged)] == [True, False])
        await asyncio.sleep(0.5)  # time in which a wrong node would open another
        assert len(server.requests) == 1
        await room.say("t2")
        assert await room.ended(2) == [("t1", "completed"), ("t2", "completed")]
        assert not any(link.is_trouble for link in room.all(LinkChanged))


async def test_the_end_of_inputs_waits_for_the_last_turn() -> None:
    async with RealtimeServer([*greet(), *spoken_turn()]) as server:
        room = Node(server.url)
        await room.say("t1")
        room.inputs.close()
        await asyncio.wait_for(room.run(), 10)
        assert await room.ended(1) == [("t1", "completed")]


async def test_a_call_of_the_last_turn_still_gets_its_answer() -> None:
    script = (
        *greet(),
        Expect("conversation.item.create"),
        Expect("response.create"),
        call("r1", "call_1"),
        Expect("conversation.item.create", lambda event: event["item"]["call_id"] == "call_1"),
        Expect("response.create"),
        reply("r2"),
    )
    async with RealtimeServer(script) as server, node(server.url) as room:
        await room.inputs.put(AskText("t1", "light on"))
        await room.inputs.put(SpeechOver())
        await until(lambda: bool(room.all(ToolCall)))
        await room.inputs.put(AnswerCall("call_1", "{}"))
        assert await room.ended(1) == [("t1", "completed")]


async def test_sound_leaves_no_faster_than_the_service_takes_it() -> None:
    """What was held is caught up with, a little faster than it was spoken, and what follows keeps its place."""
    async with RealtimeServer([*greet(), *spoken_turn()]) as server, node(server.url, paced_bytes_per_s=96_000) as room:
        began = asyncio.get_running_loop().time()
        await room.say("t1", SECOND * 2)
        assert await room.ended(1) == [("t1", "completed")]
        assert asyncio.get_running_loop().time() - began > 0.8, "two seconds at twice the pace, less a tenth"
        assert bytes(server.audio) == SECOND * 2


async def test_a_beta_server_is_understood_by_its_first_word() -> None:
    ids = {"response_id": "r1", "item_id": "i1", "output_index": 0, "content_index": 0}
    script = (
        *greet({}, type=None, modalities=["audio", "text"], input_audio_format="pcm16"),
        Expect("input_audio_buffer.commit"),
        emit(
            {"type": "input_audio_buffer.committed", "item_id": "i0"},
            {"type": "conversation.item.created", "item": {"id": "i0"}},
            {
                "type": "conversation.item.input_audio_transcription.completed",
                "item_id": "i0",
                "content_index": 0,
                "transcript": "light on",
            },
        ),
        Expect("response.create"),
        emit(
            {"type": "response.created", "response": {"id": "r1"}},
            {"type": "response.audio.delta", "delta": base64.b64encode(PCM).decode()} | ids,
            {"type": "response.audio.done"} | ids,
            {"type": "response.audio_transcript.done", "transcript": "it is on"} | ids,
            {"type": "response.done", "response": {"id": "r1", "status": "completed", "output": []}},
        ),
    )
    async with RealtimeServer(script, dialect="beta") as server, node(server.url) as room:
        await room.say("t1")
        assert await room.ended(1) == [("t1", "completed")]
        assert [line.text for line in room.all(Transcript)] == ["light on", "it is on"]
        assert [piece.pcm for piece in room.played if isinstance(piece, ReplyAudio)] == [PCM]
        assert room.all(LinkChanged)[0].dialect == "beta"
        assert server.events[0]["session"]["input_audio_format"] == "pcm16"


async def test_a_spent_budget_ends_the_connection_and_a_new_day_opens_another() -> None:
    async with (
        RealtimeServer([*greet(), Stay()], [*greet(), *spoken_turn()]) as server,
        node(server.url, connect="on_speech") as room,
    ):
        await room.is_up()
        await room.inputs.put(SetSpent(is_spent=True))
        await until(lambda: len(room.all(LinkChanged)) == 2)
        await asyncio.sleep(0.5)  # time in which a wrong node would open another
        assert len(server.requests) == 1
        await room.inputs.put(SetSpent(is_spent=False))
        await room.say("t2")
        assert await room.ended(1) == [("t2", "completed")]


async def test_what_a_session_returns_is_given_back_as_it_is_cut() -> None:
    returned: list[Returned] = []
    script = [*greet(), Expect("input_audio_buffer.commit"), Drop()]
    async with (
        RealtimeServer(script, [*greet()]) as server,
        node(server.url, lives_on=True, take_back=returned.append, patience_s=10.0) as room,
    ):
        await room.say("t1")
        await until(lambda: bool(returned))
        assert [turn.turn_id for turn in returned] == ["t1"]
        assert room.connection.is_quiet
        await until(lambda: sum(link.is_up for link in room.all(LinkChanged)) == 2)
    assert room.all(TurnLost) == []
