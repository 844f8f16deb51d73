"""The report's pictures: what accuracy costs, one a set of problems."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from benchmarks.scaling.plots import COLOURS, MARKERS
from benchmarks.voting.curves import SWEEPS, Curves


def draw(curves: Curves, folder: Path) -> list[str]:
    """Write `SET.png` for each set of problems; the names of the files."""
    sets = sorted({recording.partition("_")[0] for recording, _ in curves})
    for name in sets:
        _picture(curves, name).savefig(folder / f"{name}.png", dpi=90)
    return [f"{name}.png" for name in sets]


def _picture(curves: Curves, name: str) -> Figure:
    """Over a set's recordings: the geometric mean of the token shares, the mean of the points."""
    figure = Figure(figsize=(7.0, 4.2), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    recordings = sorted({each for each, _ in curves if each.startswith(name)})
    for place, rule in enumerate(SWEEPS):
        points = np.array([curves[each, rule] for each in recordings])
        axes.plot(
            np.exp(np.log(points[:, :, 0]).mean(axis=0)),
            points[:, :, 1].mean(axis=0),
            color=COLOURS[place],
            marker=MARKERS[place],
            markersize=4,
            label=rule,
        )
    axes.axhline(-1, color="#999999", linestyle=":", linewidth=1)
    axes.set_xlim(0, 1.6)
    axes.set_ylim(-6, 1)
    axes.set_xlabel("completion tokens, in those of Adaptive-Consistency .95")
    axes.set_ylabel("points of accuracy less a majority of 64")
    axes.set_title(f"{name}: mean of {len(recordings)} recordings", fontsize=10)
    axes.grid(color="#EEEEEE", linewidth=0.8)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=8, loc="lower right")
    return figure
