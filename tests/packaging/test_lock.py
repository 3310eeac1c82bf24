"""The lock holds what pyproject.toml asks for."""

import re
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
LINES = [
    line
    for line in (ROOT / "requirements-dev.lock").read_text(encoding="utf-8").splitlines()
    if line[:1] not in ("#", "")
]


def test_every_line_is_one_version_of_one_package_and_names_no_place() -> None:
    """No registry, no file: whoever installs has their own."""
    pin = re.compile(r"[A-Za-z0-9._-]+==[A-Za-z0-9.!+]+( ; [a-z_]+[^@/]*)?")
    assert [line for line in LINES if not pin.fullmatch(line)] == []


def test_every_requirement_is_pinned_to_a_version_that_fits_it() -> None:
    pins: dict[str, list[str]] = {}
    for pin in map(Requirement, LINES):
        (version,) = pin.specifier
        pins.setdefault(canonicalize_name(pin.name), []).append(version.version)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [*project["dependencies"], *(one for extra in project["optional-dependencies"].values() for one in extra)]
    unfit = [
        requirement
        for requirement in wanted
        if not (versions := pins.get(canonicalize_name(Requirement(requirement).name), []))
        or not all(Requirement(requirement).specifier.contains(version) for version in versions)
    ]
    assert unfit == [], "make requirements-dev.lock anew; its first lines say how"
