"""Tool calls through the pipeline: delivered, answered, or given up in time."""

import json

from tests.fakes.pipeline_house import TOPICS, UTTERANCE, House, call, until
from tests.fakes.stages import LOUD
from voice_node.model import command as cmd
from voice_node.model import control as ctl
from voice_node.model.speech import SpeechEnded
from voice_node.model.turn import ToolCall
from voice_node.mqtt.message import Message


async def test_a_call_is_delivered_and_its_answer_reaches_the_session() -> None:
    async with House().at_work() as house:
        house.tell(call())
        await until(lambda: house.broker.delivered)
        (message,) = house.broker.delivered
        assert message.topic == TOPICS.branch + "tool/light/call"
        assert json.loads(message.payload)["call_id"] == "c1"
        assert all("tool/" not in offered.topic for offered in house.broker.offered), "never where it could wait"
        house.pipes.order(cmd.ToolResult("light", "c1", output={"on": True}))
        await until(lambda: house.heard(ctl.AnswerCall))
        assert house.heard(ctl.AnswerCall) == [ctl.AnswerCall("c1", '{"on": true}')]


async def test_a_call_straight_to_a_device_is_done_when_the_broker_has_it() -> None:
    async with House().at_work() as house:
        house.tell(ToolCall("t1", "c1", "plug", "{}"))
        await until(lambda: house.heard(ctl.AnswerCall))
        assert [(message.topic, message.payload) for message in house.broker.delivered] == [("plug/set", b"ON")]
        assert house.heard(ctl.AnswerCall) == [ctl.AnswerCall("c1", '{"result": "sent"}')]
        await until(lambda: house.audited)
        assert (house.audited[0]["tool"], house.audited[0]["outcome"]) == ("plug", "done")


async def test_a_call_of_which_nobody_knows_whether_it_arrived_is_left_to_its_deadline() -> None:
    async def unknown(message: Message) -> str | None:
        raise TimeoutError(message.topic)

    async with House().at_work() as house:
        house.broker.deliver = unknown  # type: ignore[method-assign]  # the broker of this test
        house.tell(call(name="hasty"))
        await until(lambda: house.heard(ctl.AnswerCall))
        assert house.heard(ctl.AnswerCall) == [ctl.AnswerCall("c1", '{"error": "no answer in time"}')]


async def test_a_call_that_cannot_be_delivered_is_answered_at_once() -> None:
    async with House().at_work() as house:
        house.broker.trouble = "the broker is away"
        house.tell(call())
        await until(lambda: house.heard(ctl.AnswerCall))
        (answer,) = house.heard(ctl.AnswerCall)
        assert json.loads(answer.output) == {"error": "home unreachable"}
        assert house.codes() == ["unreachable"]


async def test_a_call_that_cannot_be_written_is_answered_at_once() -> None:
    async with House().at_work() as house:
        house.tell(call("x" * 1000))
        await until(lambda: house.heard(ctl.AnswerCall))
        assert house.broker.delivered == []
        assert "unreachable" in house.codes()


async def test_a_delivery_that_hangs_holds_up_nothing() -> None:
    async with House().at_work() as house:
        house.broker.may_deliver.clear()
        house.tell(call("c1"))
        house.source.give(*UTTERANCE)
        await until(lambda: house.heard(SpeechEnded))
        house.tell(call("c2"))
        house.pipes.order(cmd.Stop())
        await until(lambda: house.player.stops == 1)
        assert house.broker.delivered == []
        house.broker.may_deliver.set()
        await until(lambda: len(house.broker.delivered) == 2)
        assert [json.loads(message.payload)["call_id"] for message in house.broker.delivered] == ["c1", "c2"]


async def test_a_call_that_nobody_answers_is_answered_by_its_deadline() -> None:
    async with House().at_work() as house:
        house.tell(call(name="hasty"))
        await until(lambda: house.heard(ctl.AnswerCall))
        assert json.loads(house.heard(ctl.AnswerCall)[0].output) == {"error": "no answer in time"}


async def test_an_answer_reaches_a_session_that_is_behind() -> None:
    """A slow uplink fills the way to the session with sound; the model must not wait for an answer that was dropped."""
    async with House().at_work() as house:
        house.session.may_read.clear()
        house.source.give(*[LOUD] * 2000)
        await until(lambda: len(house.pipes.inputs) >= 500)
        house.tell(call())
        await until(lambda: house.broker.delivered)
        house.pipes.order(cmd.ToolResult("light", "c1", output=1))
        house.pipes.order(cmd.Ask("?"))
        await until(lambda: house.payloads("response/ask"))
        house.session.may_read.set()
        await until(lambda: house.heard(ctl.AnswerCall) and house.heard(ctl.AskText))
        assert house.heard(ctl.AnswerCall) == [ctl.AnswerCall("c1", "1")]
        assert [asked.text for asked in house.heard(ctl.AskText)] == ["?"]


async def test_a_call_that_comes_with_a_stop_is_refused_until_the_session_has_it() -> None:
    async with House().at_work() as house:
        house.session.may_read.clear()
        house.pipes.order(cmd.Stop())
        house.tell(call())
        await until(lambda: house.pipes.inputs)
        await until(lambda: any("stopped" in str(event) for event in house.payloads("event")))
        assert house.broker.delivered == []
        house.session.may_read.set()
        await until(lambda: house.heard(ctl.AnswerCall))
        assert house.session.inputs[0] == ctl.StopReply()
        house.tell(call("c2"))
        await until(lambda: house.broker.delivered)
