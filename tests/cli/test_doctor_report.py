import json
import tarfile
import zipfile
from pathlib import Path

import pytest

from voice_node.cli.doctor_finding import Finding, Status
from voice_node.cli.doctor_report import HIDDEN, MOST_LINES, Redaction, contents, write_bundle
from voice_node.model.errors import ConfigError

KEY = "sk-proj-canarycanarycanary0123456789"
PASSWORD = "der canary singt"
CANARIES = (KEY, "canary", "singt", "4711")


@pytest.fixture
def redaction() -> Redaction:
    return Redaction(["canary", "canary2", PASSWORD, "4711"])


def test_words_that_are_known_and_forms_that_are_telling_are_cut_out(redaction: Redaction) -> None:
    assert redaction.text(f"a {PASSWORD}b 4711. canary2") == f"a {HIDDEN}b {HIDDEN}. {HIDDEN}"
    for secret in (KEY, "ek_abcdefghijklmnop", "xai-abcdefghijklmnop", "eyJ0eXAiOiJKV1QiLCJhbGc.eyJpc3M.abc-def"):
        assert Redaction([]).text(f"x ({secret}), y") == f"x ({HIDDEN}), y"
    assert HIDDEN in Redaction([]).text("Authorization: Bearer abc")
    assert "abc" not in Redaction([]).text("Authorization: abc")
    assert Redaction([""]).text("plain words") == "plain words"


def test_everything_in_mappings_and_lists_is_looked_at(redaction: Redaction) -> None:
    assert redaction.value({"a canary": ["canary", 4711, None, True, ("4711",)]}) == {
        f"a {HIDDEN}": [HIDDEN, 4711, None, True, [HIDDEN]]
    }


def test_a_room_file_loses_what_people_pasted_and_keeps_the_rest(tmp_path: Path) -> None:
    room = tmp_path / "kitchen.yaml"
    room.write_text(
        "room: kitchen\n"
        f"api_key: {KEY}\n"
        f"mqtt: {{host: broker.lan, password: {PASSWORD}}}\n"
        "session:\n"
        f"  url: wss://me:canary@example.org/v1?token=canary\n"
        f"  auth: {KEY}\n"
        f"  instructions: use {KEY} please\n"
        "  tools: [{type: mcp, server_label: a, headers: {X-Home: canary}}]\n"
    )
    shown = Redaction([]).room_file(room)
    text = json.dumps(shown)
    assert not [word for word in CANARIES if word in text]
    assert shown["mqtt"]["host"] == "broker.lan"
    assert shown["session"]["tools"][0]["headers"] == {"X-Home": HIDDEN}
    room.write_text("room: kitchen\nsession: {auth: client_secret, url: 'https://example.org'}\n")
    assert Redaction([]).room_file(room)["session"] == {"auth": "client_secret", "url": "https://example.org"}


@pytest.mark.parametrize("text", ["room: [canary\n", "", "- canary\n", "session: canary\nmqtt: [canary]\n"])
def test_a_file_that_is_no_room_file_shows_nothing_of_itself(tmp_path: Path, text: str) -> None:
    room = tmp_path / "kitchen.yaml"
    room.write_text(text)
    assert "canary" not in json.dumps(Redaction(["canary"]).room_file(room))


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    assert "cannot be read" in Redaction([]).room_file(tmp_path / "none.yaml")


@pytest.mark.parametrize("name", ["report.zip", "report.tar.gz"])
def test_a_bundle_is_for_this_user_alone_and_never_replaces_a_file(
    tmp_path: Path, name: str, redaction: Redaction
) -> None:
    findings = [Finding("broker", Status.FAULT, f"not with {PASSWORD}", "4711")]
    journal = "\n".join(f"line {number} {KEY} {PASSWORD}" for number in range(2 * MOST_LINES))
    files = contents({"room": "kitchen"}, findings, {"python": "3.11"}, journal, redaction)
    path = tmp_path / name
    write_bundle(path, files)
    assert path.stat().st_mode & 0o777 == 0o600
    read = unpacked(path)
    assert set(read) == {"room.json", "findings.json", "versions.json", "journal.txt"}
    assert not [word for word in CANARIES if any(word in text for text in read.values())]
    assert len(read["journal.txt"].splitlines()) == MOST_LINES
    assert json.loads(read["findings.json"])[0]["status"] == "fault"
    with pytest.raises(ConfigError, match="is there already"):
        write_bundle(path, files)
    with pytest.raises(ConfigError, match="cannot be written"):
        write_bundle(tmp_path / "none" / name, files)


def test_where_there_is_no_journal_the_bundle_says_so(redaction: Redaction) -> None:
    assert "no journal" in contents({}, [], {}, None, redaction)["journal.txt"]


def unpacked(path: Path) -> dict[str, str]:
    """File name -> text."""
    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as archive:
            return {Path(name).name: archive.read(name).decode() for name in archive.namelist()}
    with tarfile.open(path) as tar:
        found = {}
        for member in tar.getmembers():
            file = tar.extractfile(member)
            assert file is not None
            found[Path(member.name).name] = file.read().decode()
        return found
