"""On what strategies are compared: a model that samples, and recorded answers of real ones."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.evaluation.problem import Problem
from benchmarks.evaluation.sources import generated
from gateway.backends.replay import load

REPEAT = "#"
"""Stands between a problem's id and the number of its repeat."""


@dataclass(frozen=True)
class Bed:
    """A model, the options of the gateway that serves it, and problems.

    Every problem is asked `repeats` times, with seeds of their own. `budgets` are those of repeated
    sampling's curve. `timed` says whether wall time means anything.
    """

    name: str
    title: str
    model: str
    options: Sequence[str]
    problems: Sequence[Problem]
    budgets: Sequence[int]
    repeats: int = 1
    timed: bool = True

    def asked(self) -> list[Problem]:
        """A problem a repeat, each with an id of its own."""
        return [
            problem.model_copy(update={"id": f"{problem.id}{REPEAT}{number}"})
            for number in range(self.repeats)
            for problem in self.problems
        ]


def demo(count: int, seed: int, languages: Sequence[str], budgets: Sequence[int]) -> Bed:
    """The embedded model on `count` unseen problems."""
    return Bed(
        name="demo",
        title="The demo's model, sampling",
        model="its-demo",
        options=(),
        problems=generated(count, seed, languages),
        budgets=budgets,
    )


def recorded(file: Path, *, limit: int | None, repeats: int, budgets: Sequence[int]) -> Bed:
    """The recorded answers in `file`; `limit` problems, spread over the file."""
    [recording] = load(file)
    problems = list(_problems(file, {label: p.text for label, p in recording.problems.items()}))
    step = 1 if limit is None else max(1, len(problems) // limit)
    return Bed(
        name=recording.model,
        title=f"Recorded answers of {recording.model}",
        model=recording.model,
        options=("--replay", str(file)),
        problems=problems[::step][:limit],
        budgets=budgets,
        repeats=repeats,
        timed=False,
    )


def _problems(file: Path, texts: dict[str, str | None]) -> Iterator[Problem]:
    """Problems by their labels, asked by their texts where these are there."""
    for label, line in zip(texts, file.read_text(encoding="utf-8").splitlines(), strict=True):
        gold = str(json.loads(line)["gold_answer"])
        yield Problem(id=label, question=texts[label] or label, answer=gold)
