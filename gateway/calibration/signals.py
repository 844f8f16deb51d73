"""The numbers that an answer came with, by which its chance to be right can be told (pure)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from gateway.types import Candidate, Outcome, Score

OWN = ("support", "confidence")
"""Fields of an outcome that are numbers of the strategy's own, beside those of verifiers."""

Judgements = Mapping[str, Mapping[str, Score]]
"""Scores by the verifier's text, and by the candidate's id."""


@dataclass(frozen=True, slots=True)
class Signals:
    """What verifiers, by their text as the request gave it, said of one candidate."""

    numbers: Mapping[str, float] = field(default_factory=dict)
    passed: Mapping[str, bool] = field(default_factory=dict)


def signals(
    outcome: Outcome, judgements: Judgements, verifier: str | None, choices: int
) -> tuple[Signals, ...]:
    """Of each of the first `choices` candidates of `outcome`, best first.

    The number that an answer was ranked by is told as that of `verifier`, the policy's own.
    """
    best = outcome.candidates[:choices]
    return tuple(
        _signals(candidate, outcome, judgements, verifier, place)
        for place, candidate in enumerate(best)
    )


def _signals(
    candidate: Candidate, outcome: Outcome, judgements: Judgements, verifier: str | None, place: int
) -> Signals:
    if not judgements and not outcome.scores:
        return Signals(_own(outcome, place))
    scores = {by: of[candidate.id] for by, of in judgements.items() if candidate.id in of}
    ranked_by = _at(outcome.scores, place)
    if verifier is not None and ranked_by is not None:
        scores[verifier] = ranked_by
    numbers = {by: score.value for by, score in scores.items() if math.isfinite(score.value)}
    numbers |= _own(outcome, place)
    # What could not be judged did not pass, where others of the same verifier have a verdict.
    binary = {by for by, of in judgements.items() if any(s.passed is not None for s in of.values())}
    return Signals(numbers, {by: bool(s.passed) for by, s in scores.items() if by in binary})


def _own(outcome: Outcome, place: int) -> dict[str, float]:
    if place or (outcome.support is None and outcome.confidence is None):
        return {}
    own = {name: getattr(outcome, name) for name in OWN}
    return {name: value for name, value in own.items() if value is not None}


def _at(scores: Sequence[Score], place: int) -> Score | None:
    return scores[place] if place < len(scores) else None
