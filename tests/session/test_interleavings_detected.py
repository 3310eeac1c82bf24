"""Turns that the service ends, against a service that detects speech in what it is sent, and answers when it likes.

The service processes what comes at once; its events arrive in order, up to half a second later. Each segment is a sound
of its own, so that words can be traced to who said them.
"""

from dataclasses import dataclass, field
from typing import Any

from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.session.room import Room, ended
from voice_node.model.speech import SpeechAudio, SpeechStarted
from voice_node.model.turn import ResponseStatus, ToolCall, Transcript, TurnFinished, TurnLost
from voice_node.session import events as ev

SILENCE = 24_000
"""Half a second, in bytes."""
PIECE_S = 0.2
LATENCY_S = 0.5


@dataclass
class Service:
    """One connection's other end."""

    answers: bool
    echoes: bool
    names: bool
    is_configured: bool = False
    spoken: list[int] = field(default_factory=list)
    """The sounds in the item under way."""
    silent: int = 0
    item_id: str = ""
    active: str = ""
    at: float = 0.0
    on_its_way: list[tuple[float, ev.ServerEvent]] = field(default_factory=list)
    unwritten: list[tuple[str, list[int]]] = field(default_factory=list)

    def send(self, event: ev.ServerEvent) -> None:
        """It will arrive."""
        self.on_its_way.append((self.at, event))


