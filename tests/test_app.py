"""The parts that `app` adds; whole rooms are run in tests/system."""

import asyncio
import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from tests.fakes.tone import noise, write_wav
from voice_node.app import (
    Node,
    usable_room,
    words_of,
)
from voice_node.capture import recording as recording_module
from voice_node.capture.recording import Recording
from voice_node.model.errors import CaptureLost, ConfigError
from voice_node.mqtt.message import Message
from voice_node.pipeline import End
from voice_node.runtime.orders import Orders
from voice_node.runtime.systemd import ServiceManager
from voice_node.settings.secrets import Secrets
from voice_node.sound_stages import Recordings

CALL = Message("voice_node/kitchen/tool/a/call", b"{}", qos=1)


@pytest.fixture
def room_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free_port: int) -> Path:
    """A room whose broker is away."""
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path / "state"))
    path = tmp_path / "kitchen.yaml"
    path.write_text(f"room: kitchen\nplayback: {{device: none}}\nmqtt: {{port: {free_port}}}\n")
    return path


@pytest.fixture
def free_port() -> Iterator[int]:
    """Bound, but nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        yield probe.getsockname()[1]


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    return write_wav(tmp_path / "noise.wav", noise(16000, 200, 10), rate_hz=16000)


def test_secrets_are_known_to_the_log() -> None:
    assert words_of(Secrets()) == []
    assert words_of(Secrets(SecretStr("k"), SecretStr("p"))) == ["k", "p"]


def test_a_room_is_usable_with_its_secrets_only(tmp_path: Path) -> None:
    path = tmp_path / "kitchen.yaml"
    path.write_text("room: kitchen\nsession: {provider: openai}\nmqtt: {username: me}\n")
    with pytest.raises(ConfigError) as problem:
        usable_room(path, Secrets())
    assert [line.split(" needs ")[0] for line in str(problem.value).splitlines()] == [
        f"{path}: session.provider: openai",
        f"{path}: mqtt.username: a user name",
    ]
    assert usable_room(path, Secrets(SecretStr("k"), SecretStr("p"))).settings.room == "kitchen"


async def test_signals_become_orders() -> None:
    orders = Orders()
    orders.listen()
    loop = asyncio.get_running_loop()
    try:
        os.kill(os.getpid(), signal.SIGHUP)
        await asyncio.wait_for(orders.reload.wait(), 5)
        assert not orders.stop.is_set()
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.wait_for(orders.stop.wait(), 5)
    finally:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            loop.remove_signal_handler(number)


def append(path: Path, text: str) -> None:
    """Change a room file."""
    with path.open("a") as file:
        file.write(text)


def node(path: Path, recordings: Recordings | None = None) -> Node:
    return Node(usable_room(path, Secrets()), Secrets(), ServiceManager({}), recordings)


async def test_a_node_ends_with_its_recordings(
    room_file: Path, recording: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recording_module, "BROKER_PATIENCE_S", 0.1)
    assert await node(room_file, Recordings((recording,), is_fast=True)).run(Orders()) is End.DONE


async def test_an_order_that_came_before_the_start_is_heeded(room_file: Path, recording: Path) -> None:
    orders = Orders()
    orders.stop.set()
    assert await asyncio.wait_for(node(room_file, Recordings((recording,))).run(orders), 10) is End.DONE


async def test_a_good_file_ends_the_node_for_the_next_one(room_file: Path, recording: Path) -> None:
    orders = Orders()
    orders.reload.set()
    old = node(room_file, Recordings((recording,), silence_after_ms=60_000))
    append(room_file, "name: Scullery\n")
    assert await asyncio.wait_for(old.run(orders), 10) is End.RELOAD
    assert old.next_room.settings.display_name == "Scullery"
    assert not orders.reload.is_set()


async def test_a_bad_file_changes_nothing(
    room_file: Path, recording: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(recording_module, "BROKER_PATIENCE_S", 0.1)
    orders = Orders()
    orders.reload.set()
    old = node(room_file, Recordings((recording,), is_fast=True, silence_after_ms=60_000))
    append(room_file, "gate: [\n")
    assert await asyncio.wait_for(old.run(orders), 10) is End.DONE
    assert old.next_room.settings.room == "kitchen"
    assert "the old settings stay" in caplog.text


async def test_the_error_that_ends_a_stage_ends_the_node(room_file: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.wav: cannot be read"):
        await node(room_file, Recordings((tmp_path / "none.wav",))).run(Orders())


async def test_a_stage_that_cannot_go_on_ends_the_node_by_its_error(
    room_file: Path, recording: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(_source: Recording) -> None:
        raise CaptureLost("microphone x: gone")

    monkeypatch.setattr(Recording, "__anext__", fail)
    with pytest.raises(CaptureLost, match="gone"):
        await node(room_file, Recordings((recording,))).run(Orders())
