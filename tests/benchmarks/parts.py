"""What can be measured, in the order of the page."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.barge_in import measure_barge_in
from tests.benchmarks.capture import measure_capture
from tests.benchmarks.echo import measure_echo
from tests.benchmarks.gate import measure_gate, measure_gate_quality, measure_television
from tests.benchmarks.lasting import measure_memory, measure_reconnect
from tests.benchmarks.measure import Finding
from tests.benchmarks.mute import measure_mute
from tests.benchmarks.offline import measure_offline
from tests.benchmarks.peers.listening import measure_peers
from tests.benchmarks.process import measure_process
from tests.benchmarks.scale import measure_scale
from tests.benchmarks.throughput import measure_throughput
from tests.benchmarks.turns import measure_segment, measure_turns

PARTS: dict[str, Callable[[Path], Sequence[Finding]]] = {
    "peers": measure_peers,
    "gate": measure_gate,
    "gate-quality": measure_gate_quality,
    "television": measure_television,
    "capture": measure_capture,
    "process": measure_process,
    "segment": measure_segment,
    "turns": measure_turns,
    "throughput": measure_throughput,
    "scale": measure_scale,
    "memory": measure_memory,
    "reconnect": measure_reconnect,
    "mute": measure_mute,
    "barge-in": measure_barge_in,
    "echo": measure_echo,
    "offline": measure_offline,
}
"""By name, as on the command line; each is handed a folder of its own."""

SOCIABLE = ("offline", "echo", "gate-quality", "television")
"""Those that only compute: they count CPU time and outcomes, and run beside each other. The longest comes first."""

_ABOUT = Path(__file__).parent / "about.md"


@dataclass(frozen=True, slots=True)
class About:
    """What the page says about a part, in Markdown."""

    title: str
    text: str


def about() -> dict[str, About]:
    """By part: the sections of `about.md`, whose headings are `name: title`."""
    _, *sections = re.split(r"^## ", _ABOUT.read_text(), flags=re.MULTILINE)
    found = {}
    for section in sections:
        heading, _, text = section.partition("\n")
        name, _, title = heading.partition(": ")
        found[name] = About(title, text.strip())
    return found