class World(RuleBasedStateMachine):
    """A room, a network and a service with a detector."""

    def __init__(self) -> None:
        super().__init__()
        self.room = Room()
        self.service: Service | None = None
        self.numbers = 0
        self.speaking = ""
        self.sounds: dict[str, int] = {}
        """By segment."""
        self.items: dict[str, list[int]] = {}
        """What the service heard in each."""
        self.owed: set[str] = set()
        self.over: set[str] = set()
        self.seen = 0
        self.calls: list[str] = []
        self.asked: set[str] = set()
        self.kind: dict[str, bool] = {}

    @initialize(answers=st.booleans(), echoes=st.booleans(), names=st.sampled_from([True, True, False]))
    def begin(self, answers: bool, echoes: bool, names: bool) -> None:
        self.kind = {"answers": answers, "echoes": echoes, "names": names}
        detection = {"type": "server_vad", "silence_duration_ms": 500, "create_response": answers}
        self.room = Room(turn_detection=detection)
        self.connect()

    # --- the network

    @precondition(lambda self: self.service is None)
    @rule()
    def connect(self) -> None:
        self.service = Service(self.kind["answers"], self.kind["echoes"], self.kind["names"])
        self.room.perform(self.room.protocol.opened(self.room.now))
        self.room.hear(ev.SessionCreated("s", None, {}))
        self.settle()
        self.service.is_configured = True
        self.room.hear(ev.SessionUpdated({}))
        self.settle()

    @rule(chance=st.integers(0, 9))
    def cut(self, chance: int) -> None:
        if not chance and self.service is not None:
            self.lose_connection("broken")

    @rule(seconds=st.sampled_from([0.25, 0.5, 1.0]))
    def wait(self, seconds: float) -> None:
        end = self.room.at + seconds
        while self.room.at < end:
            self.room.wait(0.25, 0.25)
            self.settle()
            self.deliver_late()

    @rule(chance=st.integers(0, 9))
    def wait_long(self, chance: int) -> None:
        if not chance:
            self.wait(6.0)

    # --- the room

    @precondition(lambda self: not self.speaking and len(self.owed - self.over) < 3)
    @rule(pieces=st.integers(1, 3), is_on=st.booleans())
    def speak(self, pieces: int, is_on: bool) -> None:
        self.speaking = self.new("t")
        self.sounds[self.speaking] = self.numbers
        self.owed.add(self.speaking)
        self.room.put(SpeechStarted(self.speaking, 0))
        for _ in range(pieces):
            self.go_on()
        if not is_on:
            self.fall_silent()

    @precondition(lambda self: self.speaking)
    @rule()
    def go_on(self) -> None:
        pcm = self.sounds[self.speaking].to_bytes(2, "little") * int(24_000 * PIECE_S)
        self.room.at += PIECE_S
        self.room.put(SpeechAudio(self.speaking, pcm))
        self.settle()
        self.deliver_late()

    @precondition(lambda self: self.speaking)
    @rule()
    def pause(self) -> None:
        """What the gate sends of a pause; a service of less patience ends the turn in it."""
        self.room.put(SpeechAudio(self.speaking, bytes(14_400)))
        self.wait(0.25)

    @precondition(lambda self: self.speaking)
    @rule()
    def fall_silent(self) -> None:
        turn_id, self.speaking = self.speaking, ""
        self.room.put(SpeechAudio(turn_id, bytes(14_400)))
        self.wait(0.75)
        self.room.put(ended(turn_id))
        self.settle()

    @precondition(lambda self: len(self.owed - self.over) < 3)
    @rule()
    def type(self) -> None:
        turn_id = self.new("t")
        self.owed.add(turn_id)
        self.asked.add(turn_id)
        self.room.ask(turn_id)
        self.settle()

    @precondition(lambda self: self.calls)
    @rule()
    def answer(self) -> None:
        self.room.answer(self.calls.pop())
        self.settle()

    # --- the service

    @precondition(lambda self: self.service is not None and self.service.on_its_way)
    @rule(count=st.integers(1, 4))
    def deliver(self, count: int) -> None:
        for _ in range(count):
            if self.service is not None and self.service.on_its_way:
                self.room.hear(self.service.on_its_way.pop(0)[1])
                self.settle()

    @precondition(lambda self: self.service is not None and self.service.unwritten)
    @rule(is_last=st.booleans())
    def write_down(self, is_last: bool) -> None:
        assert self.service is not None
        item_id, _ = self.service.unwritten.pop(-1 if is_last else 0)
        self.service.send(ev.TranscriptDone(item_id, "words"))

    @precondition(lambda self: self.service is not None and self.service.active)
    @rule(kind=st.sampled_from(["audio", "call", "done", "done", "failed"]))
    def respond(self, kind: str) -> None:
        service = self.service
        assert service is not None
        response_id = service.active
        match kind:
            case "audio":
                service.send(ev.ReplyAudioDelta(response_id, f"i_{response_id}", b"12"))
            case "call":
                service.send(ev.CallDone(response_id, ev.FunctionCall(self.new("c"), "light", "{}")))
            case _:
                status = ResponseStatus.COMPLETED if kind == "done" else ResponseStatus.FAILED
                self.end_response(service, status)

    @precondition(lambda self: self.service is not None)
    @rule(code=st.sampled_from(["invalid_value", "server_error", "conversation_already_has_active_response"]))
    def err(self, code: str) -> None:
        """About something else."""
        assert self.service is not None
        self.service.send(ev.ServerError(code, "oh"))

    def end_response(self, service: Service, status: ResponseStatus) -> None:
        if service.active:
            service.send(ev.ResponseDone(service.active, status))
        service.active = ""

    def hear_sound(self, service: Service, pcm: bytes) -> None:
        if any(pcm):
            sound = int.from_bytes(
                next(pcm[at : at + 2] for at in range(0, len(pcm), 2) if any(pcm[at : at + 2])), "little"
            )
            if not service.spoken:
                service.item_id = self.new("i")
                if service.names:
                    service.send(ev.ServerSpeechStarted(service.item_id))
            service.spoken.append(sound)
            service.silent = 0
            return
        service.silent += len(pcm)
        if service.spoken and service.silent >= SILENCE:
            self.items[service.item_id] = service.spoken
            service.unwritten.append((service.item_id, service.spoken))
            service.spoken = []
            service.send(ev.ServerSpeechStopped(service.item_id))
            service.send(ev.AudioCommitted(service.item_id))
            if service.answers:
                self.end_response(service, ResponseStatus.CANCELLED)
                service.active = self.new("r")
                service.send(ev.ResponseCreated(service.active, {}))

    def receive(self, event: ev.ClientEvent, service: Service) -> None:
        match event:
            case ev.AppendAudio(pcm):
                self.hear_sound(service, pcm)
            case ev.ClearAudio():
                service.spoken, service.silent = [], 0
            case ev.CommitAudio():
                raise AssertionError("a commit by hand")
            case ev.CreateResponse(event_id, metadata):
                if service.active:
                    busy = ev.ServerError("conversation_already_has_active_response", "no", event_id)
                    service.send(busy)
                else:
                    service.active = self.new("r")
                    echo = metadata if service.echoes else {}
                    service.send(ev.ResponseCreated(service.active, echo))
            case ev.CancelResponse(event_id, response_id):
                if service.active == response_id:
                    self.end_response(service, ResponseStatus.CANCELLED)
                else:
                    service.send(ev.ServerError("response_cancel_not_active", "no", event_id))
            case _:
                pass

    # --- what must hold

    @invariant()
    def outcomes_make_sense(self) -> None:
        for outcome in self.room.outcomes[self.seen :]:
            match outcome:
                case TurnFinished(turn_id) | TurnLost(turn_id):
                    assert turn_id not in self.over, f"{turn_id} ended twice"
                    self.over.add(turn_id)
                case ToolCall(_, call_id):
                    self.calls.append(call_id)
                case Transcript(turn_id, item_id, "user"):
                    assert turn_id not in self.over, "words of a turn that is over"
                    if self.kind["names"]:
                        sound = self.sounds[turn_id.partition(".")[0]]
                        assert sound in self.items[item_id], f"{turn_id} never said what is in {item_id}"
                case _:
                    pass
        self.seen = len(self.room.outcomes)

    def teardown(self) -> None:
        if self.speaking:
            self.fall_silent()
        for _ in range(300):
            if self.service is None:
                self.connect()
            self.deliver_all()
            self.wait(1.0)
            self.outcomes_make_sense()
        assert self.owed <= self.over, f"nobody was told of {self.owed - self.over}"
        assert self.room.protocol.is_quiet
        conversation = self.room.protocol._conversation
        turns, ending = self.room.protocol._answers.turns, conversation._ending
        assert ending is not None
        assert (len(turns), turns._items, turns._responses, turns._calls) == (0, {}, {}, {})
        assert (ending._waits, ending._parts, ending._part_numbers) == ({}, {}, {})

    # --- means

    def deliver_late(self) -> None:
        """Nothing stays on its way for longer."""
        while (
            self.service is not None
            and self.service.on_its_way
            and self.room.at - self.service.on_its_way[0][0] >= LATENCY_S
        ):
            self.deliver(1)

    def deliver_all(self) -> None:
        if self.service is not None and self.service.active:
            self.end_response(self.service, ResponseStatus.COMPLETED)
        while self.service is not None and self.service.on_its_way:
            self.deliver(4)

    def new(self, prefix: str) -> str:
        self.numbers += 1
        return f"{prefix}{self.numbers}"

    def lose_connection(self, detail: str) -> None:
        self.service = None
        self.room.down(detail)
        assert self.room.take() == [], "nothing is sent into a lost connection"

    def settle(self) -> None:
        for event in self.room.take():
            assert self.service is not None, "sent without a connection"
            self.service.at = self.room.at
            self.receive(event, self.service)
        if self.room.close is not None:
            reason, self.room.close = self.room.close, None
            if self.service is not None:
                self.lose_connection(reason)


World.TestCase.settings = hypothesis_settings(max_examples=50, stateful_step_count=40, deadline=None)
TestWorld: Any = World.TestCase
