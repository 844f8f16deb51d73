"""The report, in Markdown (pure)."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from benchmarks.evaluation.tables import amount, percent, table
from benchmarks.scaling.comparing import Comparison, Row
from benchmarks.scaling.verdicts import verdict

HEAD = """\
# Accuracy against tokens

<!-- Written by `its-gateway scaling`; run that instead of editing. -->

Every registered strategy against repeated sampling (`best_of_n`, with every verifier that can
select here without a reference) where both spend the same number of completion tokens, judges
included. The curve of repeated sampling is measured at the budgets below and interpolated between
them, linearly in the logarithm of tokens. Brackets are 95% percentile intervals of a bootstrap over
problems, paired: a strategy and the curve are resampled together. The right answer never left the
client; a failed request is a wrong answer.
"""


FOLDERS = frozenset({"--out", "--work", "--cache"})
"""Options that say where on this machine something lies, and change no figure."""


def command_line(program: str, argv: Sequence[str]) -> str:
    """What to run to have this again, elsewhere."""
    kept: list[str] = []
    arguments = iter(argv)
    for argument in arguments:
        if argument in FOLDERS:
            next(arguments, None)
        elif argument.partition("=")[0] not in FOLDERS:
            kept.append(argument)
    return f"{program} {shlex.join(kept)}".strip()


@dataclass(frozen=True)
class Part:
    """What was found on one bed; `facts` say what was run."""

    name: str
    title: str
    facts: Sequence[str]
    comparison: Comparison
    useless: Mapping[str, str]
    refused: Mapping[str, str]
    timed: bool
    plots: Sequence[str]


def written(parts: Sequence[Part], facts: Sequence[str]) -> str:
    """The whole page."""
    lines = [HEAD, *(f"- {fact}" for fact in facts), "", "## In words", ""]
    for part in parts:
        lines += [f"{part.title}:", "", *_words(part), ""]
    for part in parts:
        lines += _part(part)
    return "\n".join(lines).rstrip() + "\n"


def _words(part: Part) -> list[str]:
    said = [f"- `{row.name}` {verdict(row.compared)}" for row in part.comparison.rows]
    return [*said, *(f"- `{name}` could not be run here." for name in part.refused)]


def _part(part: Part) -> list[str]:
    lines = [f"## {part.title}", "", *(f"- {fact}" for fact in part.facts), ""]
    lines += [f"![{part.title}: {plot}]({part.name}-{plot}.png)" for plot in part.plots]
    lines += ["", "### Repeated sampling", "", _curves(part), ""]
    if part.comparison.rows:
        lines += ["### Strategies", "", _rows(part), "", _differences(part), ""]
    told = {**part.useless, **part.refused}
    if told:
        lines += ["### Not run here", "", *(f"- `{name}`: {why}" for name, why in told.items()), ""]
    return lines


def _curves(part: Part) -> str:
    seen: set[str] = set()
    rows = []
    for curve in part.comparison.curves.values():
        for row in curve:
            if row.name not in seen:
                rows.append(_row(row, timed=part.timed))
                seen.add(row.name)
    return table(_header(part, "policy"), rows)


def _rows(part: Part) -> str:
    rows = [_row(row, timed=part.timed) for row in part.comparison.rows]
    return table(_header(part, "strategy"), rows)


def _header(part: Part, first: str) -> list[str]:
    return [first, "accuracy", "samples", "tokens", *(["seconds"] if part.timed else []), "failed"]


def _row(row: Row, *, timed: bool) -> list[str]:
    return [
        f"`{row.name}`",
        percent(row.accuracy.json()),
        f"{row.samples:.1f}",
        amount(row.tokens.json()),
        *([f"{row.seconds:.2f}"] if timed else []),
        str(row.failed),
    ]


def _differences(part: Part) -> str:
    """Each strategy less one sample, and less each curve at its tokens; a star marks tokens outside
    the curve.
    """
    verifiers = list(part.comparison.curves)
    rows = [
        [
            f"`{row.name}`",
            percent(row.over_one.json(), signed=True),
            *(
                percent(each.difference.json(), signed=True)
                + ("" if each.place == "within" else " *")
                for each in row.compared
            ),
        ]
        for row in part.comparison.rows
    ]
    note = "\n\n\\* its tokens lie outside the curve, whose nearest end is taken."
    starred = any(each.place != "within" for row in part.comparison.rows for each in row.compared)
    header = ["strategy", "− `direct`", *(f"− `{name}` at equal tokens" for name in verifiers)]
    return table(header, rows) + (note if starred else "")
