# ruff: noqa: T201 - it prints a table
"""Is there a wheel for a Raspberry Pi of everything that voice-node needs, and of what that needs? A table in Markdown.

Run by `script/check_wheels`. Asks the package registry that pip is set up with, a question for each extra, and installs
nothing. Exit code 1 where something has neither a wheel nor a place in `NOTES`: nobody shall find that out on the Pi.
"""

import json
import re
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]
PYTHONS = {"3.11": 36, "3.13": 41}
"""Of Debian 12 and 13 -> the minor version of their glibc, which runs what was built for older ones."""
NOTES = {
    "lgpio": "3.13: built, and its source fetches more while it is",
    "pyaudio": "gcc, python3-dev, portaudio19-dev",
    "vosk": "its `srt` comes as source, but is pure Python",
}
"""What does not come as wheels alone: the system packages with which it is built, or why none are needed."""

Wheels = dict[str, str]
"""Name of a package, in lower case with `-` -> the file name of its wheel."""


def main(extras: Sequence[str]) -> int:
    """Print the table; the exit code."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    groups: dict[str, list[str]] = {"": project["dependencies"], **project["optional-dependencies"]}
    if unknown := [name for name in extras if name not in groups]:
        known = ", ".join(filter(None, groups))
        print(f"script/check_wheels: there is no extra {unknown[0]}; there are {known}", file=sys.stderr)
        return 64
    rows: list[tuple[str, ...]] = []
    missing: list[str] = []
    for group in extras or [name for name in groups if name != "dev"]:
        print(f"{group or 'always'} ...", file=sys.stderr, flush=True)
        found = [wheels_of(groups[group], python) for python in PYTHONS]
        place = f"`{group}`" if group else "always"
        for requirement in groups[group]:
            name = name_of(requirement)
            wheels = [shown(wheels.get(name)) for wheels in found]
            rows.append((f"`{requirement}`", place, *wheels, NOTES.get(name, "")))
            if name not in NOTES and not all(name in wheels for wheels in found):
                missing.append(requirement)
        direct = {name_of(requirement) for requirement in groups[group]}
        others = sorted({name for wheels in found for name in wheels} - direct)
        rows += [
            (name, f"for {place}", *(shown(wheels.get(name)) for wheels in found), "")
            for name in others
            if not all(is_pure(wheels.get(name)) for wheels in found)  # what runs everywhere needs no row
        ]
    heads = ("requirement", "extra", *(f"Python {python}" for python in PYTHONS), "not as wheels alone")
    for row in (heads, ("---",) * len(heads), *rows):
        print(f"| {' | '.join(row)} |")
    if missing:
        print(f"script/check_wheels: no wheel for {', '.join(missing)}", file=sys.stderr)
    return 1 if missing else 0


def wheels_of(requirements: Sequence[str], python: str) -> Wheels:
    """What pip would install on the Pi for these, but for what has to be built."""
    whole = [requirement for requirement in requirements if name_of(requirement) not in NOTES]
    wheels = chosen(whole, python) if whole else {}
    if wheels is None:
        found = [chosen([requirement], python) or {} for requirement in whole]
        wheels = {name: wheel for one in found for name, wheel in one.items()}
    for requirement in requirements:
        if requirement not in whole:
            wheels |= chosen([requirement, "--no-deps"], python) or {}
    return wheels


def chosen(requirements: Sequence[str], python: str) -> Wheels | None:
    """The wheels of these and of what they need; None where something has none."""
    glibcs = [f"manylinux_2_{minor}_aarch64" for minor in range(PYTHONS[python], 16, -1)]
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        command = [sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed", "--quiet"]
        command += ["--only-binary=:all:", "--target", folder, "--python-version", python, "--implementation", "cp"]
        for platform in (*glibcs, "manylinux2014_aarch64", "linux_aarch64"):
            command += ["--platform", platform]
        done = subprocess.run(
            [*command, "--report", str(report), *requirements], stdout=subprocess.DEVNULL, check=False
        )
        if done.returncode != 0:
            return None
        installed = json.loads(report.read_text(encoding="utf-8"))["install"]
    urls = {one["metadata"]["name"]: one["download_info"]["url"] for one in installed}
    return {name_of(name): url.rsplit("/", 1)[-1] for name, url in urls.items()}


def name_of(requirement: str) -> str:
    """`ruamel.yaml>=0.18` -> `ruamel-yaml`."""
    return re.sub(r"[-_.]+", "-", re.split(r"[<>=!~; \[]", requirement)[0]).lower()


def is_pure(wheel: str | None) -> bool:
    """It runs on every machine."""
    return wheel is not None and wheel.endswith("-any.whl")


def shown(wheel: str | None) -> str:
    """Its version, and what it was built for."""
    if wheel is None:
        return "none"
    _, version, *_, platform = wheel.removesuffix(".whl").split("-")
    return f"{version}, {platform.split('.')[0]}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
