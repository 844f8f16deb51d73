"""Recorded answers as votes: by class, by spelling, with what each cost."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from random import Random

from gateway import Score, answers
from strategies.rules import Seen


@dataclass(frozen=True, slots=True)
class Vote:
    """One recorded answer: as a rule sees it, and as it was spelled (None: no answer)."""

    seen: Seen
    spelling: str | None


@dataclass(frozen=True, slots=True)
class Question:
    """A problem's recorded votes, and its reference's spelling, which no rule sees."""

    votes: tuple[Vote, ...]
    gold: str


@lru_cache(maxsize=1)
def questions(path: Path) -> tuple[Question, ...]:
    """The problems of one recording; the last one read is kept."""
    return tuple(_questions(path))


def _questions(path: Path) -> Iterator[Question]:
    for line in path.read_text(encoding="utf-8").splitlines():
        told = json.loads(line)
        votes = tuple(vote(answer or None, tokens) for answer, tokens in told["all_answers"])
        yield Question(votes, told["gold_answer"])


@lru_cache(maxsize=100_000)
def vote(spelling: str | None, tokens: int) -> Vote:
    """An answer so spelled, in a candidate of so many tokens; None: it gave none."""
    marked = answers.extract(f"\\boxed{{{spelling}}}") if spelling else None
    key = (answers.canonical(marked) or None) if marked else None
    score = Score(1.0, key=key) if key else Score(float("nan"))
    return Vote(Seen(score, tokens, cut=spelling is None), spelling)


def shuffled(question: Question, seed: str, most: int) -> list[Vote]:
    """`most` of the votes in an order that `seed` decides, none twice."""
    return Random(seed).sample(question.votes, most)


def answered(votes: list[Vote]) -> str | None:
    """The commonest spelling of the class with most votes; ties go to what came first."""
    classes: dict[str, list[str]] = {}
    for vote in votes:
        if vote.seen.key is not None and vote.spelling is not None:
            classes.setdefault(vote.seen.key, []).append(vote.spelling)
    if not classes:
        return None
    winner = max(classes.values(), key=len)
    return max(dict.fromkeys(winner), key=winner.count)
