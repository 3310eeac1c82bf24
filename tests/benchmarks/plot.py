"""A picture of each part. The extra `plot`.

Figures of numbers of something are lines over these; figures of several subjects are bars beside each other, a panel
for each name; all others are bars in a panel for each unit, with their bounds.
"""

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import FuncFormatter
from PIL import Image

from tests.benchmarks.measure import Figure
from tests.benchmarks.page import picture_name, short
from tests.benchmarks.results import Results

_INK, _BAR, _OURS, _BOUND = "#30343f", "#8d99ae", "#2a9d6f", "#c8553d"
_WIDTH = 9.0
_ROW = 0.3
"""Inches of a bar."""
_HEAD = 0.6
_NUMBER = 0.08
"""The width of a number, as a part of the widest bar."""
_COLOURS = 64
_OURS_BEGINS = "voice_node"


def draw_all(results: Results, folder: Path) -> list[Path]:
    """The pictures of all parts that have figures."""
    folder.mkdir(parents=True, exist_ok=True)
    drawn = []
    for name, part in results.parts.items():
        path = folder / picture_name(name)
        if part.figures:
            draw(name, part.figures, path)
            drawn.append(path)
        else:
            path.unlink(missing_ok=True)  # an older one would show what was not measured
    return drawn


def draw(title: str, figures: Sequence[Figure], path: Path) -> None:
    """Write a PNG."""
    counted = [figure for figure in figures if isinstance(figure.subject, int)]
    compared = [
        figure for figure in figures if isinstance(figure.subject, str) and figure.subject and figure.unit != "x"
    ]
    if counted:
        canvas = _lines(counted)
    elif compared:
        canvas = _beside(compared)
    else:
        canvas = _bars(figures)
    if not counted and any(figure.bound is not None for figure in compared or figures):
        title += "; red marks are bounds"
    canvas.suptitle(title, x=0.01, ha="left", fontsize=11, color=_INK)
    _save(canvas, path)


def _save(canvas: Canvas, path: Path) -> None:
    """With few colours: a fifth of the bytes, and nobody sees it."""
    drawn = BytesIO()
    canvas.savefig(drawn, format="png")
    Image.open(drawn).convert("RGB").quantize(_COLOURS).save(path, "PNG", optimize=True)


def _canvas(height: float) -> Canvas:
    return Canvas(figsize=(_WIDTH, height), dpi=110, layout="constrained")


def _bars(figures: Sequence[Figure]) -> Canvas:
    units: dict[str, list[Figure]] = {}
    for figure in figures:
        units.setdefault(figure.unit, []).append(figure)
    rows = [len(group) for group in units.values()]
    canvas = _canvas(0.5 + _ROW * sum(rows) + _HEAD * len(rows))
    panels = canvas.subplots(len(units), 1, squeeze=False, height_ratios=rows)
    for (unit, group), (axes,) in zip(units.items(), panels, strict=True):
        _bar_panel(axes, [figure.name for figure in group], group)
        axes.set_xlabel(unit, fontsize=8, loc="right", labelpad=1)
    return canvas


def _beside(figures: Sequence[Figure]) -> Canvas:
    names = list(dict.fromkeys(figure.name for figure in figures))
    groups = [[figure for figure in figures if figure.name == name] for name in names]
    rows = [len(group) for group in groups]
    canvas = _canvas(0.5 + _ROW * sum(rows) + (_HEAD + 0.1) * len(rows))
    panels = canvas.subplots(len(groups), 1, squeeze=False, height_ratios=rows)
    for name, group, (axes,) in zip(names, groups, panels, strict=True):
        _bar_panel(axes, [str(figure.subject) for figure in group], group)
        axes.set_title(f"{name}, {group[0].unit}", fontsize=9, loc="left", color=_INK)
    return canvas


def _bar_panel(axes: Axes, labels: Sequence[str], figures: Sequence[Figure]) -> None:
    places = range(len(figures))
    values = [figure.value for figure in figures]
    colours = [_colour(figure) for figure in figures]
    axes.barh(places, values, height=0.62, color=colours)
    widest = max([*values, *(figure.bound for figure in figures if figure.bound is not None), 1e-9])
    for place, figure in zip(places, figures, strict=True):
        if figure.bound is not None:
            axes.plot([figure.bound] * 2, [place - 0.42, place + 0.42], color=_BOUND, linewidth=2)
        # Beside the bar; behind the mark where that would run through the number.
        is_in_the_way = figure.bound is not None and 0 <= figure.bound - figure.value < widest * _NUMBER
        beside = figure.bound if figure.bound is not None and is_in_the_way else figure.value
        axes.text(beside + widest * 0.012, place, short(figure.value), va="center", fontsize=8, color=_INK)
    axes.set_yticks(list(places), list(labels), fontsize=8)
    axes.set_xlim(0, widest * 1.1)
    axes.set_ylim(len(figures) - 0.4, -0.6)
    _tidy(axes)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", color="#e3e3e3", linewidth=0.6)


def _colour(figure: Figure) -> str:
    if figure.ratio is not None and figure.ratio > 1:
        return _BOUND
    return _OURS if str(figure.subject).startswith(_OURS_BEGINS) else _BAR


def _lines(figures: Sequence[Figure]) -> Canvas:
    """A panel for each name; percentiles of one thing share theirs."""
    panels: dict[str, dict[str, list[Figure]]] = {}
    for figure in figures:
        panel, _, label = figure.name.partition(", ")
        panels.setdefault(f"{panel}, {figure.unit}", {}).setdefault(label, []).append(figure)
    ticks = sorted({int(figure.subject) for figure in figures})
    rows = -(-len(panels) // 2)
    canvas = _canvas(0.5 + 2.2 * rows)
    every = canvas.subplots(rows, 2, squeeze=False).flatten()
    for axes in every[len(panels) :]:
        axes.set_visible(False)
    for (name, lines), axes in zip(panels.items(), every, strict=False):
        for number, (label, points) in enumerate(lines.items()):
            counts = [int(figure.subject) for figure in points]
            values = [figure.value for figure in points]
            colour = (_OURS, _INK, _BAR)[number % 3]
            axes.plot(counts, values, marker="o", markersize=4, color=colour, label=label)
            for count, value in zip(counts, values, strict=True):
                axes.annotate(
                    short(value), (count, value), xytext=(0, 6), textcoords="offset points", ha="center", fontsize=7
                )
        axes.set_xscale("log")
        if all(figure.value > 0 for points in lines.values() for figure in points):
            axes.set_yscale("log")
        axes.margins(y=0.25)
        axes.set_xticks(ticks, [f"{tick:,}" for tick in ticks])
        axes.set_xlim(ticks[0] / 1.6, ticks[-1] * 1.6)
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.set_xlabel("rooms", fontsize=8, loc="right", labelpad=1)
        axes.minorticks_off()
        axes.set_title(name, fontsize=9, loc="left", color=_INK)
        if len(lines) > 1:
            axes.legend(fontsize=7, frameon=False)
        _tidy(axes)
        axes.grid(color="#e3e3e3", linewidth=0.6)
    return canvas


def _tidy(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=8)
    axes.set_axisbelow(True)
