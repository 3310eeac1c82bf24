"""Feeds a target bad input by a seed, and says what it did not stand: `Campaign(target, seed).run(count)`."""

import gc
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any, Protocol

SLOWEST_S = 0.05
"""Of one input, in seconds of the processor: a loaded machine must not fail a test."""
MOST_FINDINGS = 5


class Target(Protocol):
    """One door of the node that strangers can knock at."""

    def make(self) -> Any:
        """The next input."""

    def feed(self, case: Any) -> None:
        """Put it in. Any exception is a finding: so are an AssertionError's broken promises."""

    def close(self) -> None:
        """Put away what it holds."""


@dataclass
class Outcome:
    """What a campaign came to."""

    name: str
    seed: int
    inputs: int = 0
    seconds: float = 0.0
    slowest_ms: float = 0.0
    findings: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        rate = self.inputs / self.seconds if self.seconds else 0
        line = (
            f"{self.name:14} seed {self.seed}: {self.inputs:7,} inputs in {self.seconds:6.1f} s, {rate:7,.0f}/s, "
            f"slowest {self.slowest_ms:5.1f} ms, {len(self.findings)} findings"
        )
        return "\n".join([line, *self.findings])


def run(name: str, target_of: Callable[[Random], Target], count: int, seed: int) -> Outcome:
    """`count` inputs. It ends early after `MOST_FINDINGS`."""
    outcome = Outcome(name, seed)
    target = target_of(Random(f"{name} {seed}"))
    gc.collect()
    gc.freeze()  # what the tests hold is not this target's to be searched
    began = time.monotonic()
    try:
        while outcome.inputs < count and len(outcome.findings) < MOST_FINDINGS:
            case: Any = "between two inputs"
            outcome.inputs += 1
            at = time.thread_time()
            try:
                case = target.make()
                at = time.thread_time()
                target.feed(case)
            except Exception:  # noqa: BLE001 - whatever comes out is what is looked for
                outcome.findings.append(f"input {outcome.inputs}: {case!r:.600}\n{traceback.format_exc(limit=-6)}")
            spent_s = time.thread_time() - at
            if spent_s > SLOWEST_S:
                outcome.findings.append(f"input {outcome.inputs}: {spent_s * 1000:.0f} ms: {case!r:.600}")
            outcome.slowest_ms = max(outcome.slowest_ms, spent_s * 1000)
    finally:
        target.close()
        gc.unfreeze()
    outcome.seconds = time.monotonic() - began
    return outcome
