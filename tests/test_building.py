"""The parts that `building` adds; whole rooms are run in tests/system."""

from datetime import UTC, datetime
from pathlib import Path

from voice_node.building import client_id, steady_moment, turn_ids
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
