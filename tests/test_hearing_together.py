"""The listening task of a room that shares what it hears with other rooms."""

import asyncio
import itertools
import json
from typing import Any

import pytest

from tests.fakes.pipeline_house import ROOM, TOPICS, UTTERANCE, Ear, House, asking_for_the_code, until
from tests.fakes.stages import FRAME_MS, LOUD, SILENT, Detector
from voice_node import private
from voice_node.capture.duplex import FullDuplex
from voice_node.gate import arbitration
from voice_node.gate.arbitration import Arbitration
from voice_node.gate.attention import Attention
from voice_node.gate.gate import Gate
from voice_node.model import command as cmd
from voice_node.model import control as ctl
from voice_node.model.audio import Frame
from voice_node.model.speech import SpeechAudio, SpeechEnded, SpeechStarted
from voice_node.model.turn import ToolCall
from voice_node.settings.schema import ActivationSettings

ONLINE = cmd.BrokerChanged(is_connected=True)
SHOUT = b"\x00\x70\x00\x90" * (len(LOUD) // 4)
"""The wake word."""


class Words:
    """Hears its word in every shout."""

    def hear(self, frame: Frame) -> str | None:
        return "okay_nabu" if frame.pcm == SHOUT else None


def sharing(mode: str = "voice", **changes: Any) -> House:
    """A room that takes part."""
    claims, turns = itertools.count(1), itertools.count(1)
    settings = ActivationSettings.model_validate({"mode": mode, "follow_up_ms": 5000})
    gate = Gate(ROOM.gate, lambda: f"t{next(turns)}")
    return House(
        arbitration=Arbitration("kitchen", lambda: f"k{next(claims)}", is_repeated=mode == "voice"),
        gate=gate,
        attention=Attention(settings, FRAME_MS, gate, Detector(), Words() if mode == "wake_word" else None),
        **changes,
    )


def claims(house: House) -> list[Any]:
    return [json.loads(message.payload) for message in house.broker.offered if message.topic == TOPICS.claim]


async def come_back(house: House, number: int = 1, *, after: str | None = None) -> None:
    """The room's claim of that number is told to all, where `after` is given behind another room's."""
    await until(lambda: len(claims(house)) >= number)
    claim = claims(house)[number - 1]
    if after is not None:
        house.pipes.order(cmd.RoomClaims(after, f"{after}-{number}"))
    house.pipes.order(cmd.RoomClaims(claim["room"], claim["claim_id"], claim.get("gives_way_to")))


async def test_nothing_is_sent_or_shown_before_the_room_knows_that_it_answers_and_then_all_is() -> None:
    async with sharing().at_work() as house:
        house.pipes.order(ONLINE)
        house.source.give(*UTTERANCE)
        await until(lambda: claims(house))
        assert claims(house) == [{"room": "kitchen", "claim_id": "k1"}]
        assert house.session.inputs == []
        assert house.payloads("speech") == []
        await come_back(house)
        await until(lambda: house.heard(SpeechEnded))
        sound = b"".join(piece.pcm for piece in house.heard(SpeechAudio))
        assert sound.startswith(SILENT + SILENT + 6 * LOUD)
        assert house.states() == ["idle", "listening", "thinking"]


async def test_what_another_room_answers_is_sent_nowhere_and_the_next_is_heard(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(arbitration, "WINDOW_S", 0.05)
    monkeypatch.setattr(arbitration, "GIVING_WAY_S", 0.1)
    async with sharing().at_work() as house:
        house.pipes.order(ONLINE)
        house.source.give(*UTTERANCE)
        await come_back(house, after="bedroom")
        await until(lambda: house.events("yielded"))
        assert house.events("yielded") == [
            {"to": "bedroom", "event_type": "yielded", "room": "kitchen", "turn_id": "t1"}
        ]
        house.source.give(*[SILENT] * 5)
        await until(lambda: house.source.taken == len(UTTERANCE) + 5)
        assert house.session.inputs == []
        assert house.states() == ["idle"]
        assert house.payloads("speech") == []
        assert house.broker.offered[-1].topic == TOPICS.event, "nothing but this was told"

        await asyncio.sleep(0.1)  # longer than the other room's claim counts
        house.source.give(*UTTERANCE)
        await come_back(house, 2)
        assert claims(house)[1]["gives_way_to"] == "bedroom"
        await come_back(house, 3)
        assert "gives_way_to" not in claims(house)[2], "the bedroom did not come"
        await until(lambda: house.heard(SpeechEnded))
        assert not house.codes()
        assert house.heard(SpeechEnded)[0].turn_id == "t2"


async def test_without_a_broker_it_answers_at_once() -> None:
    async with sharing().at_work() as house:
        house.source.give(*UTTERANCE)
        await until(lambda: house.heard(SpeechEnded))
        house.pipes.order(ONLINE)
        house.pipes.order(cmd.BrokerChanged(is_connected=False))
        house.source.give(*UTTERANCE)
        await until(lambda: len(house.heard(SpeechEnded)) == 2)
        assert claims(house) == []


async def test_a_claim_that_nobody_brings_back_costs_a_moment_and_is_told() -> None:
    async with sharing().at_work() as house:
        house.pipes.order(ONLINE)
        house.source.give(*UTTERANCE)
        await until(lambda: house.heard(SpeechEnded))
        await until(house.codes)
        assert house.codes() == ["arbitration"]
        assert house.heard(SpeechEnded)[0].is_kept


async def test_a_mute_ends_the_waiting_and_nothing_of_it_leaves() -> None:
    async with sharing().at_work() as house:
        house.pipes.order(ONLINE)
        house.source.give(*[LOUD] * 10)
        await until(lambda: claims(house))
        house.pipes.order(cmd.SetMute(is_muted=True))
        await until(lambda: house.states()[-1] == "muted")
        await come_back(house)
        await until(lambda: house.heard(ctl.SetMuted))
        assert not house.heard(SpeechStarted)
        assert not house.heard(SpeechAudio)
        assert not house.events("yielded")


async def test_who_waits_while_the_budget_is_spent_sends_nothing() -> None:
    async with sharing().at_work() as house:
        house.pipes.order(ONLINE)
        house.source.give(*[LOUD] * 10)
        await until(lambda: claims(house))
        house.pipeline._control(ctl.SetSpent(is_spent=True))
        await come_back(house)
        await until(lambda: len(house.pipes.inbox) == 0)
        house.source.give(SILENT)
        await until(lambda: house.source.taken == 11)
        assert not house.heard(SpeechStarted)


async def test_a_wake_word_that_another_room_answers_leaves_no_trace() -> None:
    async with sharing("wake_word").at_work() as house:
        house.pipes.order(ONLINE)
        house.source.give(*[SILENT] * 5, SHOUT, *[SILENT] * 20, *UTTERANCE)
        await come_back(house, after="bedroom")
        await until(lambda: house.events("yielded"))
        await until(lambda: house.source.taken == 26 + len(UTTERANCE))
        assert "turn_id" not in house.events("yielded")[0]
        assert house.session.inputs == []
        assert house.player.chimes == []
        assert not house.events("wake")
        assert house.states() == ["idle"]


async def test_a_wake_word_is_answered_when_its_claim_is_back_and_what_follows_is_claimed_too() -> None:
    async with sharing("wake_word").at_work() as house:
        house.pipes.order(ONLINE)
        house.source.give(*[SILENT] * 5, SHOUT, *[SILENT] * 20, *UTTERANCE)
        await until(lambda: claims(house))
        assert not house.events("wake")
        await come_back(house)
        await until(lambda: house.events("wake"))
        await come_back(house, 2)
        await until(lambda: house.heard(SpeechEnded))
        assert len(claims(house)) == 2


async def test_a_wake_word_silences_a_room_that_speaks_whoever_answers_it() -> None:
    async with sharing("wake_word", echo=FullDuplex()).at_work() as house:
        house.pipes.order(ONLINE)
        house.player.is_speaking = True
        house.source.give(SHOUT)
        await come_back(house, after="bedroom")
        await until(lambda: house.events("yielded"))
        assert house.player.stops == 1


async def test_a_room_that_speaks_keeps_the_others_silent() -> None:
    async with sharing().at_work() as house:
        house.pipes.order(ONLINE)
        house.player.is_speaking = True
        house.source.give(SILENT)
        await until(lambda: claims(house))
        assert claims(house)[0]["room"] == "kitchen"
        assert not house.heard(SpeechStarted), "nobody spoke here but the room itself"


async def test_a_code_is_heard_whoever_claims_it_and_the_others_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(private, "PAUSE_S", 0.01)
    async with sharing(private_ear=Ear(), router=asking_for_the_code(ROOM)).at_work() as house:
        house.pipes.order(ONLINE)
        house.tell(ToolCall("t0", "c1", "unlock", "{}"))
        await until(lambda: house.heard(ctl.SayText))
        house.pipes.order(cmd.RoomClaims("bedroom", "b1"))
        house.source.give(*UTTERANCE)
        await until(lambda: house.broker.delivered)
        assert claims(house)
        assert not house.events("yielded")
        house.pipes.order(cmd.ToolResult("unlock", "c1", output=1))
        await until(lambda: house.heard(ctl.AnswerCall))
