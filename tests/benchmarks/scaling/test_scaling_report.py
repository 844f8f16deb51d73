"""The page: every strategy in words, beaten or not, and what could not be run."""

from __future__ import annotations

import numpy as np

from benchmarks.evaluation.coverage import Floats
from benchmarks.scaling.comparing import compare
from benchmarks.scaling.equal import Measured
from benchmarks.scaling.report import Part, command_line, written

SIZE = 100


def made(name: str, right: float, tokens: float) -> Measured:
    def all_(value: float) -> Floats:
        return np.full(SIZE, value)

    share = (np.arange(SIZE) < right * SIZE).astype(float)
    return Measured(name, share, all_(tokens), all_(0.5), all_(tokens / 50))


def test_the_page_says_of_each_strategy_whether_it_beats_repeated_sampling() -> None:
    told = [
        made("direct", 0.4, 50),
        made("best_of_n-agreement-4", 0.5, 200),
        made("best_of_n-agreement-16", 0.6, 800),
        made("good", 0.7, 400),
        made("bad", 0.45, 400),
    ]
    comparison = compare(
        {each.name: each for each in told},
        strategies=["good", "bad"],
        verifiers=["agreement"],
        budgets=[4, 16],
        seed=7,
    )
    part = Part(
        name="bed",
        title="A bed",
        facts=["of straw"],
        comparison=comparison,
        useless={"schema": "it judged no candidate"},
        refused={"odd": "400: no"},
        timed=True,
        plots=["tokens"],
    )
    page = written([part], ["fact"])
    assert "- `good` beats repeated sampling at equal tokens: +15.0 points against" in page
    assert "- `bad` does not beat repeated sampling at equal tokens; it is worse: -10.0" in page
    assert "- `odd` could not be run here." in page
    assert "- `odd`: 400: no" in page
    assert "- `schema`: it judged no candidate" in page
    assert "](bed-tokens.png)" in page
    assert page.count("| `direct` |") == 1
    assert "| `good` | +30.0% [" in page


def test_the_command_is_told_without_this_machines_folders() -> None:
    argv = ["--quick", "--out", "/here", "--seed", "7", "--work=/there", "--recorded", "a b"]
    assert command_line("program", argv) == "program --quick --seed 7 --recorded 'a b'"
    assert command_line("program", []) == "program"
