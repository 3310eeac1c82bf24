from pathlib import Path

import pytest

from voice_node.model.errors import ConfigError
from voice_node.settings.document import parse_document
from voice_node.settings.edit import edited, read_text, write_file
from voice_node.settings.load import load_room

SHIPPED = Path(__file__).parents[2] / "config" / "rooms" / "kitchen.yaml"
CHANGES = {("capture", "gain_db"): -12.0, ("gate", "min_snr_db"): 8.0}


def test_only_the_numbers_change_and_comments_keep_their_column() -> None:
    before = read_text(SHIPPED)
    after = edited(before, CHANGES)
    changed = [(old, new) for old, new in zip(before.splitlines(), after.splitlines(), strict=True) if old != new]
    assert [new.split("#")[0].strip() for _, new in changed] == ["gain_db: -12", "min_snr_db: 8"]
    assert all(old.index("#") == new.index("#") for old, new in changed)
    assert all(old.partition("#")[2] == new.partition("#")[2] for old, new in changed)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("room: a", "room: a\n\ncapture:\n  gain_db: -12\n\ngate:\n  min_snr_db: 8\n"),
        ("room: a\ngate: {}\ncapture: {gain_db: 1}\n", "room: a\ngate: {min_snr_db: 8}\ncapture: {gain_db: -12}\n"),
        ("{room: a, gate: {frame_ms: 20}}", "{capture: {gain_db: -12}, room: a, gate: {min_snr_db: 8, frame_ms: 20}}"),
        (
            "gate:  # why\r\n    # more\r\n    frame_ms: 20\r\ncapture: {gain_db: 0}\r\nroom: a\r\n",
            "gate:  # why\r\n    # more\r\n    min_snr_db: 8\r\n    frame_ms: 20\r\n"
            "capture: {gain_db: -12}\r\nroom: a\r\n",
        ),
        ("capture: {gain_db: 0.5} # ä\ngate:\n  min_snr_db: 10 #\nroom: a",
         "capture: {gain_db: -12} # ä\ngate:\n  min_snr_db: 8  #\nroom: a"),
    ],
)  # fmt: skip
def test_what_is_not_there_yet_is_added(before: str, after: str) -> None:
    assert edited(before, CHANGES) == after


@pytest.mark.parametrize(
    "text",
    [
        "room: a\nx: &x {gain_db: 0}\ncapture: *x\n",
        "room: a\n...\n",
        "room: a\ncapture:\n",
        "room: a\ncapture: [1]\n",
        "room: a\ncapture: &x {gain_db: 0}\ny: *x\n",
    ],
)
def test_what_cannot_be_changed_is_said_and_not_broken(text: str) -> None:
    with pytest.raises(ConfigError, match=r"capture\.gain_db: cannot be changed here .* write -12 by hand"):
        edited(text, CHANGES)


def test_a_text_that_is_no_room_is_told() -> None:
    with pytest.raises(ConfigError, match="the file is empty"):
        edited("", CHANGES)


def test_a_file_keeps_its_mode_and_a_link_stays_one(tmp_path: Path) -> None:
    real, link = tmp_path / "real.yaml", tmp_path / "link.yaml"
    real.write_text("room: a\n")
    real.chmod(0o640)
    link.symlink_to(real)
    write_file(link, edited(read_text(link), CHANGES))
    assert link.is_symlink()
    assert real.stat().st_mode & 0o7777 == 0o640
    assert load_room(real).settings.capture.gain_db == -12
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["link.yaml", "real.yaml"]


def test_a_new_file_can_be_read_by_the_service(tmp_path: Path) -> None:
    write_file(tmp_path / "new.yaml", "room: a\r\n")
    assert (tmp_path / "new.yaml").read_bytes() == b"room: a\r\n"
    assert (tmp_path / "new.yaml").stat().st_mode & 0o777 == 0o644


def test_a_place_that_cannot_be_written_is_an_error_for_people(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be written: No such file"):
        write_file(tmp_path / "none" / "room.yaml", "room: a\n")
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        read_text(tmp_path / "room.yaml")
    (tmp_path / "bad").write_bytes(b"\xff")
    with pytest.raises(ConfigError, match="not UTF-8"):
        read_text(tmp_path / "bad")


def test_the_places_of_values_are_those_in_the_text() -> None:
    text = read_text(SHIPPED)
    document = parse_document(text)
    place = document.places["gate", "hang_over_ms"]
    assert text[place.begin : place.end] == "500"
