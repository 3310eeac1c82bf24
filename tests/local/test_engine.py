import logging

import pytest

from tests.local.rooms import GET_TIME, ROOM, SET_LIGHT, UNLOCK, tool
from voice_node.local import engine as engine_module
from voice_node.local.dialogue import Call, CallAll, EngineSaid, Entry, Lack, Say, UserSaid
from voice_node.local.engine import Engine
from voice_node.local.recogniser import WorkerLost
from voice_node.settings.tools import Tool

NAMES = {one.name for one in ROOM}


async def test_it_understands_what_is_allowed_offline() -> None:
    engine = Engine(ROOM, "en")
    engine.start()
    assert engine.read("what time is it", NAMES) == [Call("get_time", {})]
    assert engine.read("unlock the door", NAMES) == []
    assert UNLOCK.name not in engine.tools
    await engine.close()


async def test_what_cannot_be_used_is_named(caplog: pytest.LogCaptureFixture) -> None:
    engine = Engine([tool("t", ["turn {nothing}"]), SET_LIGHT], "en")
    engine.start()
    assert "tool t: the sentence 'turn {nothing}'" in caplog.text
    await engine.close()


@pytest.mark.parametrize(
    ("tools", "language", "why"), [([], "en", "no tool has a sentence"), ([GET_TIME], "de", "English only")]
)
async def test_it_says_why_speech_is_not_understood(
    tools: list[Tool], language: str, why: str, caplog: pytest.LogCaptureFixture
) -> None:
    engine = Engine(tools, language)
    engine.start()
    assert why in caplog.text
    assert engine.recogniser is None
    with pytest.raises(WorkerLost):
        await engine.recognise(bytes(2))
    await engine.close()


async def test_without_hassil_nothing_is_understood_and_nothing_breaks(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    monkeypatch.setattr(engine_module, "Intents", None)
    engine = Engine(ROOM, "en")
    engine.start()
    assert "pip install 'voice-node[local]'" in caplog.text
    assert engine.read("what time is it", NAMES) == ()
    await engine.close()


async def test_what_is_missing_is_asked_for_and_put_in() -> None:
    engine = Engine(ROOM, "en")
    assert engine.fill(Lack(Call("set_light", {}), "area", ""), "kitchen") is None
    engine.start()
    said: list[Entry] = [UserSaid("turn on the light")]
    assert engine.answer(said, NAMES) == Say("Which area: kitchen, bedroom or living room?")
    said += [EngineSaid(), UserSaid("the kitchen please")]
    assert engine.answer(said, NAMES) == CallAll((Call("set_light", {"state": "on", "area": "kitchen"}),))
    said[-1] = UserSaid("say that again")
    assert engine.answer(said, NAMES) == Say("Which area: kitchen, bedroom or living room?")
    await engine.close()
