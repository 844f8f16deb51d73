"""Repeats of a problem count as one problem."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.evaluation.journal import Entry, Run
from benchmarks.evaluation.policies import Policy
from benchmarks.evaluation.problem import Problem
from benchmarks.scaling.equal import Measured
from benchmarks.scaling.measured import measured
from benchmarks.scaling.running import FAILED, Found, less_failed


def test_repeats_are_averaged_and_problems_stand_in_one_order() -> None:
    problems = [
        Problem(id=name, question="?", answer="1") for name in ("b#0", "a/1#0", "b#1", "a/1#1")
    ]
    figures = {"b#0": (True, 10), "b#1": (False, 30), "a/1#0": (True, 5), "a/1#1": None}
    entries = {}
    for name, each in figures.items():
        request: dict[str, Any] = {
            "policy": "p",
            "problem": name,
            "error": "gone" if each is None else None,
        }
        if each is not None:
            right, tokens = each
            request |= {"correct": right, "samples": 1, "completion_tokens": tokens}
            request |= {"prompt_tokens": 1, "seconds": 0.5, "stop": "complete"}
        entries["p", name] = Entry(request, ())
    run = Run(Path(), {"policies": {"p": {}}}, problems, entries)
    found = measured(run)["p"]
    np.testing.assert_allclose(found.right, [0.5, 0.5])
    np.testing.assert_allclose(found.tokens, [5, 20])
    assert found.failed == 1


def test_what_failed_throughout_is_told_and_not_compared() -> None:
    def made(name: str, tokens: float) -> Measured:
        each = np.full(3, tokens)
        return Measured(name, each, each, each, each)

    names = ("direct", "best_of_n-a-2", "good", "bad", "best_of_n-b-2")
    told = {n: made(n, np.nan if n in ("bad", "best_of_n-b-2") else 1.0) for n in names}
    found = Found(["a", "b"], {"good": Policy(), "bad": Policy()}, {"c": "no"}, {})
    left = less_failed(found, told, [2])
    assert (left.verifiers, list(left.strategies)) == (["a"], ["good"])
    assert left.useless == {"c": "no", "b": FAILED}
    assert left.refused == {"bad": FAILED}
