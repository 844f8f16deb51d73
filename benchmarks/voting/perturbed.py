"""Recordings made otherwise: what else a rule's questions may look like (pure, seeded).

Each bed takes a recording's questions and returns others. A rule's constants were found on the
recordings as they are; here it has to stand where lengths, answers and their spelling differ.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from random import Random

from benchmarks.voting.recorded import Question, vote

Bed = Callable[[Sequence[Question]], list[Question]]
LETTERS = "ABCD"


def _mapped(change: Callable[[Question, Random], Sequence[tuple[str | None, int]]]) -> Bed:
    """A bed that changes each question's (spelling, tokens)."""

    def bed(questions: Sequence[Question]) -> list[Question]:
        return [
            Question(tuple(vote(*each) for each in change(question, Random(f"bed {number}"))), gold)
            for number, question in enumerate(questions)
            for gold in [question.gold]
        ]

    return bed


def _pairs(question: Question) -> list[tuple[str | None, int]]:
    return [(each.spelling, each.seen.tokens) for each in question.votes]


def _few(question: Question, rng: Random) -> Sequence[tuple[str | None, int]]:
    return rng.sample(_pairs(question), 20)


def _permuted(question: Question, rng: Random) -> Sequence[tuple[str | None, int]]:
    """Lengths that say nothing of the answer."""
    lengths = [each.seen.tokens for each in question.votes]
    rng.shuffle(lengths)
    return [(each.spelling, n) for each, n in zip(question.votes, lengths, strict=True)]


def _stretched(gold: bool) -> Callable[[Question, Random], Sequence[tuple[str | None, int]]]:
    """Right candidates (or wrong ones) take four times their tokens."""

    def change(question: Question, rng: Random) -> Sequence[tuple[str | None, int]]:
        return [(s, 4 * n if (s == question.gold) == gold else n) for s, n in _pairs(question)]

    return change


def _unfinished(question: Question, rng: Random) -> Sequence[tuple[str | None, int]]:
    """A third of the candidates reach a limit and have no answer."""
    most = max(each.seen.tokens for each in question.votes)
    return [(None, most) if rng.random() < 1 / 3 else each for each in _pairs(question)]


def _noisier(question: Question, rng: Random) -> Sequence[tuple[str | None, int]]:
    """A weaker model: half of the votes are for answers of their own."""
    return [
        (f"{rng.randrange(1000, 10**6)}", n) if rng.random() < 0.5 else (s, n)
        for s, n in _pairs(question)
    ]


def lettered(questions: Sequence[Question]) -> list[Question]:
    """Multiple choice of four: wrong answers fall together on three letters."""
    told = []
    for number, question in enumerate(questions):
        rng = Random(f"letters {number}")
        right, *wrong = rng.sample(LETTERS, 4)
        key = vote(question.gold, 0).seen.key
        letters: dict[str | None, str] = {key: right}
        votes = []
        for each in question.votes:
            if each.seen.key is None:
                votes.append(each)
                continue
            letter = letters.setdefault(each.seen.key, rng.choice(wrong))
            votes.append(vote(letter, each.seen.tokens))
        told.append(Question(tuple(votes), right))
    return told


def respelled(questions: Sequence[Question]) -> list[Question]:
    """A quarter of the votes for a whole number have it as `42.0`; the reference is as it was."""
    return _mapped(
        lambda question, rng: [
            (f"{s}.0", n) if s and s.isdecimal() and rng.random() < 0.25 else (s, n)
            for s, n in _pairs(question)
        ]
    )(questions)


def zipf(questions: Sequence[Question]) -> list[Question]:
    """As many questions of other shapes: the k-th answer's share goes with k^-s, s from 0.5 to 4,
    and the right one is drawn by the shares themselves, not by what the rule presumes."""
    told = []
    for number, _ in enumerate(questions):
        rng = Random(f"zipf {number}")
        s = rng.uniform(0.5, 4.0)
        names = [str(each) for each in rng.sample(range(1000), 30)]
        weights = [(k + 1) ** -s for k in range(30)]
        length = 1000 * rng.lognormvariate(0, 0.8)
        votes = tuple(
            vote(name, round(length * rng.lognormvariate(0, 0.5)))
            for name in rng.choices(names, weights, k=80)
        )
        told.append(Question(votes, rng.choices(names, weights)[0]))
    return told


def rivals(questions: Sequence[Question]) -> list[Question]:
    """A second answer has at least half as many votes as the first: its votes are added."""
    told = []
    for number, question in enumerate(questions):
        counted = Counter(each.spelling for each in question.votes if each.spelling).most_common(1)
        if not counted:
            told.append(question)
            continue
        rng, first = Random(f"rivals {number}"), counted[0][0]
        rival = "9999" if first != "9999" else "9998"
        share = rng.uniform(0.2, 0.45)
        votes = tuple(
            vote(rival, each.seen.tokens) if rng.random() < share else each
            for each in question.votes
        )
        told.append(Question(votes, question.gold))
    return told


def easy_first(questions: Sequence[Question]) -> list[Question]:
    """The questions in the order of their agreement; run in that order, not shuffled."""

    def agreement(question: Question) -> float:
        votes = Counter(each.seen.key for each in question.votes if each.seen.key)
        return -max(votes.values(), default=0) / len(question.votes)

    return sorted(questions, key=agreement)


BEDS: Mapping[str, Bed] = {
    "20 recorded answers": _mapped(_few),
    "lengths permuted": _mapped(_permuted),
    "right ones four times as long": _mapped(_stretched(True)),
    "wrong ones four times as long": _mapped(_stretched(False)),
    "a third without an answer": _mapped(_unfinished),
    "half of the votes astray": _mapped(_noisier),
    "four letters": lettered,
    "unequal spelling": respelled,
    "Zipf shares": zipf,
    "a strong second answer": rivals,
    "easy ones first": easy_first,
}
FEW = {"20 recorded answers": 20}
"""Votes at most, where there are fewer than 64."""
ORDERED = {"easy ones first"}
"""Beds whose questions come in their own order."""
