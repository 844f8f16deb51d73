"""Which candidate is best: ranking, votes, ties and NaN, decided here and nowhere else.

Nothing is drawn at random. Higher scores come first; NaN (could not be judged) comes after every
score; ties go to the candidate whose answer more candidates share, then, within a class of answers,
to its commonest spelling, then to the one drawn first.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Sequence

from gateway import answers
from gateway.types import Candidate, Outcome, Score


def order(scores: Sequence[Score], tiers: Sequence[int] | None = None) -> list[int]:
    """Indices of `scores`, best first; a higher tier comes before a lower, whatever the scores."""
    sizes: dict[str, int] = defaultdict(int)
    for score in scores:
        if score.key is not None:
            sizes[score.key] += 1

    def rank(index: int) -> tuple[int, bool, float, int, int]:
        score = scores[index]
        shared = sizes[score.key] if score.key is not None else 0
        value = score.value if score.judged else -math.inf
        return (-tiers[index] if tiers else 0, not score.judged, -value, -shared, index)

    return sorted(range(len(scores)), key=rank)


def ranked(
    candidates: Sequence[Candidate],
    scores: Sequence[Score],
    *,
    stop: str = "complete",
    tiers: Sequence[int] | None = None,
) -> Outcome:
    """The outcome that answers with the highest scored of `candidates`, of the highest tier."""
    best = order(scores, tiers)
    return Outcome(
        candidates=tuple(candidates[i] for i in best),
        scores=tuple(scores[i] for i in best),
        stop=stop,
        support=support(scores, best),
    )


def _spelled(
    candidates: Sequence[Candidate], scores: Sequence[Score], best: list[int]
) -> list[int]:
    """`best`, begun by the candidates of the winning class that spell its answer as most do."""
    if len(best) < 3 or (key := scores[best[0]].key) is None:
        return best
    value = scores[best[0]].value
    tied = [i for i in best if scores[i].key == key and scores[i].value == value]
    spelled = {i: answers.extract(candidates[i].text) for i in tied}
    if len(set(spelled.values())) < 2:
        return best
    common = Counter(spelled.values())
    tied.sort(key=lambda i: (-common[spelled[i]], i))
    return tied + [i for i in best if i not in spelled]


def support(scores: Sequence[Score], best: Sequence[int] | None = None) -> float | None:
    """Share, in [0, 1], of all candidates whose answer is that of the best; None without keys."""
    if not scores:
        return None
    key = scores[(best or order(scores))[0]].key
    if key is None:
        return None
    return sum(score.key == key for score in scores) / len(scores)


def weighted(votes: Sequence[Score], weights: Sequence[Score]) -> list[Score]:
    """Each candidate's class (`votes[i].key`) valued by its share of the summed weights.

    Weights that are NaN count nothing, negative ones as 0; where no weight is left, every vote
    counts the same. Candidates without a class keep their NaN.
    """
    raw = [max(0.0, weight.value) if weight.judged else 0.0 for weight in weights]
    voting = [vote.key is not None and vote.judged for vote in votes]
    total = sum(weight for weight, counts in zip(raw, voting, strict=True) if counts)
    if total <= 0:
        raw, total = [1.0] * len(raw), float(sum(voting)) or 1.0
    sums: dict[str, float] = defaultdict(float)
    for vote, weight, counts in zip(votes, raw, voting, strict=True):
        if counts and vote.key is not None:
            sums[vote.key] += weight
    return [
        Score(sums[vote.key] / total, key=vote.key) if counts and vote.key is not None else vote
        for vote, counts in zip(votes, voting, strict=True)
    ]
