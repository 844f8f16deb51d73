"""A run's records as arrays over problems, one set a policy (pure)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.evaluation.coverage import Floats
from benchmarks.evaluation.journal import Entry, Run
from benchmarks.evaluation.problem import Problem


@dataclass(frozen=True)
class Results:
    """One policy over the problems that it was asked, in the run's order; arrays are [problems].

    A request that failed counts as wrong, with no candidates; its cost is unknown, so NaN.
    `drawn_right[i]` tells which candidates of problem i were right, in the order of drawing, and
    `scores[i]` what each was scored, NaN where it was not.
    """

    policy: str
    problems: Sequence[Problem]
    right: Floats
    drawn_right: Sequence[NDArray[np.bool_]]
    scores: Sequence[Floats]
    samples: Floats
    completion_tokens: Floats
    prompt_tokens: Floats
    seconds: Floats
    failed: Floats
    stops: Mapping[str, int]
    degraded: Mapping[str, int]
    errors: Mapping[str, int]

    @property
    def hits(self) -> Floats:
        """1 where any candidate was right."""
        return np.array([float(each.any()) for each in self.drawn_right])

    def same_number(self) -> int | None:
        """How many candidates every problem got, or None where a rule decided that problem by
        problem.

        An upstream that lost some of a request's candidates (`partial`) decided nothing: then it is
        the least there are.
        """
        numbers = {len(each) for each in self.drawn_right if len(each)}
        if not numbers or (len(numbers) > 1 and not self.degraded.get("partial")):
            return None
        return min(numbers)

    def counts(self, n: int) -> NDArray[np.int64]:
        """How many of the first `n` candidates of each problem were right."""
        return np.array([int(each[:n].sum()) for each in self.drawn_right])

    def only(self, chosen: Sequence[int]) -> Results:
        """The results of some of the problems, by their places."""
        places = np.asarray(chosen, np.intp)
        return Results(
            policy=self.policy,
            problems=[self.problems[place] for place in chosen],
            drawn_right=[self.drawn_right[place] for place in chosen],
            scores=[self.scores[place] for place in chosen],
            **{name: getattr(self, name)[places] for name in ARRAYS},
            stops=self.stops,
            degraded=self.degraded,
            errors=self.errors,
        )


ARRAYS = ("right", "samples", "completion_tokens", "prompt_tokens", "seconds", "failed")


def of_run(run: Run) -> dict[str, Results]:
    """Results by policy, in the run's order; a policy that was not asked anything has none."""
    found = {}
    for policy in run.manifest["policies"]:
        asked = [each for each in run.problems if (policy, each.id) in run.entries]
        if asked:
            found[policy] = _results(policy, asked, [run.entries[policy, p.id] for p in asked])
    return found


def _results(policy: str, problems: Sequence[Problem], entries: Sequence[Entry]) -> Results:
    requests = [entry.request for entry in entries]

    def column(name: str, missing: float) -> Floats:
        values = [missing if each["error"] is not None else each[name] for each in requests]
        return np.array(values, float)

    return Results(
        policy=policy,
        problems=problems,
        right=column("correct", 0.0),
        drawn_right=[np.array([c["correct"] for c in e.candidates], bool) for e in entries],
        scores=[np.array([c.get("score") for c in e.candidates], float) for e in entries],
        samples=column("samples", np.nan),
        completion_tokens=column("completion_tokens", np.nan),
        prompt_tokens=column("prompt_tokens", np.nan),
        seconds=column("seconds", np.nan),
        failed=np.array([float(entry.failed) for entry in entries]),
        stops=Counter(each["stop"] for each in requests if each.get("stop")),
        degraded=Counter(name for each in requests for name in each.get("degraded", ())),
        errors=Counter(each["error"] for each in requests if each["error"] is not None),
    )
