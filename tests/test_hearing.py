"""The listening task with stages of ours: frames in, segments for the session and reports for the broker out."""

import asyncio
import itertools

import pytest

from tests.fakes.pipeline_house import ROOM, UTTERANCE, Ear, House, asking_for_the_code, until
from tests.fakes.stages import FRAME_MS, LOUD, SILENT, Detector
from voice_node import private
from voice_node.capture.duplex import FullDuplex
from voice_node.gate.attention import Attention
from voice_node.gate.gate import Gate
from voice_node.model import command as cmd
from voice_node.model import control as ctl
from voice_node.model.audio import Frame
from voice_node.model.errors import ConfigError
from voice_node.model.report import NodeState
from voice_node.model.speech import EndReason, SpeechAudio, SpeechEnded, SpeechStarted
from voice_node.model.turn import ToolCall
from voice_node.settings.schema import ActivationSettings


async def test_a_code_is_heard_on_this_device_and_the_session_gets_none_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(private, "PAUSE_S", 0.01)
    ear = Ear()
    async with House(private_ear=ear, router=asking_for_the_code(ROOM)).at_work() as house:
        house.tell(ToolCall("t0", "c1", "unlock", "{}"))
        await until(lambda: house.heard(ctl.SayText))
        house.source.give(*UTTERANCE)
        await until(lambda: house.broker.delivered)
        (code,) = ear.heard
        assert len(code) > 6 * len(LOUD)
        assert not house.heard(SpeechStarted)
        assert not house.heard(SpeechAudio)
        assert not house.events("segment")
        house.pipes.order(cmd.ToolResult("unlock", "c1", output=1))
        await until(lambda: house.heard(ctl.AnswerCall))
        house.source.give(*UTTERANCE)
        await until(lambda: house.heard(SpeechEnded))


async def test_frames_become_segments_for_the_session_and_reports_for_the_broker() -> None:
    async with House().at_work() as house:
        house.source.give(*UTTERANCE)
        await until(lambda: house.events("segment"))
        await until(lambda: house.heard(SpeechEnded))
        started, *pieces, ended = house.session.inputs
        assert isinstance(started, SpeechStarted)
        assert isinstance(ended, SpeechEnded)
        assert started.turn_id == ended.turn_id == "t1"
        assert ended.is_kept
        assert ended.reason is EndReason.SILENCE
        sound = b"".join(piece.pcm for piece in pieces if isinstance(piece, SpeechAudio))
        assert sound.startswith(SILENT + SILENT + 6 * LOUD), "the pre-roll and everything that was said"
        assert sound in b"".join(UTTERANCE)
        assert house.payloads("speech") == ["ON", "OFF"]
        assert house.states() == ["idle", "listening", "thinking"]


async def test_the_session_gets_its_own_rate() -> None:
    async with House(session_rate_hz=24000).at_work() as house:
        house.source.give(*UTTERANCE)
        await until(lambda: house.heard(SpeechEnded))
        (ended,) = house.heard(SpeechEnded)
        samples = sum(len(piece.pcm) for piece in house.heard(SpeechAudio)) / 2
        assert samples == pytest.approx((ended.end_ms - ended.start_ms) * 24, rel=0.01)


async def test_a_sound_too_short_is_started_and_ended_and_not_kept() -> None:
    async with House().at_work() as house:
        house.source.give(LOUD, LOUD, *[SILENT] * 6)
        await until(lambda: house.heard(SpeechEnded))
        assert not house.heard(SpeechEnded)[0].is_kept
        assert house.heard(SpeechAudio) == []
        await until(lambda: house.states()[-1] == "idle")
        assert house.events("segment") == []


async def test_half_duplex_shuts_the_gate_while_the_node_speaks() -> None:
    async with House().at_work() as house:
        house.source.give(*[LOUD] * 5)
        await until(lambda: house.heard(SpeechAudio))
        house.player.is_speaking = True
        house.source.give(*[LOUD] * 20)
        await until(lambda: house.heard(SpeechEnded))
        await until(lambda: house.source.taken == 25)
        asked = house.detector.asked
        assert house.heard(SpeechEnded)[0].reason is EndReason.SHUT
        assert asked == 5, "no verdict on the node's own voice"
        assert len(house.heard(SpeechStarted)) == 1
        house.player.is_speaking = False
        house.source.give(*UTTERANCE)
        await until(lambda: len(house.heard(SpeechEnded)) == 2)
        own_voice = b"".join(piece.pcm for piece in house.heard(SpeechAudio) if piece.turn_id == "t2")
        assert own_voice.count(LOUD) == 6, "no sample from before"


async def test_without_half_duplex_the_gate_stays_open() -> None:
    async with House(echo=FullDuplex()).at_work() as house:
        house.player.is_speaking = True
        house.source.give(*UTTERANCE)
        await until(lambda: house.heard(SpeechEnded))
        assert house.heard(SpeechEnded)[0].is_kept


async def test_a_session_that_does_not_read_makes_the_microphone_wait_and_not_the_memory() -> None:
    async with House().at_work() as house:
        house.session.may_read.clear()
        house.source.give(*[LOUD] * 2000)
        await until(lambda: len(house.pipes.inputs) >= 500)
        taken = house.source.taken
        await asyncio.sleep(0.02)
        assert house.source.taken == taken
        assert house.pipes.inputs.lost == 0
        house.session.may_read.set()
        await until(lambda: house.source.taken == 2000)


