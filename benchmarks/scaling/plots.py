"""The report's pictures: accuracy against tokens, and against time."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter, PercentFormatter

from benchmarks.scaling.comparing import Comparison, Row

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#7F7F7F")
"""Okabe and Ito's, which the colour-blind can tell apart."""
MARKERS = "osD^vPX*<>hp"


def draw(found: Comparison, folder: Path, name: str, *, timed: bool) -> list[str]:
    """Write `NAME-tokens.png`, and `NAME-seconds.png` where time was measured; what was drawn."""
    wanted = ["tokens", *(["seconds"] if timed else [])]
    for what in wanted:
        _picture(found, *AXES[what]).savefig(folder / f"{name}-{what}.png", dpi=130)
    return wanted


def _picture(found: Comparison, label: str, at: Callable[[Row], float]) -> Figure:
    figure = Figure(figsize=(8.5, 4.8), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for place, (verifier, curve) in enumerate(found.curves.items()):
        axes.plot(
            [at(row) for row in curve],
            [row.accuracy.value for row in curve],
            color=COLOURS[place % len(COLOURS)],
            marker=".",
            label=f"best_of_n, {verifier}",
        )
    for place, row in enumerate(found.rows):
        colour = COLOURS[place % len(COLOURS)]
        marker = MARKERS[(place + place // len(COLOURS)) % len(MARKERS)]
        low, high = row.accuracy.low, row.accuracy.high
        axes.plot([at(row)] * 2, [low, high], color=colour, linewidth=0.8, alpha=0.5)
        axes.plot(
            at(row), row.accuracy.value, color=colour, marker=marker, linestyle="", label=row.name
        )
    _dress(axes, label)
    return figure


def _dress(axes: Axes, label: str) -> None:
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
    low, high = axes.get_xlim()
    small = FuncFormatter(lambda value, _: f"{value:,g}") if high < 30 * low else NullFormatter()
    axes.xaxis.set_minor_formatter(small)
    axes.set_xlabel(label)
    axes.set_ylabel("accuracy")
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    axes.grid(axis="y", color="#DDDDDD", linewidth=0.8)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False, fontsize=8)


AXES: dict[str, tuple[str, Callable[[Row], float]]] = {
    "tokens": ("completion tokens a problem", lambda row: row.tokens.value),
    "seconds": ("seconds a problem", lambda row: row.seconds),
}
