"""Bad input at every door, by a seed: `script/fuzz [--seed 1] [--inputs 2400000] [--only mqtt ...] [--json FILE]`"""

import argparse
import json
import os
import platform
import sys
import time
from dataclasses import asdict
from pathlib import Path

from tests.fuzz.campaign import Outcome
from tests.fuzz.doors import DOORS, INPUTS, knock


def main() -> int:
    """Each door in its turn; 1 where something was found."""
    parser = argparse.ArgumentParser(prog="script/fuzz", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--inputs", type=int, default=INPUTS, help="over all doors")
    parser.add_argument("--only", nargs="+", choices=list(DOORS), default=list(DOORS))
    parser.add_argument("--json", type=Path)
    wishes = parser.parse_args()
    print(f"Python {platform.python_version()}, {os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}")  # noqa: T201 - what the command is for
    began = time.monotonic()
    outcomes: list[Outcome] = []
    for outcome in knock(wishes.only, wishes.inputs, wishes.seed):
        outcomes.append(outcome)
        print(outcomes[-1], flush=True)  # noqa: T201 - what the command is for
    found = sum(len(outcome.findings) for outcome in outcomes)
    inputs = sum(outcome.inputs for outcome in outcomes)
    print(f"{inputs:,} inputs in {time.monotonic() - began:.0f} s: {found or 'no'} findings")  # noqa: T201 - what the command is for
    if wishes.json is not None:
        wishes.json.write_text(json.dumps([asdict(outcome) for outcome in outcomes], indent=1) + "\n")
    return int(found > 0)


if __name__ == "__main__":
    sys.exit(main())
