"""`voice-node gate` as people and scripts call it: one process, real recordings."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

needs_speech = pytest.mark.skipif(
    not (shutil.which("espeak-ng") and shutil.which("sox")), reason="espeak-ng and sox make the recordings"
)


def voice_node(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "voice_node", *map(str, arguments)], capture_output=True, text=True)


@pytest.fixture
def room(tmp_path: Path) -> Path:
    path = tmp_path / "kitchen.yaml"
    path.write_text("room: kitchen\n")
    return path


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """Two sentences, 2 s apart, 16 kHz."""
    spoken, path = tmp_path / "spoken.wav", tmp_path / "recording.wav"
    subprocess.run(["espeak-ng", "-w", spoken, "Turn on the light in the kitchen, please."], check=True)
    subprocess.run(
        ["sox", "-R", spoken, "-r", "16000", "-b", "16", path, "norm", "-12", "pad", "1", "1", "repeat", "1"],
        check=True,
    )
    return path


@needs_speech
def test_json_is_one_object_a_segment(room: Path, recording: Path) -> None:
    run = voice_node("gate", room, recording, "--json")
    assert run.returncode == 0, run.stderr
    first, second = map(json.loads, run.stdout.splitlines())
    assert list(first) == ["start_ms", "end_ms", "voiced_ms", "snr_db", "reason"]
    assert 400 <= first["start_ms"] <= 1100
    assert first["start_ms"] < first["end_ms"] < second["start_ms"] < second["end_ms"]
    assert first["reason"] == "silence"
    sent_s = (first["end_ms"] - first["start_ms"] + second["end_ms"] - second["start_ms"]) / 1000
    assert f"2 segments: {sent_s:.1f} of " in run.stderr


@needs_speech
def test_several_recordings_are_named(room: Path, recording: Path) -> None:
    run = voice_node("gate", room, recording, recording, "--json")
    segments = [json.loads(line) for line in run.stdout.splitlines()]
    assert [segment["file"] for segment in segments] == [str(recording)] * 4
    assert segments[0] == segments[2]


@needs_speech
def test_people_get_a_table(room: Path, recording: Path) -> None:
    run = voice_node("gate", room, recording)
    name, head, *rows = run.stdout.splitlines()
    assert name == str(recording)
    assert head.split() == ["start", "s", "end", "s", "voiced", "s", "SNR", "dB", "ended", "by"]
    assert len(rows) == 2


@needs_speech
def test_a_trace_says_what_was_decided_and_why(room: Path, recording: Path) -> None:
    run = voice_node("gate", room, recording, "--trace")
    name, head, *rows = run.stdout.splitlines()
    assert name == str(recording)
    assert head.split()[0] == "s"
    assert any("it is sent" in row for row in rows)
    assert any("nothing held it for the hang-over" in row for row in rows)
    assert len(rows) < 200


@needs_speech
def test_a_trace_can_be_read_by_machines(room: Path, recording: Path) -> None:
    run = voice_node("gate", room, recording, "--trace", "--json")
    lines = [json.loads(line) for line in run.stdout.splitlines()]
    assert {line["phase"] for line in lines} >= {"closed", "sent"}
    assert [line["at_ms"] for line in lines] == sorted(line["at_ms"] for line in lines)
    assert {type(line["probability"]) for line in lines} <= {float, type(None)}


@pytest.mark.slow
@needs_speech
def test_a_recording_is_drawn(room: Path, recording: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="the extra `plot` is not installed")
    picture = tmp_path / "picture.png"
    run = voice_node("gate", room, recording, "--plot", picture)
    assert run.returncode == 0, run.stderr
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert "2 segments" in run.stderr
    run = voice_node("gate", room, recording, "--plot", tmp_path / "no" / "such.png")
    assert run.returncode == 1
    assert "such.png: cannot be written" in run.stderr
    assert "Traceback" not in run.stderr


def test_one_recording_is_drawn_at_a_time(room: Path, tmp_path: Path) -> None:
    run = voice_node("gate", room, tmp_path / "a.wav", tmp_path / "b.wav", "--plot", tmp_path / "p.png")
    assert run.returncode == 2
    assert "--plot draws one recording" in run.stderr


def test_a_picture_that_cannot_be_written_is_refused_at_once(room: Path, tmp_path: Path) -> None:
    for name in ("p.jpg", "p"):
        run = voice_node("gate", room, tmp_path / "a.wav", "--plot", tmp_path / name)
        assert run.returncode == 2
        assert f"{name}: the name must end with .png, .svg or .pdf" in run.stderr


@needs_speech
def test_without_the_second_opinion_the_detector_decides_alone(room: Path, recording: Path) -> None:
    room.write_text("room: kitchen\ngate: {confirm: off}\n")
    run = voice_node("gate", room, recording, "--trace", "--json")
    lines = [json.loads(line) for line in run.stdout.splitlines()]
    assert {line["probability"] for line in lines} == {None}
    assert "candidate" not in {line["phase"] for line in lines}


def test_a_file_that_is_no_recording_is_named_and_exits_with_78(room: Path, tmp_path: Path) -> None:
    path = tmp_path / "broken.wav"
    path.write_bytes(b"RIFF but nothing else")
    run = voice_node("gate", room, path, "--json")
    assert run.returncode == 78
    assert "broken.wav" in run.stderr
    assert "Traceback" not in run.stderr


@needs_speech
def test_nothing_is_shown_where_a_later_file_is_bad(room: Path, recording: Path, tmp_path: Path) -> None:
    path = tmp_path / "broken.wav"
    path.write_bytes(b"RIFF but nothing else")
    run = voice_node("gate", room, recording, path)
    assert (run.returncode, run.stdout) == (78, "")
    assert "broken.wav" in run.stderr


def test_a_bad_room_file_exits_with_78(tmp_path: Path) -> None:
    room = tmp_path / "bad.yaml"
    room.write_text("room: kitchen\ngate: {onset: 3}\n")
    run = voice_node("gate", room, tmp_path / "any.wav")
    assert run.returncode == 78
    assert "onset" in run.stderr


def test_help_shows_an_example() -> None:
    run = voice_node("gate", "--help")
    assert run.returncode == 0
    assert "Example: voice-node gate" in run.stdout
