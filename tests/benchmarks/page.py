"""`docs/benchmarks.md`: made of a run's results, never by hand."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from tests.benchmarks.measure import Figure
from tests.benchmarks.parts import About, about
from tests.benchmarks.results import PartResult, Results

PICTURES = "pictures"
"""Beside the page."""

_INTRODUCTION = """# Benchmarks

Written by `script/bench --write-docs`, which measures everything, draws the pictures and keeps the figures in
[benchmarks.json](benchmarks.json). Do not edit it: change what measures (`tests/benchmarks`), or run it again.

A figure with a bound holds where its ratio is at most 1; `script/bench` ends with an error where one does not. Another
machine has other seconds: compare ratios and instruction counts. Where the load before a part was near the number of
cores or above it, this machine had other things to do, and times say little. What only computes (the gate on
recordings, the television, echo, the engine on this device) runs beside each other, after the rest."""


def picture_name(part: str) -> str:
    """Of a part's picture."""
    return f"bench_{part.replace('-', '_')}.png"


def write_page(results: Results, path: Path) -> None:
    """The pictures that are there are shown."""
    sections = [_INTRODUCTION, _machine(results), _overview(results)]
    for name, told in about().items():
        if (result := results.parts.get(name)) is not None:
            picture = Path(PICTURES) / picture_name(name)
            sections.append(_section(told, result, picture if (path.parent / picture).exists() else None))
    path.write_text("\n\n".join(sections) + "\n")


def _machine(results: Results) -> str:
    rows = [(name, value) for facts in (results.machine, results.versions) for name, value in facts.items()]
    return "## Where\n\n" + _table(("what", "which"), rows)


def _overview(results: Results) -> str:
    rows = []
    for name, told in about().items():
        if (result := results.parts.get(name)) is None:
            continue
        bounds = [figure.ratio for figure in result.figures if figure.ratio is not None]
        held = f"{sum(ratio <= 1 for ratio in bounds)} of {len(bounds)}" if bounds else ""
        outcome = "failed" if result.failure else held
        link = f"[{name}](#{_anchor(told.title)})"
        rows.append((link, result.measured_at, f"{result.seconds:.0f} s", f"{result.load:.2f}", outcome))
    table = _table(("part", "measured (UTC)", "took", "load before", "bounds that hold"), rows)
    again = "`script/bench PART --from docs/benchmarks.json --write-docs` measures one part anew, and keeps the others."
    return f"## When\n\n{again}\n\n{table}"


def _section(told: About, result: PartResult, picture: Path | None) -> str:
    blocks = [f"## {told.title}", told.text]
    if result.failure:
        blocks.append(f"**Not measured: {result.failure}**")
    blocks += _figures(result.figures)
    if result.skipped:
        blocks.append("Not measured: " + "; ".join(f"{one.what} ({one.why})" for one in result.skipped) + ".")
    if picture is not None:
        blocks.append(f"![{told.title}]({picture.as_posix()})")
    return "\n\n".join(blocks)


def _figures(figures: Sequence[Figure]) -> Iterable[str]:
    """Figures without a subject in rows; those with one in a table of subjects and names, ratios apart."""
    plain = [figure for figure in figures if figure.subject == ""]
    values = [figure for figure in figures if figure.subject != "" and figure.unit != "x"]
    ratios = [figure for figure in figures if figure.subject != "" and figure.unit == "x"]
    for crossed in (values, ratios):
        if crossed:
            yield _crossed(crossed)
    if plain:
        yield _listed(plain)


def _listed(figures: Sequence[Figure]) -> str:
    rows = [
        (
            figure.name,
            _value(figure),
            "" if figure.bound is None else f"{figure.bound:g} {figure.unit}",
            _ratio(figure),
            figure.note,
        )
        for figure in figures
    ]
    return _table(("figure", "value", "bound", "ratio", ""), rows)


def _crossed(figures: Sequence[Figure]) -> str:
    names = list(dict.fromkeys(figure.name for figure in figures))
    subjects = list(dict.fromkeys(figure.subject for figure in figures))
    found: Mapping[tuple[str, str | int], Figure] = {(figure.name, figure.subject): figure for figure in figures}
    rows = []
    for subject in subjects:
        cells = [found.get((name, subject)) for name in names]
        values = ["" if cell is None else f"{_value(cell)}{_mark(cell)}" for cell in cells]
        rows.append((f"{subject:,}" if isinstance(subject, int) else subject, *values))
    notes = list(dict.fromkeys(f"{figure.name}: {figure.note}" for figure in figures if figure.note))
    head = "rooms" if isinstance(subjects[0], int) else ""
    shared = {name.rpartition(", ")[2] for name in names}
    if len(names) > 1 and len(shared) == 1:  # what all names end with is said once
        head, names = shared.pop(), [name.rpartition(", ")[0] for name in names]
    table = _table((head, *names), rows)
    return table if len(notes) > len(names) or not notes else f"{table}\n\n" + "; ".join(notes) + "."


def _mark(figure: Figure) -> str:
    if figure.ratio is None:
        return ""
    return "" if figure.ratio <= 1 else f" **(bound {figure.bound:g})**"


def _ratio(figure: Figure) -> str:
    if figure.ratio is None:
        return ""
    return f"{figure.ratio:.2f}" if figure.ratio <= 1 else f"**{figure.ratio:.2f}**"


def _value(figure: Figure) -> str:
    return f"{short(figure.value)} {figure.unit}"


def short(value: float) -> str:
    """Three digits that mean something."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def _anchor(title: str) -> str:
    """As GitHub makes them."""
    return "".join(letter for letter in title.lower().replace(" ", "-") if letter.isalnum() or letter == "-")
