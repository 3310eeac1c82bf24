"""Room files, good and bad: the messages are held to the letter, because they are what people see."""

import textwrap
from collections.abc import Iterator
from dataclasses import FrozenInstanceError
from pathlib import Path
from typing import Any

import pytest

from voice_node.model.errors import ConfigError
from voice_node.settings.load import MOST_PROBLEMS, load_room
from voice_node.settings.problem import Problem
from voice_node.settings.schema import RoomSettings


def write(folder: Path, text: str) -> Path:
    """A room file with `text`."""
    path = folder / "room.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def problems(folder: Path, text: str) -> list[str]:
    """The lines of the error that the file gives, without its name."""
    path = write(folder, text)
    with pytest.raises(ConfigError) as caught:
        load_room(path)
    lines = str(caught.value).split("\n")
    assert all(line.startswith(f"{path}:") for line in lines), lines
    return [line.removeprefix(f"{path}:") for line in lines]


def bad_rooms() -> Iterator[Any]:
    """The cases of bad_rooms.txt: a file and the lines of its error."""
    content = Path(__file__).with_name("bad_rooms.txt").read_text(encoding="utf-8")
    for case in content.split("\n=== ")[1:]:
        title, _, rest = case.partition("\n")
        text, _, expected = rest.partition("--->\n")
        yield pytest.param(text.replace("<BELL>", "\a"), expected.split("\n")[:-1], id=title)


@pytest.mark.parametrize(("text", "expected"), list(bad_rooms()))
def test_each_mistake_has_its_line_and_its_words(tmp_path: Path, text: str, expected: list[str]) -> None:
    found = [f"room.yaml:{line}" for line in problems(tmp_path, text)]
    assert found == [line for line in expected if line]
    assert "hunter2" not in "".join(found)


def test_all_mistakes_are_told_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    text = """\
        room: Kitchen
        gate: {frame_ms: 25, frame_ms: 10, hang_over: 3, max_segment_s: 1}
        session:
          provider: azure
          voice: 3
          api_key: hunter2
        mqtt:
          tls: {cert: a.pem}
        tools:
          - {name: light}
          - {name: lock, description: y, say: "{x}"}
          - {name: lock, description: y, parameters: {type: array}, say: "{z}"}
        """
    found = [line.split(":")[:2] for line in problems(tmp_path, textwrap.dedent(text))]
    assert [(int(line), key.strip()) for line, key in found] == [
        (1, "room"),
        (2, "gate.frame_ms"),
        (2, "gate.frame_ms"),
        (2, "gate.hang_over"),
        (2, "gate.max_segment_s"),
        (3, "session.url"),
        (5, "session.voice"),
        (6, "session.api_key"),
        (8, "mqtt.tls.cert"),
        (8, "mqtt.tls.cert"),
        (10, "tools[light].description"),
        (11, "tools[1].say"),
        (12, "tools[2].name"),
        (12, "tools[2].parameters"),
    ]  # and not tools[2].say: its parameters are wrong themselves


def test_a_mistake_does_not_lead_to_a_second_complaint(tmp_path: Path) -> None:
    text = "room: a\ngate: {hang_over_ms: x, max_segment_s: 1}\nsession: {tool_choice: light}\ntools: [{name: light}]\n"
    assert [line.split(":")[1] for line in problems(tmp_path, text)] == [
        " gate.hang_over_ms",
        " tools[light].description",
    ]


def test_what_people_mean_stays_what_it_is(tmp_path: Path) -> None:
    text = """\
        room: off
        name: 2024-12-24
        capture: {echo: off, device: 0o17}
        gate: {confirm: off, onset_ms: 0100, min_snr_db: 3}
        activation: {arbitration: off}
        tools:
          - name: no
            description: "yes"
            hours: 22:30-06:00
            parameters: {type: object, properties: {on: {type: string, enum: [on, off, yes, 12:30, ~, 1_000, =]}}}
        """
    settings = load_room(write(tmp_path, textwrap.dedent(text))).settings
    assert (settings.room, settings.name, settings.capture.echo, settings.capture.device) == (
        "off",
        "2024-12-24",
        "off",
        15,
    )
    assert (settings.gate.confirm, settings.gate.onset_ms, settings.gate.min_snr_db) == ("off", 100, 3.0)
    (tool_,) = settings.tools
    assert (tool_.name, tool_.hours) == ("no", "22:30-06:00")
    assert tool_.parameters["properties"]["on"]["enum"] == ["on", "off", "yes", "12:30", None, 1000, "="]


