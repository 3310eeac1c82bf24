"""What Prometheus reads."""

import asyncio
import socket
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import pytest

pytest.importorskip("prometheus_client", reason="the extra `metrics` is not installed")

from tests.fakes.until import until
from voice_node.model.report import EventType, GateOpen, Happening, Health, Info, NodeState, State, Usages
from voice_node.model.turn import TokenCount
from voice_node.runtime.metrics import MOST_CODES, Metrics, MetricsServer


@pytest.fixture
def metrics() -> Metrics:
    return Metrics("kitchen")


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(f"voice_node_{name}", {"room": "kitchen", **labels})


def finished(status: str, **timings_ms: int) -> Happening:
    fields = {"status": status, "detail": "", "timings_ms": timings_ms, "usage": {}}
    return Happening(EventType.TURN_FINISHED, fields, "t-1")


def error(code: str) -> Happening:
    return Happening(EventType.ERROR, {"code": code, "detail": "for people"}, "t-1")


def usage(**totals: Any) -> Usages:
    nothing = {"streamed_s": 0.0, "transcription_s": 0.0, "usd": 0.0}
    tokens = {"input_tokens": asdict(TokenCount()), "output_tokens": asdict(TokenCount())}
    return Usages({**nothing, **tokens, **totals})


def test_turns_are_counted_by_how_they_ended(metrics: Metrics) -> None:
    for report in (finished("completed"), finished("completed"), finished("failed"), error("turn_lost")):
        metrics.observe(report)
    counted = {status: value(metrics, "turns_total", status=status) for status in ("completed", "failed", "lost")}
    assert counted == {"completed": 2, "failed": 1, "lost": 1}


def test_each_stage_of_a_turn_is_a_histogram_of_seconds(metrics: Metrics) -> None:
    metrics.observe(finished("completed", commit=4, first_sound=620, done=1800))
    metrics.observe(finished("completed", commit=6, first_sound=480))
    assert value(metrics, "turn_latency_seconds_count", stage="first_sound") == 2
    assert value(metrics, "turn_latency_seconds_sum", stage="first_sound") == pytest.approx(1.1)
    assert value(metrics, "turn_latency_seconds_bucket", stage="first_sound", le="0.5") == 1
    assert value(metrics, "turn_latency_seconds_count", stage="done") == 1
    assert value(metrics, "turn_latency_seconds_count", stage="tool_call") is None


def test_tool_calls_by_outcome_and_how_long_they_took(metrics: Metrics) -> None:
    for is_ok in (True, True, False):
        fields = {"call_id": "c", "name": "set_light", "is_ok": is_ok, "duration_ms": 200}
        metrics.observe(Happening(EventType.TOOL_RESULT, fields, "t-1"))
    assert value(metrics, "tool_calls_total", outcome="done") == 2
    assert value(metrics, "tool_calls_total", outcome="failed") == 1
    assert value(metrics, "tool_call_seconds_sum") == pytest.approx(0.6)


def test_a_service_that_invents_codes_makes_no_series_without_end(metrics: Metrics) -> None:
    for number in range(10 * MOST_CODES):
        metrics.observe(error(f"code_{number}"))
    metrics.observe(error("code_0"))
    assert value(metrics, "problems_total", code="code_0") == 2
    assert value(metrics, "problems_total", code="others") == 9 * MOST_CODES


def test_openings_of_the_gate(metrics: Metrics) -> None:
    assert value(metrics, "gate_openings_total") == 0, "it is told before the first"
    for is_open in (True, False, True, False):
        metrics.observe(GateOpen(is_open))
    assert value(metrics, "gate_openings_total") == 2


def test_what_a_day_cost_is_counted_on_over_midnight(metrics: Metrics) -> None:
    spoken = {**asdict(TokenCount()), "audio": 50}
    metrics.observe(usage(usd=0.25, streamed_s=100.0))  # before this start
    metrics.observe(usage(usd=0.3, streamed_s=104.0, input_tokens=spoken))
    assert value(metrics, "cost_usd_total") == pytest.approx(0.05)
    assert value(metrics, "streamed_seconds_total") == pytest.approx(4)
    assert value(metrics, "tokens_total", direction="input", kind="audio") == 50
    metrics.observe(usage())  # midnight
    metrics.observe(usage(usd=0.01))
    assert value(metrics, "cost_usd_total") == pytest.approx(0.06)


