"""Bad input at every door, by a seed: `script/fuzz [--seed 1] [--inputs 1000000] [--only mqtt ...] [--json FILE]`"""

import argparse
import json
import logging
import os
import platform
import sys
import time
from dataclasses import asdict
from pathlib import Path

from tests.fuzz.campaign import Outcome, run
from tests.fuzz.doors import DOORS, shares


def main() -> int:
    """Each door in its turn; 1 where something was found."""
    parser = argparse.ArgumentParser(prog="script/fuzz", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--inputs", type=int, default=1_000_000, help="over all doors")
    parser.add_argument("--only", nargs="+", choices=list(DOORS), default=list(DOORS))
    parser.add_argument("--json", type=Path)
    wishes = parser.parse_args()
    logging.disable()  # what is refused is said in the log, a million times
    print(f"Python {platform.python_version()}, {os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}")  # noqa: T201 - what the command is for
    counts = shares(wishes.inputs)
    began = time.monotonic()
    outcomes: list[Outcome] = []
    for name in wishes.only:
        outcomes.append(run(name, DOORS[name].target, counts[name], wishes.seed))
        print(outcomes[-1], flush=True)  # noqa: T201 - what the command is for
    found = sum(len(outcome.findings) for outcome in outcomes)
    inputs = sum(outcome.inputs for outcome in outcomes)
    print(f"{inputs:,} inputs in {time.monotonic() - began:.0f} s: {found or 'no'} findings")  # noqa: T201 - what the command is for
    if wishes.json is not None:
        wishes.json.write_text(json.dumps([asdict(outcome) for outcome in outcomes], indent=1) + "\n")
    return int(found > 0)


if __name__ == "__main__":
    sys.exit(main())
