"""The shape of the house: who may import whom, how long a module may be, and what tests there are of it."""

import ast
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "voice_node"
TESTS = ROOT / "tests"
MOST_LINES = 400

FLOORS: tuple[tuple[int, str], ...] = (
    (5, "__main__ cli/*"),
    (4, "app building sound_stages service tool_servers"),
    (3, "pipeline hearing contest pipes stages failover private"),
    (0, "__init__ model/*"),
    (0, "settings/section settings/schema settings/session* settings/tools settings/problem"),
    (0, "settings/defaults settings/reloading settings/mcp settings/local settings/tunable"),
    (1, "audio/* playback/queue playback/renderer playback/chimes router/*"),
    (1, "gate/gate gate/noise_floor gate/second_opinion gate/tonality gate/attention gate/arbitration"),
    (1, "capture/duplex capture/echo capture/echo_filter capture/echo_reference"),
    (
        1,
        "session/events session/reading session/wire_* session/setup session/formats session/providers session/retry",
    ),
    (1, "session/sequencer session/turns session/step session/conversation session/answers session/replies"),
    (1, "session/protocol session/pricing session/memory session/server_ending session/service_calls session/unwanted"),
    (1, "mcp/schema mcp/catalogue mcp/answer"),
    (1, "mqtt/topics mqtt/message mqtt/encode mqtt/decode mqtt/outgoing mqtt/discovery"),
    (1, "local/conversation local/dialogue local/phrases local/short_forms local/judging"),
    (1, "local/frames local/grammar local/refusal local/session local/slots"),
    (1, "local/wire local/reading local/client_secrets local/access local/flat_session local/api"),
    (1, "local/checks local/dialect local/wire_beta local/handshake local/turn_detection local/rate_limit"),
    (1, "local/sound_format local/sound_buffer"),
    (2, "*"),
)
"""Modules by floor; the first line that fits counts. 0 values, 1 logic, 2 adapters, 3 pipeline, 4 app, 5 entrance."""

STAGES = ("capture", "gate", "session", "playback", "router", "mqtt", "mcp", "local")
NOT_IN_LOGIC = ("asyncio", "threading", "time", "os", "socket", "logging", "random")
ANYWHERE = ("numpy", "click")
ONLY_IN = {"pydantic": "settings/*", "click": "cli/*", "rich": "cli/*"}
"""Libraries that several modules of one place share."""
BOTH_ENDS = {
    "websockets": {"session/connection", "local/server"},
    "webrtcvad": {"gate/webrtc", "local/voice_activity"},
}
"""A library that both ends of the wire use, which may share nothing: each judges the other."""


@dataclass(frozen=True)
class Import:
    """One import statement."""

    importer: str
    """The path below the package, without suffix: `gate/webrtc`."""
    line: int
    name: str
    """The dotted module that is imported."""

    @property
    def ours(self) -> str | None:
        """The imported module's path below the package, if it is one of ours."""
        top, _, below = self.name.partition(".")
        return (below.replace(".", "/") or "__init__") if top == "voice_node" else None

    def breaks(self, law: str) -> str:
        return f"voice_node/{self.importer}.py:{self.line}: imports {self.name}: {law}"


def module_paths() -> list[str]:
    return sorted(path.relative_to(PACKAGE).with_suffix("").as_posix() for path in PACKAGE.rglob("*.py"))


@cache
def tree_of(module: str) -> ast.Module:
    return ast.parse((PACKAGE / f"{module}.py").read_text(encoding="utf-8"))


@cache
def imports() -> tuple[Import, ...]:
    return tuple(found for module in module_paths() for found in imports_of(module, tree_of(module)))