def test_the_health_of_the_process(metrics: Metrics) -> None:
    broker = {"reconnects": 0, "dropped": 0, "waiting": 2}
    health = {"captured_s": 60.0, "lost_frames": 3, "session_reconnects": 1, "noise_floor_db": -61.5, "broker": broker}
    metrics.observe(Health(health))
    metrics.observe(Health({**health, "captured_s": 119.9, "broker": {**broker, "reconnects": 2}}))
    assert value(metrics, "captured_seconds_total") == pytest.approx(119.9)
    assert value(metrics, "lost_frames_total") == 3
    assert value(metrics, "session_reconnects_total") == 1
    assert value(metrics, "broker_reconnects_total") == 2
    assert value(metrics, "noise_floor_db") == -61.5
    assert value(metrics, "waiting_messages") == 2
    assert value(metrics, "capture_overruns_total") == 0, "a recording knows none"


def test_the_state_is_one_of_all(metrics: Metrics) -> None:
    metrics.observe(State(NodeState.IDLE, datetime.now(UTC)))
    metrics.observe(State(NodeState.SPEAKING, datetime.now(UTC)))
    assert [state for state in NodeState if value(metrics, "state", state=state)] == [NodeState.SPEAKING]


def test_what_the_node_is(metrics: Metrics) -> None:
    metrics.observe(Info({"version": "0.1.0", "provider": "local", "tools": ["set_light"]}))
    assert value(metrics, "info", version="0.1.0", provider="local", model="", dialect="") == 1


@pytest.fixture
def server(metrics: Metrics) -> Iterator[int]:
    port = free_port()
    server = MetricsServer(metrics.registry, "127.0.0.1", port)
    server.start()
    yield port
    server.stop()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def read(port: int) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=20) as answer:
        assert answer.headers["Content-Type"].startswith("text/plain")
        text: str = answer.read().decode()
        return text


def test_the_figures_are_read_over_http(metrics: Metrics, server: int) -> None:
    metrics.observe(finished("completed", done=900))
    text = read(server)
    assert 'voice_node_turns_total{room="kitchen",status="completed"} 1.0' in text
    assert "process_resident_memory_bytes" in text


def test_whoever_goes_away_or_asks_nonsense_does_not_keep_the_next_from_reading(server: int) -> None:
    for question in (b"", b"\x16\x03\x01\x02\x00", b"GET /metrics HTTP/1.1\r\nX: " + b"a" * 100_000):
        with socket.create_connection(("127.0.0.1", server)) as client:
            client.sendall(question)
    assert "voice_node_gate_openings_total" in read(server)


@pytest.mark.slow
async def test_whoever_is_silent_keeps_the_next_waiting_only_for_a_while(server: int) -> None:
    with socket.create_connection(("127.0.0.1", server)):
        reading = asyncio.create_task(asyncio.to_thread(read, server))
        await until(reading.done, 30)
        assert "voice_node" in await reading


def test_an_address_that_another_has_is_an_error(metrics: Metrics, server: int) -> None:
    with pytest.raises(OSError, match="in use"):
        MetricsServer(metrics.registry, "127.0.0.1", server).start()


def test_the_address_is_free_again_after_the_end(metrics: Metrics) -> None:
    port = free_port()
    for _ in range(2):
        server = MetricsServer(metrics.registry, "127.0.0.1", port)
        server.start()
        read(port)
        server.stop()
        with pytest.raises(urllib.error.URLError):
            read(port)


def test_a_server_that_never_began_ends(metrics: Metrics) -> None:
    port = free_port()
    server = MetricsServer(metrics.registry, "127.0.0.1", port)
    server.stop()
    server.start()
    assert "voice_node_gate_openings_total" in read(port), "it may begin yet"
    server.stop()