def test_the_defaults_are_those_of_the_schema(tmp_path: Path) -> None:
    room = load_room(write(tmp_path, "room: kitchen"))
    assert room.settings == RoomSettings(room="kitchen")
    assert room.warnings == ()
    with pytest.raises(FrozenInstanceError):
        room.path = tmp_path  # type: ignore[misc] # that is what is tested


def test_a_file_with_byte_order_mark_and_windows_lines_keeps_its_lines(tmp_path: Path) -> None:
    path = tmp_path / "room.yaml"
    path.write_bytes(b"\xef\xbb\xbfroom: a\r\n\r\ngate:\r\n  frame_ms: 5\r\n")
    with pytest.raises(ConfigError, match=r"room\.yaml:4: gate\.frame_ms: must be 10, 20 or 30, not 5$"):
        load_room(path)


def test_aliases_are_written_out(tmp_path: Path) -> None:
    text = """\
        room: a
        tools:
          - &one {name: b, description: c}
          - {name: d, description: &text e}
          - {name: f, description: *text}
        """
    text = textwrap.dedent(text)
    assert [tool_.description for tool_ in load_room(write(tmp_path, text)).settings.tools] == ["c", "e", "e"]
    assert problems(tmp_path, text + "  - *one\n") == [
        '3: tools[3].name: "b" is the name of an earlier tool too: each needs its own'
    ]


def test_an_anchor_may_be_given_anew(tmp_path: Path) -> None:
    assert (
        load_room(write(tmp_path, "room: &a b\nname: &a c\nlanguage: en\nmqtt: {host: *a}\n")).settings.mqtt.host == "c"
    )


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"room: a\nname: \xff\n", ":2: is not UTF-8 text: save the file with the encoding UTF-8"),
        ("room: a".encode("utf-16"), ":1: is not UTF-8 text: save the file with the encoding UTF-8"),
        (b"#" * (1024 * 1024 + 1), ": is larger than 1 MiB: this is no room file"),
        (b"[" * 100_000, ":1: is nested too deeply: 32 levels are the most"),
        (b"a: " + b"[" * 40 + b"]" * 40, ":1: is nested too deeply: 32 levels are the most"),
        (
            b"a: &a [x,x,x,x,x,x,x,x,x]\n"
            + b"".join(b"%c: &%c [%s]\n" % (c, c, b",".join([b"*%c" % (c - 1)] * 9)) for c in b"bcdefghij"),
            ": holds more than 100000 values, aliases (`*name`) counted as often as used",
        ),
    ],
    ids=["latin", "utf-16", "large", "deep", "nested", "aliases"],
)  # fmt: skip
def test_what_is_no_room_file_is_refused_plainly(tmp_path: Path, content: bytes, expected: str) -> None:
    path = tmp_path / "room.yaml"
    path.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        load_room(path)
    assert str(caught.value) == f"{path}{expected}"


def test_what_cannot_be_read_is_refused_plainly(tmp_path: Path) -> None:
    def message(path: Path) -> str:
        with pytest.raises(ConfigError) as caught:
            load_room(path)
        return str(caught.value)

    assert message(tmp_path / "no.yaml") == f"{tmp_path}/no.yaml: there is no such file"
    assert message(tmp_path) == f"{tmp_path}: is a directory: name the room file itself"
    assert message(Path("/dev/zero")) == "/dev/zero: is not a regular file"
    assert message(Path("a\0b")).endswith(": cannot be read: the path is not valid")
    assert message(tmp_path / ("x" * 300)).endswith(": cannot be read: File name too long")
    path = write(tmp_path, "room: a")
    assert message(path / "room.yaml").endswith(": cannot be read: Not a directory")


