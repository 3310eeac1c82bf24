"""The commands by hand where several do them at once, with a text that no message carries, and with a room's own login.

The broker has the shipped access rules.
"""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tests.config.test_mosquitto import ACL, HOME, KITCHEN, USERS
from tests.fakes import broker as fake
from tests.fakes.broker import Broker
from tests.system.house import Program, home, online, write_room
from tests.system.test_commands import command
from voice_node.cli.commands import group

pytestmark = pytest.mark.skipif(bool(fake.ABSENT), reason=fake.ABSENT)


@pytest.fixture
def broker() -> Iterator[Broker]:
    with Broker(users=USERS, acl=ACL) as running:
        yield running


@pytest.mark.slow
async def test_a_room_s_own_login_hears_its_answers(tmp_path: Path, broker: Broker) -> None:
    room = write_room(tmp_path, broker.port, mqtt={"username": KITCHEN})
    login = {"MQTT_PASSWORD": USERS[KITCHEN]}
    async with home(broker.port, username=HOME, password=USERS[HOME]) as spy:
        with Program(tmp_path, "run", room, environ=login) as node:
            await online(spy)
            with (
                Program(tmp_path, "say", room, "dinner", environ=login) as saying,
                Program(tmp_path, "ask", room, "turn on the kitchen light", environ=login) as asking,
                Program(tmp_path, "mute", room, environ=login) as muting,
            ):
                assert [await each.ended() for each in (saying, asking, muting)] == [0, 0, 0]
                assert saying.output.startswith("ok: turn ")
                assert asking.output == "The kitchen light is on.\n"
                assert muting.output == "ok: the microphone is closed\n"
            assert "Traceback" not in node.log


async def test_a_login_that_may_hear_nothing_is_thought_of(
    tmp_path: Path, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = write_room(tmp_path, broker.port, mqtt={"username": "bedroom"})
    monkeypatch.setenv("MQTT_PASSWORD", USERS["bedroom"])
    done = await run("stop", room, "--timeout", "0.3")
    assert "does it run, and may bedroom hear all of voice_node/kitchen/# at the broker?" in str(done.exception)


async def test_a_text_that_no_message_carries_is_said_in_plain_words(tmp_path: Path) -> None:
    with Broker() as broker:
        room = write_room(tmp_path, broker.port)
        assert str((await run("say", room, "x" * 70_000)).exception).startswith("the text is too long")
        code, _, error = await command(tmp_path, "say", room, "caf\udce9")
        assert (code, error) == (1, "the text is not UTF-8\n")


@pytest.mark.slow
async def test_mute_and_unmute_at_once_are_each_told_their_own(tmp_path: Path) -> None:
    with Broker() as broker:
        room = write_room(tmp_path, broker.port)
        async with home(broker.port) as spy:
            with Program(tmp_path, "run", room):
                await online(spy)
                with Program(tmp_path, "mute", room) as muting, Program(tmp_path, "unmute", room) as unmuting:
                    codes = [await muting.ended(), await unmuting.ended()]
                assert 0 in codes
                assert "switch on the device" not in muting.log + unmuting.log


async def run(*arguments: str | Path) -> Result:
    words = [str(argument) for argument in arguments]
    return await asyncio.to_thread(CliRunner().invoke, group, words)
