"""Reliability diagrams."""

from __future__ import annotations

import re
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from benchmarks.calibration.fitting import Fit
from benchmarks.calibration.shares import wilson

MOST_NAME = 100


def draw(fit: Fit, folder: Path) -> Path:
    """Draw what was told against what came true, of answers that the map was not fitted to."""
    assert fit.map is not None
    figure = Figure(figsize=(5.2, 5.0), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.plot([0, 1], [0, 1], color="#7F7F7F", linewidth=0.8)
    for each in fit.bins:
        low, high = wilson(each.right, each.n)
        axes.plot([each.told, each.told], [low, high], color="#0072B2", linewidth=1)
        axes.plot(each.told, each.right, "o", color="#0072B2")
        axes.annotate(str(each.n), (each.told, high), fontsize=7, ha="center", va="bottom")
    axes.set(xlim=(0, 1), ylim=(0, 1.05), xlabel="told probability", ylabel="share right")
    model, route, verifier = fit.key
    told = f"{fit.map.kind}, {fit.n} labels, ECE {fit.map.ece:.3f}"
    axes.set_title(f"{model}\n{route}\n{verifier}: {told}", fontsize=8)
    words = re.sub(r"[^A-Za-z0-9]+", "-", " ".join((verifier, route, model))).strip("-")
    path = folder / f"{words[:MOST_NAME]}.png"
    figure.savefig(path, dpi=150)
    return path
