# ruff: noqa: T201 - it says what it found
"""Is anything that development runs with known to be vulnerable? Part of `script/lint`.

Asks the advisory service about each pin of `requirements-dev.lock`. Exit code 1 where it knows of a vulnerability, and
only then: without a network, or for what the service does not know, it says so and passes.
"""

import json
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any

LOCK = Path(__file__).parents[2] / "requirements-dev.lock"
LONGEST_S = 180
"""For the whole lock; a service that is slower counts as away."""


def main() -> int:
    """Ask, and print; the exit code."""
    if find_spec("pip_audit") is None:
        print("pip-audit is not installed: nothing was audited")
        return 0
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        command = [sys.executable, "-m", "pip_audit", "--requirement", str(LOCK), "--no-deps", "--disable-pip"]
        command += ["--progress-spinner", "off", "--timeout", "10", "--format", "json", "--output", str(report)]
        try:
            subprocess.run(command, capture_output=True, check=False, timeout=LONGEST_S)
            found = json.loads(report.read_text(encoding="utf-8"))["dependencies"]
        except (OSError, ValueError, subprocess.TimeoutExpired):
            print("pip-audit: the advisory service cannot be reached: nothing was audited")
            return 0
    return tell(found)


def tell(found: list[dict[str, Any]]) -> int:
    """Print what pip-audit found; the exit code."""
    unknown = [one["name"] for one in found if "skip_reason" in one]
    vulnerable = [one for one in found if one.get("vulns")]
    for one in vulnerable:
        for flaw in one["vulns"]:
            mended = ", ".join(flaw.get("fix_versions", [])) or "no version yet"
            print(f"{one['name']} {one['version']}: {flaw['id']}, mended in {mended}")
    if len(unknown) == len(found):
        print("pip-audit: the advisory service knows none of these packages: nothing was audited")
        return 0
    if unknown:
        print(f"pip-audit: the service knows nothing of {len(unknown)} of {len(found)}: {', '.join(unknown)}")
    if not vulnerable:
        print(f"pip-audit: nothing is known against {len(found) - len(unknown)} packages")
    return 1 if vulnerable else 0


if __name__ == "__main__":
    sys.exit(main())