def test_a_file_of_somebody_else_is_refused_plainly(tmp_path: Path) -> None:
    path = write(tmp_path, "room: a")
    path.chmod(0)
    try:
        path.read_bytes()
    except PermissionError:
        pass
    else:
        pytest.skip("this user may read everything")
    with pytest.raises(ConfigError, match="this user may not read it"):
        load_room(path)


def test_hundreds_of_mistakes_are_cut(tmp_path: Path) -> None:
    found = problems(tmp_path, "room: a\n" + "".join(f"key{index}: 1\n" for index in range(500)))
    assert len(found) == MOST_PROBLEMS + 1
    assert found[-1] == " and 400 problems more"


def test_names_of_files_begin_at_the_room_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "rooms"
    folder.mkdir()
    for name in ("a.wav", "ca.pem", "node.pem", "node.key"):
        (folder / name).touch()
    tls = "{ca: ca.pem, cert: node.pem, key: node.key}"
    write(folder, f"room: a\ncapture: {{device: wav:a.wav}}\nmqtt: {{tls: {tls}}}\n")
    monkeypatch.chdir(tmp_path)
    settings = load_room(Path("rooms/room.yaml")).settings
    assert settings.capture.device == f"wav:{folder}/a.wav"
    assert settings.mqtt.tls is not None
    assert (settings.mqtt.tls.ca, settings.mqtt.tls.cert, settings.mqtt.tls.key) == (
        f"{folder}/ca.pem",
        f"{folder}/node.pem",
        f"{folder}/node.key",
    )


def test_more_checks_get_lines_too(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "room: a\ntools:\n  - {name: no}\n  - name: light\n    description: x\n    parameters: {type: object}\n",
    )

    def check(settings: RoomSettings) -> list[Problem]:
        return [Problem(("tools", index, "parameters"), tool_.name) for index, tool_ in enumerate(settings.tools)]

    with pytest.raises(ConfigError) as caught:
        load_room(path, extra_checks=[check])
    assert str(caught.value).split("\n") == [
        f"{path}:3: tools[no].description: is missing: this key is needed here",
        f"{path}:6: tools[light].parameters: light",
    ]


def test_no_key_waits_for_a_later_version(tmp_path: Path) -> None:
    text = textwrap.dedent("""\
        room: a
        tools:
          - name: light
            description: x
            confirm: pin
            hours: 07:00-22:00
            publish: {topic: a, payload: b}
        budget: {usd_per_day: 1.0, minutes_per_day: null}
        gate: {confirm: auto}
        activation: {arbitration: on}
        mqtt: {discovery: true}
        fallback: {provider: null}
        session:
          provider: openai
          conversation: {keep_turns: 3}
          tools:
            - {type: mcp, server_label: a, server_url: "https://example.org", require_approval: always}
        """)
    path = write(tmp_path, text)
    assert load_room(path).warnings == ()


def test_a_lenient_room_is_warned(tmp_path: Path) -> None:
    text = textwrap.dedent("""\
        room: a
        session:
          provider: xai
          lenient: true
          speed: 1.2
          transcription:
            model: whisper-1
            delay: low
        """)
    path = write(tmp_path, text)
    room = load_room(path)
    assert [warning.removeprefix(f"{path}:") for warning in room.warnings] == [
        "5: session.speed: is left out: xAI has none: delete the line, and say in `instructions` how fast it should "
        "speak",
        "6: session.transcription: is left out: xAI always writes down what it hears, with a model of its own: "
        "delete the line",
    ]
    assert [line.split(":")[0] for line in problems(tmp_path, text.replace("lenient: true", "lenient: false"))] == [
        "5",
        "6",
    ]


def test_lenience_does_not_make_a_session_of_none(tmp_path: Path) -> None:
    assert problems(tmp_path, "room: a\nsession: {provider: openai, lenient: true, dialect: beta}\n") == [
        "2: session.dialect: OpenAI ended the beta dialect in May 2026: use auto or ga"
    ]
