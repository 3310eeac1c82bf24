"""`script/bench`: measures, prints each figure with its bound, writes JSON. Exits 1 where a bound is exceeded."""

import argparse
import json
import sys
import tempfile
from pathlib import Path

from tests.benchmarks.barge_in import measure_barge_in
from tests.benchmarks.capture import measure_capture
from tests.benchmarks.echo import measure_echo
from tests.benchmarks.gate import measure_gate, measure_gate_quality, measure_television
from tests.benchmarks.lasting import measure_memory, measure_reconnect
from tests.benchmarks.mute import measure_mute
from tests.benchmarks.offline import measure_offline
from tests.benchmarks.process import machine, measure_process
from tests.benchmarks.turns import measure_turns

PARTS = {
    "gate": measure_gate,
    "gate-quality": measure_gate_quality,
    "television": measure_television,
    "capture": measure_capture,
    "mute": measure_mute,
    "process": measure_process,
    "turns": measure_turns,
    "memory": measure_memory,
    "reconnect": measure_reconnect,
    "barge-in": measure_barge_in,
    "echo": measure_echo,
    "offline": measure_offline,
}


def main() -> int:
    """Measure what is asked for."""
    parser = argparse.ArgumentParser(prog="script/bench", description="The project's figures on this machine.")
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], help="some of them; all by default")
    parser.add_argument("--json", type=Path, help="write the figures to this file as well")
    wishes = parser.parse_args()
    print("  ".join(f"{name} {value}" for name, value in machine().items()))
    figures = []
    with tempfile.TemporaryDirectory(prefix="voice-node-bench-") as folder:
        for name in wishes.parts or PARTS:
            for figure in PARTS[name](Path(folder)):
                print(figure, flush=True)
                figures.append(figure)
    if wishes.json is not None:
        content = {"machine": machine(), "figures": [figure.as_json() for figure in figures]}
        wishes.json.write_text(json.dumps(content, indent=1) + "\n")
    return int(any(figure.ratio is not None and figure.ratio > 1 for figure in figures))


if __name__ == "__main__":
    sys.exit(main())
