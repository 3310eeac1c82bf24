"""The parts that `building` adds; whole rooms are run in tests/system."""

import socket
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path

import pytest

from voice_node.building import client_id, observers_of, steady_moment, turn_ids
from voice_node.runtime.turn_log import log_report
from voice_node.settings.schema import RoomSettings


def test_turn_ids_are_unique_over_restarts_and_in_order() -> None:
    first, second = turn_ids(), turn_ids()
    ids = [first(), first(), second()]
    assert len(set(ids)) == 3
    assert ids[0].rpartition("-")[2] == "1"
    assert ids[1] == ids[0][:-1] + "2"


def test_a_client_id_stays_and_belongs_to_one_machine(tmp_path: Path) -> None:
    kitchen = RoomSettings(room="kitchen")
    one, other = tmp_path / "one", tmp_path / "other"
    one.write_text("11111111\n")
    other.write_text("22222222\n")
    assert client_id(kitchen, (one,)) == client_id(kitchen, (one,))
    assert client_id(kitchen, (one,)).startswith("voice_node-kitchen-")
    ids = {client_id(kitchen, (one,)), client_id(kitchen, (other,)), client_id(RoomSettings(room="hall"), (one,))}
    assert len(ids) == 3
    assert "1111" not in client_id(kitchen, (one,)), "a machine's id is not for others"
    assert client_id(kitchen, (tmp_path / "none",)) == client_id(kitchen, (tmp_path / "none",))


def test_the_moment_is_now() -> None:
    now = steady_moment()
    assert abs((datetime.now(UTC) - now.wall).total_seconds()) < 5
    assert steady_moment().at >= now.at


async def test_a_room_without_a_place_for_figures_has_its_journal_alone() -> None:
    async with AsyncExitStack() as stack:
        assert await observers_of(RoomSettings(room="kitchen"), stack) == (log_report,)


async def test_an_address_that_cannot_be_had_costs_the_figures_alone(caplog: pytest.LogCaptureFixture) -> None:
    pytest.importorskip("prometheus_client", reason="the extra `metrics` is not installed")
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        settings = RoomSettings.model_validate({"room": "kitchen", "metrics": {"port": port}})
        async with AsyncExitStack() as stack:
            assert await observers_of(settings, stack) == (log_report,)
    assert caplog.messages == [f"metrics: 127.0.0.1:{port} cannot be had: Address already in use"]
    async with AsyncExitStack() as stack:
        assert len(await observers_of(settings, stack)) == 2
        with socket.create_connection(("127.0.0.1", port)):
            pass
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))
