"""The report's pictures, by matplotlib without a display."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator, PercentFormatter

from benchmarks.evaluation.journal import Json

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#7F7F7F")
"""Okabe and Ito's, which the colour-blind can tell apart; without colour, markers can."""
MARKERS = "osD^vPX*"

Series = Mapping[str, Json]
"""What a line of the legend says -> a policy's summary."""


def draw(series: Series, folder: Path) -> list[str]:
    """Draw what there are figures for into `folder`; the names of the files, each with a title."""
    drawn = []
    for name, picture in PICTURES.items():
        figure = picture(series)
        if figure is not None:
            figure.savefig(folder / f"{name}.png", dpi=150)
            drawn.append(name)
        else:
            (folder / f"{name}.png").unlink(missing_ok=True)
    return drawn


def _figure(width: float = 7.5, height: float = 4.6) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color="#DDDDDD", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    return figure, axes


def _look(place: int) -> dict[str, Any]:
    return {
        "color": COLOURS[place % len(COLOURS)],
        "marker": MARKERS[(place + place // len(COLOURS)) % len(MARKERS)],
    }


def _legend(axes: Axes, entries: int) -> None:
    columns = 1 if entries <= 16 else 2
    axes.legend(
        loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False, fontsize=9, ncols=columns
    )


def _around(each: Json) -> list[list[float]]:
    """Lengths of an error bar below and above an estimate."""
    value, low, high = (each[name] for name in ("value", "low", "high"))
    if low is None:
        return [[0.0], [0.0]]
    return [[max(0.0, value - low)], [max(0.0, high - value)]]


def _plain(value: float, _: int) -> str:
    return f"{value:,.0f}" if value >= 1 else f"{value:g}"


def _log_axis(axes: Axes, label: str, base: float = 10, subs: Sequence[float] = (1, 2, 5)) -> None:
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(base, subs=subs, numticks=20))
    axes.xaxis.set_major_formatter(FuncFormatter(_plain))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlabel(label)


def _scatter(series: Series, of: Callable[[Json], Json], label: str) -> Figure | None:
    points = {name: each for name, each in series.items() if (of(each)["value"] or 0) > 0}
    if not points:
        return None
    figure, axes = _figure()
    for place, (name, each) in enumerate(points.items()):
        x, y = of(each), each["accuracy"]
        axes.errorbar(
            x["value"], y["value"], xerr=_around(x), yerr=_around(y), label=name,
            linestyle="none", markersize=7, capsize=2.5, elinewidth=1.1, **_look(place),
        )  # fmt: skip
    axes.margins(x=0.12)
    _log_axis(axes, label)
    axes.set_ylabel("accuracy of the selected answer")
    _legend(axes, len(points))
    return figure


def accuracy_tokens(series: Series) -> Figure | None:
    return _scatter(
        series, lambda each: each["completion_tokens"], "completion tokens a problem (log scale)"
    )


def accuracy_time(series: Series) -> Figure | None:
    return _scatter(series, lambda each: each["seconds"]["mean"], "seconds a problem (log scale)")


def coverage(series: Series) -> Figure | None:
    """Measured coverage with its band, and both laws where they were fitted."""
    longest = max(
        (each["coverage"]["samples"] for each in series.values() if each["coverage"]), default=1
    )
    shown = {
        name: each
        for name, each in series.items()
        if each["coverage"] and each["coverage"]["samples"] == longest > 1
    }
    if not shown:
        return None
    figure, axes = _figure()
    for place, (name, each) in enumerate(shown.items()):
        curve, colour = each["coverage"], COLOURS[place % len(COLOURS)]
        axes.fill_between(curve["k"], curve["low"], curve["high"], color=colour, alpha=0.16, lw=0)
        axes.plot(curve["k"], curve["value"], color=colour, lw=2, label=f"{name}: measured")
        if each["forecast"] is not None:
            _laws(axes, name, each["forecast"], colour)
    axes.set_ylim(top=min(1.02, axes.get_ylim()[1]))
    _log_axis(axes, "samples a problem, k (log scale)", base=2, subs=(1,))
    axes.set_ylabel("coverage@k")
    _legend(axes, 3 * len(shown))
    return figure


LAWS = {"power_law": ("power law", "--"), "tail_law": ("tail law", ":")}


def _laws(axes: Axes, name: str, told: Json, colour: str) -> None:
    axes.axvline(told["from"], color="#999999", lw=0.8)
    for law, (title, style) in LAWS.items():
        curve = told[law]["curve"]
        axes.plot(
            curve["k"], curve["value"], style, color=colour, lw=1.6,
            label=f"{name}: {title} from k ≤ {told['from']}",
        )  # fmt: skip
    end, forecast = told["to"], told["tail_law"]["forecast"]
    axes.errorbar(
        end, forecast["value"], yerr=_around(forecast), color=colour, marker="o", capsize=3,
        markersize=5, markerfacecolor="white", linestyle="none",
        label=f"{name}: tail law at {end}, 95%",
    )  # fmt: skip


def languages(series: Series) -> Figure | None:
    names = {language for each in series.values() for language in each["by_language"]}
    if len(names) < 2:
        return None
    first = next(iter(series.values()))["by_language"]
    ordered = sorted(
        names, key=lambda n: (-(first[n]["accuracy"]["value"] if n in first else 0), n)
    )
    figure, axes = _figure(width=max(7.5, 0.22 * len(names) * len(series) + 3.0))
    width = 0.8 / len(series)
    for place, (name, each) in enumerate(series.items()):
        bars = [
            (x, each["by_language"][n]["accuracy"])
            for x, n in enumerate(ordered)
            if n in each["by_language"]
        ]
        at = [x + (place - (len(series) - 1) / 2) * width for x, _ in bars]
        around = [[_around(y)[side][0] for _, y in bars] for side in (0, 1)]
        axes.bar(at, [y["value"] for _, y in bars], width * 0.92, label=name,
                 color=COLOURS[place % len(COLOURS)], yerr=around,
                 error_kw={"elinewidth": 1, "ecolor": "#333333"})  # fmt: skip
    axes.set_xticks(range(len(ordered)), ordered)
    axes.set_xlabel("language of the problem")
    axes.set_ylabel("accuracy of the selected answer")
    axes.set_ylim(0, 1)
    _legend(axes, len(series))
    return figure


PICTURES: dict[str, Callable[[Series], Figure | None]] = {
    "accuracy-tokens": accuracy_tokens,
    "accuracy-time": accuracy_time,
    "coverage": coverage,
    "languages": languages,
}
"""By the name of the file."""

TITLES: Mapping[str, str] = {
    "accuracy-tokens": "Accuracy against tokens",
    "accuracy-time": "Accuracy against wall time",
    "coverage": "Coverage@k, measured and forecast",
    "languages": "Accuracy by language",
}


def names(drawn: Sequence[str]) -> list[tuple[str, str]]:
    """Title and file of each picture."""
    return [(TITLES[name], f"{name}.png") for name in drawn]
