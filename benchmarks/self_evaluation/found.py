"""What the run came to (pure)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.evaluation.coverage import Floats
from benchmarks.evaluation.journal import Entry, Run
from benchmarks.evaluation.ranking import auroc
from benchmarks.scaling.equal import Measured
from benchmarks.scaling.measured import measured
from benchmarks.self_evaluation import replayed
from benchmarks.self_evaluation.plans import ALL, Family, whole
from benchmarks.self_evaluation.replayed import Bank, Banked


@dataclass(frozen=True)
class Found:
    """Policies by name, problems in the order of their ids; of the annealed 16, in that order too,
    which candidates were right, the first ones' success, and how well their scores tell."""

    policies: Mapping[str, Measured]
    drawn_right: Sequence[NDArray[np.bool_]]
    first: Floats
    overall: float
    within: float

    @classmethod
    def of(cls, run: Run, families: Sequence[Family]) -> Found:
        """Of what was drawn, and of the rules replayed on it."""
        bank = bank_of(run)
        pairs = [_judged(each) for each in bank]
        apart = [value for each in pairs if not np.isnan(value := auroc(*each))]
        params = {name: text for each in families for name, text in each.params.items()}
        params |= {each.whole: whole(each.choose) for each in families}
        policies = measured(run)
        for name, text in params.items():
            policies[name] = replayed.measured(name, replayed.replay(text, bank))
        return cls(
            policies=policies,
            drawn_right=[np.array(each.right) for each in bank if each.right],
            first=np.array([float(each.right[0]) if each.right else 0.0 for each in bank]),
            overall=auroc([s for ss, _ in pairs for s in ss], [r for _, rs in pairs for r in rs]),
            within=float(np.mean(apart)) if apart else float("nan"),
        )


@dataclass(frozen=True, slots=True)
class Confirmed:
    """A policy asked of the gateway after it was replayed: how many problems, how many of them took
    other samples or were right where the replay was wrong (or the reverse), and both ways' means
    of samples."""

    name: str
    problems: int
    otherwise: int
    samples: float
    replayed: float


def confirmed(run: Run, bank: Bank, families: Sequence[Family]) -> list[Confirmed]:
    """The replays beside what the gateway did in `run`, on the first problems of `bank`."""
    own = [_confirmed(run, bank, each) for each in families]
    return [each for each in own if each.problems]


def _confirmed(run: Run, bank: Bank, family: Family) -> Confirmed:
    name = family.confirmed
    entries = _entries(run, name)
    runs = replayed.replay(family.params[name], bank[: len(entries)])
    told = [(e.request.get("samples"), bool(e.request.get("correct"))) for e in entries]
    alone = [(each.samples, each.right) for each in runs]
    return Confirmed(
        name,
        len(entries),
        sum(a != b for a, b in zip(told, alone, strict=True)),
        float(np.mean([samples or 0 for samples, _ in told])) if told else float("nan"),
        float(np.mean([samples for samples, _ in alone])) if alone else float("nan"),
    )


def bank_of(run: Run) -> Bank:
    """The annealed candidates of each problem, in the order of the problems' ids."""
    return [Banked.of(each) for each in _entries(run, ALL)]


def _entries(run: Run, policy: str) -> list[Entry]:
    ids = sorted(problem.id for problem in run.problems)
    return [run.entries[policy, id] for id in ids if (policy, id) in run.entries]


def _judged(own: Banked) -> tuple[list[float], list[bool]]:
    """Scores of the candidates that could be judged, and whether they were right."""
    pairs = zip(own.seen, own.right, strict=True)
    known = [(each.value, right) for each, right in pairs if each.score.judged]
    return [value for value, _ in known], [right for _, right in known]
