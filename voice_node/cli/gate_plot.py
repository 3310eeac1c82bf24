"""A picture of what the gate heard and decided. The extra `plot`."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from voice_node.cli.gate_trace import Observation
from voice_node.gate.gate import Phase
from voice_node.gate.second_opinion import HOLDS_ABOVE, OPENS_ABOVE
from voice_node.model.speech import SpeechEnded

_INK, _SENT, _FLOOR, _VERDICT, _CHANCE = "#30343f", "#7fc29b", "#c8553d", "#8d99ae", "#6a4c93"
_INCHES_PER_S, _LEAST_INCHES, _MOST_INCHES = 0.35, 10.0, 60.0
_POINTS = 4000
"""Columns of the waveform: more than a picture has pixels would be work for nothing."""


def draw(
    path: Path,
    title: str,
    pcm: bytes,
    rate_hz: int,
    observations: Sequence[Observation],
    segments: Sequence[SpeechEnded],
) -> None:
    """Write a picture: waveform, level over noise floor, verdicts, probabilities; what was sent is shaded in each.

    Args:
        path: its ending says which kind of picture: one that matplotlib writes.
        pcm: the recording as the gate heard it, mono s16le.
        segments: those that were sent.
    """
    duration_s = max(len(pcm) / 2 / rate_hz, 0.1)
    width = min(max(duration_s * _INCHES_PER_S, _LEAST_INCHES), _MOST_INCHES)
    figure = Figure(figsize=(width, 7), dpi=100, layout="constrained")
    FigureCanvasAgg(figure)
    waves, levels, verdicts, chances = figure.subplots(4, 1, sharex=True, height_ratios=[3, 3, 1, 2])
    figure.suptitle(title, x=0.01, ha="left", fontsize=11)

    edges_s, low, high = _envelope(pcm, rate_hz)
    waves.fill_between(edges_s, low, high, color=_INK, linewidth=0.4)
    loudest = max(float(np.abs(np.concatenate((low, high))).max(initial=0.0)), 0.01)
    waves.set_ylim(-1.1 * loudest, 1.1 * loudest)
    waves.set_ylabel("waveform")

    at_s = [observation.at_ms / 1000 for observation in observations]
    levels.plot(at_s, [o.level_db for o in observations], color=_INK, linewidth=0.7, label="level")
    levels.plot(at_s, [o.floor_db for o in observations], color=_FLOOR, linewidth=1.6, label="noise floor")
    levels.set_ylabel("dBFS")
    levels.legend(loc="upper right", fontsize=8, ncols=2, framealpha=0.9)

    rows = (
        ("webrtcvad", _VERDICT, [o.is_speech for o in observations]),
        ("candidate", _CHANCE, [o.phase is Phase.CANDIDATE for o in observations]),
        ("open", _SENT, [o.phase in (Phase.WITHHELD, Phase.SENT) for o in observations]),
    )
    step_s = at_s[1] - at_s[0] if len(at_s) > 1 else 0.02
    for row, (_, colour, flags) in enumerate(rows):
        spans = [(begin, end - begin + step_s) for begin, end in _spans(at_s, flags)]
        verdicts.broken_barh(spans, (len(rows) - row - 0.9, 0.8), color=colour)
    verdicts.set_yticks([len(rows) - row - 0.5 for row in range(len(rows))], [name for name, _, _ in rows], fontsize=8)
    verdicts.set_ylim(0, len(rows))

    heard = [np.nan if o.probability is None else o.probability for o in observations]
    chances.plot(at_s, heard, color=_CHANCE, linewidth=1)
    for threshold, name in ((OPENS_ABOVE, "opens"), (HOLDS_ABOVE, "holds")):
        chances.axhline(threshold, color=_FLOOR, linewidth=0.8, linestyle="--")
        chances.annotate(
            name, (1, threshold), xycoords=("axes fraction", "data"), fontsize=8, va="center", color=_FLOOR
        )
    if all(np.isnan(heard)):
        chances.text(0.5, 0.75, "no second opinion was asked", transform=chances.transAxes, ha="center", fontsize=9)
    chances.set_ylim(-0.02, 1.05)
    chances.set_ylabel("probability")
    chances.set_xlabel("seconds; shaded: sent")

    for axes in (waves, levels, verdicts, chances):
        for segment in segments:
            axes.axvspan(segment.start_ms / 1000, segment.end_ms / 1000, color=_SENT, alpha=0.3, linewidth=0)
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(axis="x", color="#dddddd", linewidth=0.6)
        axes.set_axisbelow(True)
    waves.set_xlim(0, duration_s)
    figure.savefig(path, format=path.suffix[1:].lower())


def _envelope(pcm: bytes, rate_hz: int) -> tuple["np.ndarray[tuple[int], np.dtype[np.float64]]", ...]:
    """Time, lowest and highest sample of each column."""
    samples = np.frombuffer(pcm, "<i2") / 32768
    if not len(samples):
        samples = np.zeros(1)
    step = -(-len(samples) // _POINTS)
    starts = np.arange(0, len(samples), step)
    return starts / rate_hz, np.minimum.reduceat(samples, starts), np.maximum.reduceat(samples, starts)


def _spans(at_s: Sequence[float], flags: Sequence[bool]) -> list[tuple[float, float]]:
    """From the first to the last frame of each run of True."""
    spans: list[tuple[float, float]] = []
    was = False
    for time_s, flag in zip(at_s, flags, strict=True):
        if flag and was:
            spans[-1] = (spans[-1][0], time_s)
        elif flag:
            spans.append((time_s, time_s))
        was = flag
    return spans
