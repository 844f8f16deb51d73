"""The report of stopping rules on recorded answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import geometric_mean

from benchmarks.voting.measured import Compared

LOSS, EASY, HARD, ROUNDS = -1.0, 0.50, 0.80, 0.5
"""What the rule `value` must reach: points lost, tokens on MATH500 and on AIME, rounds."""


def report(
    rows: Sequence[Compared],
    rules: Mapping[str, tuple[str, int]],
    shuffles: int,
    pictures: Sequence[str] = (),
) -> str:
    """The page, in Markdown."""
    parts = [
        "# Stopping rules on recorded answers",
        f"Made by `python -m benchmarks.voting --shuffles {shuffles}`. Every rule is run by "
        f"itself, without a gateway, over {shuffles} shuffles of each recording: questions in a "
        "random order, votes drawn without replacement, a route that begins knowing nothing. "
        "Accuracy is by string equality with the reference, of the commonest spelling of the "
        "winning class; "
        "its difference to a majority of 64 is over the same shuffles, with a 95% interval over "
        "shuffles. Tokens and rounds are shares of Adaptive-Consistency's at .95 (cap 40, one "
        "candidate a round).",
        "\n".join(f"- `{name}`: `{text}`, at most {n}" for name, (text, n) in rules.items()),
        summary(rows, list(rules)),
        *(f"![accuracy against tokens]({name})" for name in pictures),
        *(table(name, [row for row in rows if row.rule == name]) for name in rules),
        verdict([row for row in rows if row.rule == "value"]),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def summary(rows: Sequence[Compared], rules: Sequence[str]) -> str:
    """All rules in one table: points lost and tokens taken."""
    lines = [
        "| rule | points, worst recording | points, mean | of AC's tokens, MATH500 at most "
        "| AIME, geometric mean | of AC's rounds, at most |",
        "|---|---|---|---|---|---|",
    ]
    for name in rules:
        own = [row for row in rows if row.rule == name]
        worst = min(own, key=lambda row: row.gain)
        easy = [row.tokens for row in own if row.file.startswith("math500")]
        hard = [row.tokens for row in own if row.file.startswith("aime")]
        lines.append(
            f"| `{name}` | {worst.gain:+.2f} ± {worst.interval:.2f} ({worst.file}) "
            f"| {sum(row.gain for row in own) / len(own):+.2f} "
            f"| {f'{max(easy):.3f}' if easy else '–'} "
            f"| {f'{geometric_mean(hard):.3f}' if hard else '–'} "
            f"| {max(row.rounds for row in own):.3f} |"
        )
    return "\n".join(lines)


def table(name: str, rows: Sequence[Compared]) -> str:
    """One rule on each recording."""
    lines = [
        f"## `{name}`",
        "",
        "| recording | accuracy | less majority of 64 | samples | tokens | of AC's tokens "
        "| of AC's rounds | samples a round |",
        "|---|---|---|---|---|---|---|---|",
        *(
            f"| {row.file} | {row.accuracy:.2f}% | {row.gain:+.2f} ± {row.interval:.2f} "
            f"| {row.samples:.2f} | {row.mean_tokens:,.0f} | {row.tokens:.3f} | {row.rounds:.3f} "
            f"| {row.samples_a_round:.2f} |"
            for row in rows
        ),
    ]
    if hard := [row.tokens for row in rows if row.file.startswith("aime")]:
        lines += ["", f"Geometric mean of the token shares on AIME: {geometric_mean(hard):.3f}."]
    return "\n".join(lines)


def verdict(rows: Sequence[Compared]) -> str:
    """Whether the targets are met, by the means."""
    hard = [row.tokens for row in rows if row.file.startswith("aime")]
    easy = [row.tokens for row in rows if row.file.startswith("math500")]
    if not rows or not hard or not easy:
        return ""
    checks = {
        f"accuracy within {-LOSS} point of a majority of 64 on every recording": min(
            row.gain for row in rows
        )
        >= LOSS,
        f"at most {EASY} of Adaptive-Consistency's tokens on each MATH500": max(easy) <= EASY,
        f"at most {HARD} on AIME, geometric mean": geometric_mean(hard) <= HARD,
        "at least 2 times fewer rounds than Adaptive-Consistency": max(row.rounds for row in rows)
        <= ROUNDS,
        "at least 2 candidates a round": min(row.samples_a_round for row in rows) >= 2,
    }
    lines = [f"- {'met' if met else 'MISSED'}: {text}" for text, met in checks.items()]
    return "\n".join(["## What `value` must reach", "", *lines])
