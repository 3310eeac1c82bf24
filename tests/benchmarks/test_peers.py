import asyncio
import json
import shutil
import socket
import wave
from pathlib import Path

import pytest

from tests.benchmarks.peers.ears import RealtimeEar
from tests.benchmarks.peers.environments import CACHE, UnavailableError, environment_of
from tests.benchmarks.peers.listening import CPU, OURS, SENT, Costs, Listener, figures_of
from tests.benchmarks.peers.paced import paced
from tests.benchmarks.peers.recording import RATES_HZ, write_recording
from tests.benchmarks.peers.wyoming_sink import WyomingSink

needs_voice = pytest.mark.skipif(
    not (shutil.which("espeak-ng") and shutil.which("sox")), reason="espeak-ng and sox make the recording"
)


def listener(name: str, *, is_gated: bool = True) -> Listener:
    return Listener(name, RealtimeEar, lambda _: [], is_gated=is_gated)


def test_ours_is_held_against_those_that_gate_as_well() -> None:
    costs = {
        listener(OURS): Costs(0.5, 1.0, 10, 1, 60, 4),
        listener(f"{OURS}, webrtcvad alone"): Costs(0.5, 0.5, 12, 1, 55, 4),
        listener("gated"): Costs(1.0, 4.0, 60, 4, 120, 0),
        listener("bare", is_gated=False): Costs(0.1, 0.25, 60, 4, 26, 0),
    }
    figures = figures_of(costs, 12)
    ratios = {(figure.name, figure.subject): figure for figure in figures if figure.unit == "x"}
    assert ratios[f"{CPU}, ours to theirs", "gated"].ratio == pytest.approx(0.25)
    assert ratios[f"{CPU}, ours to theirs", "bare"].value == pytest.approx(4)
    assert ratios[f"{CPU}, ours to theirs", "bare"].bound is None
    assert {subject for _, subject in ratios} == {"gated", "bare"}
    assert [figure.value for figure in figures if figure.name == SENT] == [10, 12, 60, 60]


@needs_voice
def test_everybody_hears_the_same_at_the_own_rate(tmp_path: Path) -> None:
    files, spoken_s = write_recording(tmp_path, 9.0)
    assert 1 < spoken_s < 4
    for rate_hz in RATES_HZ:
        with wave.open(str(files[rate_hz])) as file:
            assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (rate_hz, 1, 2)
            assert file.getnframes() == pytest.approx(9 * rate_hz, abs=2)


async def test_a_recording_comes_in_pieces_and_does_not_end(tmp_path: Path) -> None:
    path = tmp_path / "short.wav"
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 16000, 0, "NONE", ""))
        file.writeframes(bytes(1600))
    pieces = paced(str(path))
    assert [len(await anext(pieces)) for _ in range(3)] == [640, 640, 320]
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(anext(pieces), 0.05)


def test_where_no_environment_can_be_made_it_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv(CACHE, str(tmp_path / "file"))
    with pytest.raises(UnavailableError, match="it could not be installed"):
        environment_of("nobody", ("nothing",))


def test_a_satellite_s_events_are_counted() -> None:
    def event(kind: str, data: bytes = b"", payload: bytes = b"") -> bytes:
        head = {"type": kind, "data_length": len(data), "payload_length": len(payload)}
        return json.dumps(head).encode() + b"\n" + data + payload

    told = event("run-pipeline", b"{}") + event("audio-chunk", b'{"rate": 16000}', bytes(32_000)) + event("audio-stop")
    with socket.create_server(("127.0.0.1", 0)) as server:
        sink = WyomingSink(server.getsockname()[1])
        sink.connect(5)
        satellite, _ = server.accept()
        with satellite, satellite.makefile("rb") as stream:
            assert json.loads(stream.readline()) == {"type": "run-satellite"}
            satellite.sendall(told)
        assert sink.close() == {"audio_s": 1.0, "megabytes": len(told) / 1e6, "turns": 1}
