"""The session against a service that does anything in any order, as far as a server may: what must hold regardless."""

from typing import Any

from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.session.any_service import Response, Service
from tests.session.room import Room, ended
from voice_node.model.control import AskText, ResetConversation
from voice_node.model.speech import SpeechAudio, SpeechStarted
from voice_node.model.turn import ReplyAudio, ReplyStarted, ResponseStatus, ToolCall, Transcript, TurnFinished, TurnLost
from voice_node.session import events as ev

BUSY = "conversation_already_has_active_response"
OVER = list(ResponseStatus)[:4]


class World(RuleBasedStateMachine):
    """People, home automation, the network and the service, each doing what it likes."""

    def __init__(self) -> None:
        super().__init__()
        self.room = Room()
        self.service: Service | None = None
        self.connections = 0
        self.numbers = 0
        self.speaking = ""
        self.said: dict[str, bytes] = {}
        self.owed: set[str] = set()
        """Turns that somebody waits for."""
        self.seen = 0
        self.taken_back = 0
        self.played = 0
        self.over: set[str] = set()
        self.acted: set[str] = set()
        self.heard: set[str] = set()
        self.calls: set[str] = set()
        self.echoes = True

    @initialize(
        echoes=st.booleans(),
        connect=st.sampled_from(["always", "on_speech"]),
        patience_s=st.sampled_from([None, 4.0]),
        least_confidence=st.sampled_from([None, 0.5]),
    )
    def begin(self, echoes: bool, connect: str, patience_s: float | None, least_confidence: float | None) -> None:
        """With a patience, somebody else takes the turns that this session does not answer."""
        self.echoes = echoes
        include = ["item.input_audio_transcription.logprobs"]
        self.room = Room(connect=connect, patience_s=patience_s, include=include, least_confidence=least_confidence)

    # --- the network

    @precondition(lambda self: self.service is None)
    @rule(is_configured=st.sampled_from([True, True, True, False]))
    def connect(self, is_configured: bool) -> None:
        self.connections += 1
        self.service = Service(self.connections)
        self.room.perform(self.room.protocol.opened(self.room.now))
        self.settle()
        if is_configured:
            self.configure()

    @precondition(lambda self: self.service is not None and not self.service.is_configured)
    @rule()
    def configure(self) -> None:
        assert self.service is not None
        self.room.hear(ev.SessionCreated("s", None, {}))
        self.settle()
        self.service.is_configured = True
        self.room.hear(ev.SessionUpdated({}))
        self.settle()

    @rule(seconds=st.sampled_from([0.25, 1.0, 2.0]))
    def wait(self, seconds: float) -> None:
        self.room.wait(seconds, seconds)
        self.settle()

    @rule(
        chance=st.integers(0, 5), kind=st.sampled_from(["wait", "wait long", "cut", "reset", "own", "expire", "stop"])
    )
    def disturb(self, chance: int, kind: str) -> None:
        """What seldom happens: else nothing would ever come to its end."""
        if chance:
            return
        match kind:
            case "wait" | "wait long":
                self.wait(11.0 if kind == "wait" else 25.0)
            case "cut" if self.service is not None:
                self.lose_connection("broken")
            case "reset":
                self.room.put(ResetConversation())
                self.settle()
            case "stop":
                self.room.stop()
                self.settle()
            case "own":
                self.begin_by_itself()
            case _:
                if self.service is not None:
                    self.room.hear(ev.ServerError("session_expired", "oh"))
                    self.settle()

    # --- the room

    @precondition(lambda self: not self.speaking and self.waiting < 3)
    @rule()
    def start_speaking(self) -> None:
        self.speaking = self.new("t")
        self.said[self.speaking] = b""
        self.room.put(SpeechStarted(self.speaking, 0))
        self.settle()

    @precondition(lambda self: self.speaking)
    @rule(length=st.sampled_from([200, 4800, 9600, 9600]))
    def speak(self, length: int) -> None:
        pcm = (self.numbers % 251).to_bytes(2, "little") * (length // 2)
        self.numbers += 1
        self.said[self.speaking] += pcm
        self.room.put(SpeechAudio(self.speaking, pcm))
        self.settle()

    @precondition(lambda self: self.speaking)
    @rule()
    def stop_speaking(self) -> None:
        turn_id, self.speaking = self.speaking, ""
        is_kept = bool(self.said[turn_id])
        if is_kept:
            self.owed.add(turn_id)
        self.room.put(ended(turn_id, is_kept=is_kept))
        self.settle()

    @precondition(lambda self: not self.speaking and self.waiting < 3)
    @rule()
    def say(self) -> None:
        """A whole segment without a disturbance."""
        self.start_speaking()
        self.speak(9600)
        self.stop_speaking()

    @precondition(lambda self: self.waiting < 3)
    @rule(is_announcement=st.booleans())
    def type(self, is_announcement: bool) -> None:
        turn_id = self.new("t")
        self.owed.add(turn_id)
        if is_announcement:
            self.room.announce(turn_id)
        else:
            self.room.ask(turn_id)
        self.settle()

    @precondition(lambda self: self.calls)
    @rule(data=st.data())
    def answer(self, data: st.DataObject) -> None:
        latest = sorted(self.calls, key=lambda call_id: int(call_id[1:]))[-4:]
        self.room.answer(data.draw(st.sampled_from(latest)))
        self.settle()

    # --- the service

    @precondition(lambda self: self.service is not None and self.service.requested is not None)
    @rule(kind=st.sampled_from(["begin"] * 9 + ["refuse", "busy", "busy without a name"]))
    def treat_request(self, kind: str) -> None:
        service = self.service
        assert service is not None
        assert service.requested is not None
        request = service.requested
        if service.own is not None and kind in ("begin", "refuse"):
            kind = "busy"
        service.requested = None
        if kind == "begin":
            service.active = Response(self.new("r"), request.metadata["turn_id"])
            self.emit(ev.ResponseCreated(service.active.response_id, self.metadata(service.active)))
        elif kind == "refuse":
            self.emit(ev.ServerError("invalid_value", "no", request.event_id))
        else:
            if service.own is None:
                service.own = Response(self.new("own"), None)
                if kind == "busy":
                    self.emit(ev.ResponseCreated(service.own.response_id, {}))
            self.emit(ev.ServerError(BUSY, "no", request.event_id if kind == "busy" else None))

    def begin_by_itself(self) -> None:
        service = self.service
        if service is not None and service.is_configured and service.active is None and service.own is None:
            service.own = Response(self.new("own"), None)
            self.emit(ev.ResponseCreated(service.own.response_id, {}))

    @precondition(lambda self: self.service is not None and self.service.requested is not None)
    @rule(said=st.lists(st.sampled_from(["audio", "words", "call"]), max_size=3), status=st.sampled_from(OVER))
    def serve(self, said: list[str], status: ResponseStatus) -> None:
        """A whole response without a disturbance."""
        self.treat_request("begin")
        for kind in said:
            if self.service is not None and self.service.active is not None:
                self.go_on(kind)
        if self.service is not None and self.service.active is not None:
            self.finish(status, is_more=False)

    @precondition(lambda self: self.service is not None and (self.service.active or self.service.own))
    @rule(kind=st.sampled_from(["audio", "words", "call", "call"]))
    def go_on(self, kind: str) -> None:
        response = self.response()
        item_id = f"item_{response.response_id}"
        if kind == "audio":
            self.emit(ev.ReplyAudioDelta(response.response_id, item_id, b"12"))
        elif kind == "words":
            self.emit(ev.ReplyTextDone(response.response_id, item_id, "words"))
        else:
            response.calls.append(ev.FunctionCall(self.new("c"), "light", "{}"))
            self.emit(ev.CallDone(response.response_id, response.calls[-1]))

    @precondition(lambda self: self.service is not None and (self.service.active or self.service.own))
    @rule(status=st.sampled_from([ResponseStatus.COMPLETED, *OVER]), is_more=st.booleans())
    def finish(self, status: ResponseStatus, is_more: bool) -> None:
        response = self.response()
        assert self.service is not None
        if response is self.service.own and self.service.requested:
            self.treat_request("busy")  # nobody could tell whose response it was
        if is_more:
            response.calls.append(ev.FunctionCall(self.new("c"), "fan", "{}"))
        if response is self.service.own:
            self.service.own = None
        else:
            self.service.active = None
        calls = tuple(response.calls) if status is ResponseStatus.COMPLETED else ()
        self.emit(ev.ResponseDone(response.response_id, status, "", self.metadata(response), calls))

    @precondition(lambda self: self.service is not None and self.service.commits)
    @rule(chance=st.integers(0, 9))
    def treat_commit(self, chance: int) -> None:
        assert self.service is not None
        event_id = self.service.commits.pop(0)
        if not chance:
            self.emit(ev.ServerError("input_audio_buffer_commit_empty", "no", event_id))
        else:
            self.service.unwritten.append(self.new("i"))
            self.emit(ev.AudioCommitted(self.service.unwritten[-1]))

    @precondition(lambda self: self.service is not None and self.service.unwritten)
    @rule(kind=st.sampled_from(["delta", "done", "done", "unsure", "failed"]), data=st.data())
    def write_down(self, kind: str, data: st.DataObject) -> None:
        assert self.service is not None
        item_id = data.draw(st.sampled_from(self.service.unwritten))
        if kind == "delta":
            self.emit(ev.TranscriptDelta(item_id, "wo"))
            return
        self.service.unwritten.remove(item_id)
        confidence = 0.1 if kind == "unsure" else None
        done = ev.TranscriptDone(item_id, "words", None, confidence)
        self.emit(ev.TranscriptFailed(item_id, "noise") if kind == "failed" else done)

    @precondition(lambda self: self.service is not None and self.service.past)
    @rule(data=st.data())
    def say_again(self, data: st.DataObject) -> None:
        assert self.service is not None
        self.room.hear(data.draw(st.sampled_from(self.service.past)))
        self.settle()

    @precondition(lambda self: self.service is not None and self.service.is_configured)
    @rule(code=st.sampled_from([BUSY, "response_cancel_not_active", "server_error"]))
    def err(self, code: str) -> None:
        self.room.hear(ev.ServerError(code, "oh"))
        self.settle()

    # --- what must hold

    @invariant()
    def outcomes_make_sense(self) -> None:
        for outcome in self.room.outcomes[self.seen :]:
            match outcome:
                case TurnFinished(turn_id) | TurnLost(turn_id):
                    assert turn_id not in self.over, f"{turn_id} ended twice"
                    self.over.add(turn_id)
                case ToolCall(turn_id, call_id):
                    assert turn_id not in self.over, "a call of a turn that is over"
                    assert call_id not in self.calls, "a call was made twice"
                    self.calls.add(call_id)
                    self.acted.add(turn_id)
                case Transcript(turn_id, _, role, _, is_final):
                    assert turn_id not in self.over, "words of a turn that is over"
                    if role == "user" and is_final:
                        assert turn_id not in self.heard, "two finals of one segment"
                        self.heard.add(turn_id)
                case ReplyStarted(turn_id):
                    assert turn_id not in self.over
                    self.acted.add(turn_id)
                case _:
                    pass
        self.seen = len(self.room.outcomes)
        for returned in self.room.returned[self.taken_back :]:
            assert returned.turn_id not in self.over, "returned although it is over"
            assert returned.turn_id not in self.acted, "returned although it was acted on"
            is_heard = returned.turn_id in self.heard
            assert is_heard == isinstance(returned.inputs[0], AskText) or returned.turn_id not in self.said
            self.over.add(returned.turn_id)
        self.taken_back = len(self.room.returned)
        for piece in self.room.audio[self.played :]:
            assert not isinstance(piece, ReplyAudio) or piece.turn_id in self.acted
        self.played = len(self.room.audio)

    @invariant()
    def who_is_quiet_owes_no_output(self) -> None:
        if self.service is not None and self.room.protocol.is_quiet:
            assert self.service.called == self.service.answered, "a call without its output"

    def teardown(self) -> None:
        """Everybody falls silent when what is being said was said; the node keeps its clock and its connection."""
        if self.speaking:
            self.stop_speaking()
        while self.service is not None and (self.service.active or self.service.own):
            self.finish(ResponseStatus.COMPLETED, is_more=False)
        for _ in range(250):
            if self.service is None:
                self.connect(is_configured=True)
            if self.service is not None and not self.service.is_configured:
                self.configure()
            self.wait(1.0)
            self.outcomes_make_sense()
            self.who_is_quiet_owes_no_output()
        assert self.owed <= self.over, f"nobody was told of {self.owed - self.over}"
        assert self.room.protocol.is_quiet
        turns = self.room.protocol._answers.turns
        assert (len(turns), turns._items, turns._responses, turns._calls) == (0, {}, {}, {})

    # --- means

    @property
    def waiting(self) -> int:
        """Turns that are under way."""
        return len(self.owed - self.over)

    def new(self, prefix: str) -> str:
        self.numbers += 1
        return f"{prefix}{self.numbers}"

    def metadata(self, response: Response) -> dict[str, str]:
        return {"turn_id": response.turn_id} if self.echoes and response.turn_id is not None else {}

    def response(self) -> Response:
        assert self.service is not None
        response = self.service.active or self.service.own
        assert response is not None
        return response

    def emit(self, event: ev.ServerEvent) -> None:
        assert self.service is not None
        self.service.tells(event)
        self.room.hear(event)
        self.settle()

    def lose_connection(self, detail: str) -> None:
        self.service = None
        self.room.down(detail)
        assert self.room.take() == [], "nothing is sent into a lost connection"

    def settle(self) -> None:
        """Carry the node's events to the service, and close where the node wants it."""
        for event in self.room.take():
            assert self.service is not None, "sent without a connection"
            assert self.service.is_configured or isinstance(event, ev.UpdateSession), "sent before it was configured"
            self.receive(event, self.service)
        if self.room.close is not None:
            reason, self.room.close = self.room.close, None
            if self.service is not None:
                self.lose_connection(reason)

    def receive(self, event: ev.ClientEvent, service: Service) -> None:
        match event:
            case ev.AppendAudio(pcm):
                service.buffer += pcm
            case ev.ClearAudio():
                service.buffer.clear()
            case ev.CommitAudio(event_id):
                pcm = bytes(service.buffer)
                owners = [turn_id for turn_id, said in self.said.items() if said == pcm]
                assert owners, "what was committed is not what somebody said"
                self.outcomes_make_sense()
                assert owners[0] not in self.acted | self.over, "said again although it was acted on"
                assert len(pcm) >= 4800
                service.buffer.clear()
                service.commits.append(event_id)
            case ev.CreateText(_, item_id):
                assert item_id.removeprefix("item_") not in self.acted - self.over, "put again although it was acted on"
            case ev.CreateResponse() | ev.CreateAnnouncement():
                assert service.requested is None, "asked twice"
                assert service.active is None, "asked while a response is active"
                service.requested = event
            case ev.CreateCallOutput(_, _, call_id):
                service.takes_output(call_id)
            case _:
                pass


World.TestCase.settings = hypothesis_settings(max_examples=150, stateful_step_count=60, deadline=None)
TestWorld: Any = World.TestCase
