"""`script/bench`: measures, prints each figure with its bound, writes JSON, pictures and a page.

Each part runs in a process of its own, and what is found is written after each: one that fails loses nothing of the
others. Those that only compute run beside each other, after the rest. Exits 1 where a part failed or a bound is
exceeded.
"""

import argparse
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from tests.benchmarks.alone import measure_alone, stop_all
from tests.benchmarks.machine import machine, versions
from tests.benchmarks.page import PICTURES, write_page
from tests.benchmarks.parts import PARTS, SOCIABLE
from tests.benchmarks.peers.environments import CACHE
from tests.benchmarks.results import PartResult, Results

DOCS = Path(__file__).parents[2] / "docs"


def main() -> int:
    """Measure what is asked for, and write it down."""
    wishes = _wishes()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # either way, what was started ends with it
    if wishes.cache is not None:
        os.environ[CACHE] = str(wishes.cache.resolve())
    earlier = None if wishes.earlier is None else Results.read(wishes.earlier)
    names = wishes.parts or ([] if earlier is not None else list(PARTS))
    results = _continued(earlier) if names else earlier
    assert results is not None
    for name in names:
        if name not in SOCIABLE:
            _note(name, measure_alone(name), results, wishes.json)
    for name, result in _measure_together([name for name in SOCIABLE if name in names]):
        _note(name, result, results, wishes.json)
    if wishes.plot is not None:
        _draw(results, wishes.plot)
    if wishes.write_docs:
        results.write(DOCS / "benchmarks.json")
        _draw(results, DOCS / PICTURES)
        write_page(results, DOCS / "benchmarks.md")
    return int(not all(results.parts[name].is_well for name in names))


def _continued(earlier: Results | None) -> Results:
    """What is measured now joins what was measured before."""
    here = machine()
    if earlier is not None and earlier.machine != here:
        sys.exit("script/bench: the figures of --from were measured on another machine, or under another system")
    return Results(here, versions(), {} if earlier is None else earlier.parts)


def _wishes() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="script/bench", description="The project's figures on this machine.")
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], metavar="PART", help=f"{', '.join(PARTS)}; or all")
    parser.add_argument(
        "--json", type=Path, metavar="FILE", default=Path("bench.json"),
        help="write the figures to it, after each part; bench.json by default",
    )  # fmt: skip
    parser.add_argument("--plot", type=Path, metavar="FOLDER", help="draw a picture of each part into it")
    parser.add_argument("--write-docs", action="store_true", help="write docs/benchmarks.md, with pictures and JSON")
    parser.add_argument(
        "--from", type=Path, dest="earlier", metavar="FILE",
        help="begin with the figures of an earlier run; only the parts that are named are measured anew",
    )  # fmt: skip
    parser.add_argument("--cache", type=Path, metavar="FOLDER", help="where the peers' virtual environments are kept")
    return parser.parse_args()


def _measure_together(names: Sequence[str]) -> Iterator[tuple[str, PartResult]]:
    """As many at once as there are cores; each as it is done."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        tasks = {pool.submit(measure_alone, name): name for name in names}
        try:
            for task in as_completed(tasks):
                yield tasks[task], task.result()
        except KeyboardInterrupt:
            pool.shutdown(wait=False, cancel_futures=True)
            stop_all()
            raise


def _note(name: str, result: PartResult, results: Results, kept: Path) -> None:
    print(f"{name}: {result.seconds:.0f} s, load before {result.load:.2f}")
    for found in result.findings:
        print(f"  {found}")
    if result.failure:
        print(f"  FAILED: {result.failure}")
    sys.stdout.flush()
    results.parts[name] = result
    results.write(kept)


def _draw(results: Results, folder: Path) -> None:
    from tests.benchmarks.plot import draw_all  # here: the extra `plot`

    for path in draw_all(results, folder):
        print(path)


if __name__ == "__main__":
    sys.exit(main())