def imports_of(module: str, tree: ast.Module) -> Iterator[Import]:
    """Imports anywhere in the module, those inside of functions too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (Import(module, node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            source = node.module or ""
            for alias in node.names:
                # `from voice_node.model import report` names a module, `from voice_node.model.report import State` none
                name = f"{source}.{alias.name}"
                yield Import(module, node.lineno, name if is_module(name) else source)


def is_module(name: str) -> bool:
    top, _, below = name.partition(".")
    place = PACKAGE / below.replace(".", "/")
    return top == "voice_node" and (place.with_suffix(".py").exists() or (place / "__init__.py").exists())


def fits(module: str, patterns: str) -> bool:
    return any(fnmatch(module, pattern) for pattern in patterns.split())


def floor_of(module: str) -> int:
    return next(floor for floor, patterns in FLOORS if fits(module, patterns))


def folder_of(module: str) -> str:
    return module.partition("/")[0] if "/" in module else ""


def library_of(name: str) -> str | None:
    """The outside library that an import is of, or None."""
    top = name.partition(".")[0]
    return None if top in sys.stdlib_module_names or top == "voice_node" else top


def looks_upward(found: Import) -> str | None:
    if found.ours is None or floor_of(found.importer) >= floor_of(found.ours):
        return None
    return found.breaks(f"floor {floor_of(found.importer)} looks up to floor {floor_of(found.ours)}")


def looks_into_another_stage(found: Import) -> str | None:
    own, other = folder_of(found.importer), folder_of(found.ours or "")
    if own in STAGES and other in STAGES and own != other:
        return found.breaks("a stage never imports another stage (`local` and `session` meet on the wire only)")
    return None


def brings_the_world_into_logic(found: Import) -> str | None:
    if floor_of(found.importer) <= 1 and found.name.partition(".")[0] in NOT_IN_LOGIC:
        return found.breaks("values and logic know no clock, no thread, no socket, no chance and no log")
    return None


def takes_a_library_from_its_place(found: Import) -> str | None:
    library = library_of(found.name)
    if library in ONLY_IN and not fits(found.importer, ONLY_IN[library]):
        return found.breaks(f"{library} belongs to {ONLY_IN[library]}")
    return None


def puts_an_adapter_into_the_pipeline(found: Import) -> str | None:
    is_adapter = found.ours is not None and floor_of(found.ours) == 2 and found.ours != "runtime/pipe"
    if floor_of(found.importer) == 3 and is_adapter:
        return found.breaks("the pipeline knows adapters only as protocols and callables")
    return None


LAWS: tuple[Callable[[Import], str | None], ...] = (
    looks_upward,
    looks_into_another_stage,
    brings_the_world_into_logic,
    takes_a_library_from_its_place,
    puts_an_adapter_into_the_pipeline,
)


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_no_import(law: Callable[[Import], str | None]) -> None:
    broken = sorted({complaint for found in imports() if (complaint := law(found)) is not None})
    assert not broken, "\n" + "\n".join(broken)


def test_each_library_is_imported_in_one_module() -> None:
    users: dict[str, dict[str, Import]] = {}
    for found in imports():
        library = library_of(found.name)
        if library is not None and library not in (*ANYWHERE, *ONLY_IN):
            users.setdefault(library, {}).setdefault(found.importer, found)
    shared = [
        found
        for library, places in users.items()
        if len(places) > 1 and set(places) != BOTH_ENDS.get(library)
        for found in places.values()
    ]
    broken = [found.breaks("an outside library is imported in exactly one module") for found in shared]
    assert not broken, "\n" + "\n".join(broken)


@pytest.mark.parametrize("folder", [PACKAGE, TESTS], ids=lambda folder: folder.name)
def test_no_module_is_longer_than_400_lines(folder: Path) -> None:
    """Where a module has more tests than that, each idea has its own: test_gate.py, test_gate_longest.py."""
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in sorted(folder.rglob("*.py"))}
    broken = [
        f"{path.relative_to(ROOT)}:{MOST_LINES + 1}: {length} lines: no module is over {MOST_LINES} lines"
        for path, length in lengths.items()
        if length > MOST_LINES
    ]
    assert not broken, "\n" + "\n".join(broken)


def claims_something(test: ast.AST) -> bool:
    """It asserts, by itself or through somebody whose name says so, or expects an error."""
    called = [node.func for node in ast.walk(test) if isinstance(node, ast.Call)]
    names = [call.attr if isinstance(call, ast.Attribute) else getattr(call, "id", "") for call in called]
    claims = any(name in ("raises", "warns", "fail") or name.startswith("assert_") for name in names)
    return claims or any(isinstance(node, ast.Assert) for node in ast.walk(test))


def test_a_test_that_claims_nothing_is_seen() -> None:
    assert not claims_something(ast.parse("run()"))
    for text in ("assert run()", "assert_runs()", "with pytest.raises(OSError):\n    run()"):
        assert claims_something(ast.parse(text)), text


def test_each_test_claims_something() -> None:
    """What only runs through proves that nothing raises; what a user would want to be true goes unsaid."""
    broken = [
        f"{path.relative_to(ROOT)}:{node.lineno}: {node.name} claims nothing"
        for path in sorted(TESTS.rglob("test_*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name.startswith("test_")
        and not claims_something(node)
    ]
    assert not broken, "\n" + "\n".join(broken)


def holds_code(module: str) -> bool:
    """More than names, fields and protocols: something that can be wrong when it runs."""
    functions = [node for node in ast.walk(tree_of(module)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    return any(not is_bare(line) for function in functions for line in function.body)


def is_bare(line: ast.stmt) -> bool:
    """A docstring or `...`."""
    return isinstance(line, ast.Expr) and isinstance(line.value, ast.Constant)


def place_of_tests(module: str) -> Path:
    """`gate/gate` -> tests/gate/test_gate.py; the code of a folder itself, `cli/__init__` -> tests/cli/test_cli.py."""
    place = Path(module)
    name = place.parent.name if place.name == "__init__" else place.name
    return ROOT / "tests" / place.parent / f"test_{name.strip('_')}.py"


def test_every_module_with_code_has_its_test_module() -> None:
    broken = [
        f"voice_node/{module}.py:1: there is no {place_of_tests(module).relative_to(ROOT)}: each module has its tests"
        for module in module_paths()
        if holds_code(module) and not place_of_tests(module).exists()
    ]
    assert not broken, "\n" + "\n".join(broken)


def test_every_line_of_the_table_of_floors_is_of_use() -> None:
    """A module that was renamed must not fall to another floor unseen."""
    modules = module_paths()
    patterns = [pattern for _, line in FLOORS for pattern in line.split()]
    assert [pattern for pattern in patterns if not any(fnmatch(module, pattern) for module in modules)] == []


def test_the_laws_see_what_they_forbid() -> None:
    """Each law against the smallest module that breaks it."""
    crimes = {
        looks_upward: ("model/audio", "from voice_node.gate.gate import Gate"),
        looks_into_another_stage: ("local/dialogue", "from voice_node.session import wire_ga"),
        brings_the_world_into_logic: ("gate/gate", "def f():\n    import os.path"),
        takes_a_library_from_its_place: ("app", "import rich.console as c"),
        puts_an_adapter_into_the_pipeline: ("pipeline", "from voice_node.mqtt.bridge import Bridge"),
    }
    for law, (module, text) in crimes.items():
        (complaint,) = [law(found) for found in imports_of(module, ast.parse(text))]
        assert complaint is not None, law.__name__
        assert complaint.startswith(f"voice_node/{module}.py:"), complaint
    assert set(crimes) == set(LAWS)
