"""`report.md`, `summary.json` and the pictures of one run, or of several together."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.evaluation import plots, tables
from benchmarks.evaluation.comparison import agreement
from benchmarks.evaluation.journal import BadRun, Json, Run
from benchmarks.evaluation.summary import Statistics, summarise

COMMAND = "command.txt"


def write(runs: Sequence[Run], out: Path, how: Statistics, *, command: str | None = None) -> Path:
    """Write the report on `runs` into the folder `out`; the path of its page."""
    named = _named(runs)
    out.mkdir(parents=True, exist_ok=True)
    if command is not None:
        (out / COMMAND).write_text(command + "\n")
    summaries = {label: summarise(run, how) for label, run in named.items()}
    for label, run in named.items():
        if not summaries[label]["policies"]:
            raise BadRun(f"{run.folder}: nothing was answered yet")
    compared = agreement(named, how.resamples) if len(named) > 1 else ()
    _write_summary(out / "summary.json", summaries, compared)
    series = _series(summaries)
    pictures = plots.names(plots.draw(series, out))
    commands = {label: _command(run) for label, run in named.items()}
    page = out / "report.md"
    page.write_text(_page(summaries, commands, compared, pictures))
    return page


def _named(runs: Sequence[Run]) -> dict[str, Run]:
    """The runs by their folders' names, which a number tells apart where they are the same."""
    named: dict[str, Run] = {}
    for run in runs:
        label = base = run.folder.resolve().name
        number = 1
        while label in named:
            number += 1
            label = f"{base}-{number}"
        named[label] = run
    return named


def _command(run: Run) -> str | None:
    path = run.folder / COMMAND
    return path.read_text().strip() if path.exists() else None


def _write_summary(path: Path, summaries: Mapping[str, Json], compared: Sequence[Json]) -> None:
    told: Json
    if len(summaries) == 1:
        [told] = summaries.values()
    else:
        told = {"runs": dict(summaries), "agreement": list(compared)}
    path.write_text(json.dumps(told, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def _series(summaries: Mapping[str, Json]) -> dict[str, Json]:
    """The policies of all runs by what the legend calls them."""
    alone = len(summaries) == 1
    return {
        policy if alone else f"{label}: {policy}": told
        for label, summary in summaries.items()
        for policy, told in summary["policies"].items()
    }


def _page(
    summaries: Mapping[str, Json],
    commands: Mapping[str, str | None],
    compared: Sequence[Json],
    pictures: Sequence[tuple[str, str]],
) -> str:
    parts = ["# Evaluation"]
    for label, summary in summaries.items():
        parts.append(tables.facts(label, summary, commands[label], alone=len(summaries) == 1))
    if compared:
        parts += ["## Do the runs agree?", tables.agreement(compared)]
    parts += [f"![{title}]({file})" for title, file in pictures]
    for label, summary in summaries.items():
        of = "" if len(summaries) == 1 else f" ({label})"
        for title, table in tables.SECTIONS.items():
            text = table(summary)
            if text:
                parts += [f"## {title}{of}", text]
    parts += ["## How to read this", tables.GLOSSARY]
    return "\n\n".join(parts) + "\n"