# Attention


class Words:
    """Hears its word in every frame that is louder than the test's speech."""

    def hear(self, frame: Frame) -> str | None:
        return "okay_nabu" if frame.pcm == SHOUT else None


SHOUT = b"\x00\x70\x00\x90" * (len(LOUD) // 4)
WAKING = ActivationSettings(mode="wake_word", follow_up_ms=5000)


def attentive(settings: ActivationSettings) -> tuple[Gate, Attention]:
    numbers = itertools.count(1)
    gate = Gate(ROOM.gate, lambda: f"t{next(numbers)}")
    return gate, Attention(settings, FRAME_MS, gate, Detector(), Words())


async def test_only_what_follows_a_wake_word_reaches_the_session() -> None:
    gate, attention = attentive(WAKING)
    async with House(gate=gate, attention=attention).at_work() as house:
        house.source.give(*UTTERANCE, *[SILENT] * 20)
        await until(lambda: house.source.taken == len(UTTERANCE) + 20)
        assert house.session.inputs == []
        house.source.give(SHOUT, *[SILENT] * 20, *[LOUD] * 6, *[SILENT] * 5)
        await until(lambda: house.heard(SpeechEnded))
        assert [event["wake_word"] for event in house.events("wake")] == ["okay_nabu"]
        assert b"".join(piece.pcm for piece in house.heard(SpeechAudio)).count(SHOUT) == 0
        await until(lambda: house.states()[-1] == "thinking")
        assert house.states()[:3] == ["idle", "listening", "listening"], "for speech, and then to it"


async def test_a_request_opens_a_window_and_a_mute_closes_it() -> None:
    gate, attention = attentive(ActivationSettings(mode="push_to_talk"))
    async with House(gate=gate, attention=attention).at_work() as house:
        house.pipeline._control(ctl.OpenGate(5000))
        await until(lambda: house.states()[-1] == "listening")
        house.pipes.order(cmd.SetMute(is_muted=True))
        await until(lambda: house.states()[-1] == "muted")
        assert not attention.is_window_open
        house.pipeline._control(ctl.OpenGate(5000))
        assert not attention.is_window_open, "a muted room attends to nobody"


async def test_a_wake_word_over_a_reply_stops_it() -> None:
    gate, attention = attentive(WAKING)
    async with House(gate=gate, attention=attention, echo=FullDuplex()).at_work() as house:
        house.player.is_speaking = True
        house.source.give(*[LOUD] * 20)
        await until(lambda: house.source.taken == 20)
        assert house.player.stops == 0
        house.source.give(SHOUT)
        await until(lambda: house.player.stops == 1)


async def test_a_room_with_a_wake_word_hears_a_code_with_its_pauses_and_no_wake_word(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(private, "PAUSE_S", 0.2)
    ear = Ear()
    gate, attention = attentive(ActivationSettings(mode="wake_word", follow_up_ms=0))
    settings = ROOM.model_copy(update={"activation": ActivationSettings(mode="wake_word", follow_up_ms=0)})
    router = asking_for_the_code(settings)
    async with House(private_ear=ear, router=router, gate=gate, attention=attention).at_work() as house:
        house.source.give(*UTTERANCE, *[SILENT] * 20)
        await until(lambda: house.source.taken == len(UTTERANCE) + 20)
        house.tell(ToolCall("t0", "c1", "unlock", "{}"))
        await until(lambda: house.heard(ctl.SayText))
        house.source.give(*UTTERANCE, *[SILENT] * 10, *UTTERANCE)
        await until(lambda: house.broker.delivered)
        assert ear.heard[0].count(LOUD) == 12, "both halves of the code"
        assert not house.heard(SpeechStarted)
        house.pipes.order(cmd.ToolResult("unlock", "c1", output=1))
        await until(lambda: house.heard(ctl.AnswerCall))
        house.source.give(*[SILENT] * 80)
        await until(lambda: not attention.is_window_open)


async def test_other_wake_words_are_loaded_aside_and_bad_ones_are_told() -> None:
    gate, attention = attentive(WAKING)
    asked: list[tuple[str, ...]] = []

    def load(words: tuple[str, ...]) -> Words:
        asked.append(words)
        if words == ("bad",):
            raise ConfigError("bad: no model")
        return Words()

    async with House(gate=gate, attention=attention, load_wake_words=load).at_work() as house:
        house.pipeline._control(ctl.ListenFor(("alexa",), 5000))
        house.pipeline._control(ctl.ListenFor(("bad",), 5000))
        await until(lambda: house.codes() == ["wake_word"])
        assert sorted(asked) == [("alexa",), ("bad",)]


async def test_the_state_is_shown_beside_mqtt() -> None:
    shown: list[str] = []

    async def show(state: NodeState) -> None:
        shown.append(state)

    async with House(show=show).at_work() as house:
        house.source.give(*UTTERANCE)
        await until(lambda: "thinking" in shown)
    assert shown[:3] == ["idle", "listening", "thinking"]


async def test_a_chime_goes_to_the_player() -> None:
    async with House().at_work() as house:
        house.pipeline._control(ctl.SoundChime(ctl.Chime.WAKE))
        assert house.player.chimes == [ctl.Chime.WAKE]
