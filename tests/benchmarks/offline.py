"""The offline engine: how much of what is said it understands, how little else it obeys, and what it costs.

200 sentences drawn from the templates of three homes (the example room, the demonstration, and one with more than
lamps), and 200 that none of them knows, by eight voices at different speeds, pitches and levels, half of them in a
kitchen's noise at 20 dB. Sound goes through the recogniser's own process, and words through the engine.
"""

import asyncio
import itertools
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil
from ruamel.yaml import YAML

from tests.benchmarks.measure import Figure, Finding, Skipped, percentile
from tests.benchmarks.sentences import OUTSIDE, draw
from tests.benchmarks.spoken import Speaker, Way, ways
from tests.fakes.until import until
from voice_node.local.intents import Intents
from voice_node.local.needs import Match
from voice_node.local.recogniser import Recogniser
from voice_node.settings.tools import Tool

_ROOT = Path(__file__).parents[2]
HOMES = {
    Path(__file__).parent / "home.yaml": 140,
    _ROOT / "config/rooms/kitchen.yaml": 30,
    _ROOT / "config/rooms/demo.yaml": 30,
}
"""Room files, and how many of the sentences are theirs."""
_IDLE_S = 5
_PATIENCE_S = 60.0
"""For one sentence, on a machine that has other things to do."""
_BYTES_PER_S = 32000


@dataclass(frozen=True, slots=True)
class Spoken:
    """One sentence as sound."""

    text: str
    meaning: Match | None
    """None: it means nothing to this home."""
    way: Way
    pcm: bytes


@dataclass(slots=True)
class Counts:
    """What became of the sentences."""

    right: int = 0
    misheard: int = 0
    refused: int = 0
    asked_back: int = 0
    obeyed: int = 0
    inside: int = 0
    outside: int = 0

    def note(self, spoken: Spoken, heard: Sequence[Match], is_doubtful: bool) -> None:
        """`heard` is empty where it was not heard as a whole command."""
        if spoken.meaning is None:
            self.outside += 1
            self.obeyed += bool(heard) and not is_doubtful
            return
        self.inside += 1
        if not heard or is_doubtful:
            self.asked_back += is_doubtful
            self.refused += 1
        elif list(heard) == [spoken.meaning]:
            self.right += 1
        else:
            self.misheard += 1


def measure_offline(folder: Path, step: int = 1) -> list[Finding]:
    """Needs espeak-ng and sox; of the sentences every `step`-th is spoken."""
    if not all(map(shutil.which, ("espeak-ng", "sox"))):
        return [Skipped("offline", "espeak-ng and sox are not installed")]
    counts, costs = Counts(), _Costs()
    for spoken, tools in _homes(folder):
        asyncio.run(_listen(tools, spoken[::step], counts, costs))
    inside = 100 / counts.inside
    return [
        Figure("offline: commands not understood rightly", 100 - counts.right * inside, "%", 8, "at once"),
        Figure("offline: heard as another command", counts.misheard * inside, "%"),
        Figure("offline: commands refused or asked back", counts.refused * inside, "%", 12),
        Figure("offline: of these asked back", counts.asked_back * inside, "%"),
        Figure("offline: other sentences obeyed", 100 * counts.obeyed / counts.outside, "%", 5),
        Figure("offline: real-time factor, commands", costs.inside_cpu_s / costs.inside_s, "", note="processor time"),
        Figure("offline: real-time factor, other speech", costs.outside_cpu_s / costs.outside_s, ""),
        Figure("offline: wait after a segment, p95", percentile(costs.waits_s, 0.95), "s"),
        Figure("offline: load time", max(costs.loads_s), "s", note="processor time, with the first sentence"),
        Figure("offline: memory, commands alone", min(costs.small_mb), "MB", note="the worker's resident set"),
        Figure("offline: memory after other speech", max(costs.large_mb), "MB"),
        Figure(f"offline: processor time of {_IDLE_S} s idle", 1000 * max(costs.idle_s), "ms", 10),
    ]


class _Costs:
    def __init__(self) -> None:
        self.inside_s = self.outside_s = self.inside_cpu_s = self.outside_cpu_s = 0.0
        self.waits_s: list[float] = []
        self.loads_s: list[float] = []
        self.small_mb: list[float] = []
        self.large_mb: list[float] = []
        self.idle_s: list[float] = []


def _homes(folder: Path) -> list[tuple[list[Spoken], list[Tool]]]:
    speaker = Speaker(folder)
    result = []
    ways_inside, ways_outside = iter(ways(200, seed=1)), iter(ways(200, seed=2))
    outside = iter(OUTSIDE)
    for file, count in HOMES.items():
        tools = [tool for raw in YAML(typ="safe").load(file)["tools"] if (tool := Tool(**raw)).works_offline]
        drawn = draw(tools, count, seed=7)
        spoken = [
            Spoken(text, meaning, way, speaker.speak(text, way))
            for (text, meaning), way in zip(drawn, ways_inside, strict=False)
        ]
        others = itertools.islice(zip(outside, ways_outside, strict=False), count)
        spoken += [Spoken(text, None, way, speaker.speak(text, way)) for text, way in others]
        result.append((spoken, tools))
    return result


async def _listen(tools: list[Tool], sentences: Sequence[Spoken], counts: Counts, costs: _Costs) -> None:
    intents = Intents(tools, "en")
    names = {tool.name for tool in tools}
    recogniser = Recogniser(intents.grammar, decode_s=_PATIENCE_S)
    recogniser.start()
    await recogniser.recognise(sentences[0].pcm)
    assert recogniser.pid is not None
    worker = psutil.Process(recogniser.pid)
    costs.loads_s.append(_cpu_s(worker))
    costs.small_mb.append(worker.memory_info().rss / 1e6)
    for spoken in sentences:
        began, before_s = time.monotonic(), _cpu_s(worker)
        heard = await recogniser.recognise(spoken.pcm)
        costs.waits_s.append(time.monotonic() - began)
        cpu_s, sound_s = _cpu_s(worker) - before_s, len(spoken.pcm) / _BYTES_PER_S
        counts.note(spoken, intents.match_all(heard.text, names) if heard.is_command else (), heard.is_doubtful)
        if spoken.meaning is None:
            costs.outside_s, costs.outside_cpu_s = costs.outside_s + sound_s, costs.outside_cpu_s + cpu_s
        else:
            costs.inside_s, costs.inside_cpu_s = costs.inside_s + sound_s, costs.inside_cpu_s + cpu_s
    costs.large_mb.append(worker.memory_info().rss / 1e6)
    before_s = _cpu_s(worker)
    await asyncio.sleep(_IDLE_S)
    costs.idle_s.append(_cpu_s(worker) - before_s)
    await recogniser.close()
    await until(lambda: not psutil.pid_exists(worker.pid))


def _cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)
