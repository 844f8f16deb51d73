"""HumanEval: right programs pass, wrong ones fail."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from gateway.sandbox.local import LocalSandbox
from gateway.sandbox.verdict import Limits, Verdict
from tests.gateway.sandbox.mutants import CHANGES, mutants

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(900)]

Problems = list[dict[str, Any]]

EQUIVALENT = {
    ("HumanEval/35", "off by one"): "starts from the second item and still looks at every one",
    ("HumanEval/39", "off by one"): "starts Fibonacci at 1, 1: the same numbers but 0, no prime",
    (
        "HumanEval/59",
        "off by one",
    ): "starts from 2, and every n > 1 has a prime factor of 2 or more",
}
"""Mutants that compute the same, as reading them shows (35: where there are two items)."""

INDISTINGUISHABLE = {
    ("HumanEval/31", "off by one"): "wrong for 2 alone, and no test asks for 2",
    ("HumanEval/32", "off by one"): "wrong where the ends' product is exactly 1, which none has",
    ("HumanEval/40", "off by one"): "skips triples with two neighbours; each test has another",
    ("HumanEval/43", "off by one"): "skips pairs of neighbours; each test has another",
    ("HumanEval/68", "off by one"): "wrong for lists of one item, and no test has one",
}
"""Mutants that are wrong where HumanEval's own tests do not look: no runner of them can tell."""


async def _judged(
    sandbox: LocalSandbox, problem: dict[str, Any], program: str, *, prompt: str = "",
    seconds: float = 5.0,
) -> Verdict:  # fmt: skip
    tests = f"{problem['test']}\ncheck({problem['entry_point']})\n"
    return await sandbox.execute(program, tests, Limits(seconds=seconds), prompt=prompt)


def _solution(problem: dict[str, Any]) -> str:
    return str(problem["prompt"] + problem["canonical_solution"])


async def test_every_canonical_solution_passes(sandbox: LocalSandbox, problems: Problems) -> None:
    verdicts = await asyncio.gather(*(_judged(sandbox, p, _solution(p)) for p in problems))
    wrong = {p["task_id"]: v for p, v in zip(problems, verdicts, strict=True) if v.how != "pass"}
    assert wrong == {}
    assert all(v.passed == v.total > 0 for v in verdicts)
    assert len(verdicts) == 82


async def test_a_completion_of_the_prompt_passes(sandbox: LocalSandbox, problems: Problems) -> None:
    """As a completion model writes it: the body alone, without the function's head."""
    told = [_judged(sandbox, p, p["canonical_solution"], prompt=p["prompt"]) for p in problems[::8]]
    assert {verdict.how for verdict in await asyncio.gather(*told)} == {"pass"}


async def test_a_function_in_prose_passes(sandbox: LocalSandbox, problems: Problems) -> None:
    """As a chat model writes it: a fenced block between words, without the prompt's imports."""

    def said(problem: dict[str, Any]) -> str:
        lines = _solution(problem).splitlines(keepends=True)
        code = "".join(line for line in lines if not line.startswith("from typing import"))
        return f"Here it is:\n\n```python\n{code}```\n\nIt returns what you want."

    told = [_judged(sandbox, p, said(p), prompt=p["prompt"]) for p in problems[1::8]]
    assert {verdict.how for verdict in await asyncio.gather(*told)} == {"pass"}


async def test_every_mutant_fails_but_the_equivalent(
    sandbox: LocalSandbox, problems: Problems
) -> None:
    made = [
        (problem, kind, program)
        for problem in problems
        for kind, program in mutants(_solution(problem), problem["entry_point"])
    ]
    looping = Limits().seconds / 50
    verdicts = await asyncio.gather(
        *(
            _judged(sandbox, problem, program, seconds=looping if kind == "infinite loop" else 2.0)
            for problem, kind, program in made
        )
    )
    passed = {
        (p["task_id"], kind)
        for (p, kind, _), verdict in zip(made, verdicts, strict=True)
        if verdict.how == "pass"
    }
    assert passed == {*EQUIVALENT, *INDISTINGUISHABLE}
    hows = {
        kind: {v.how for (_, k, _), v in zip(made, verdicts, strict=True) if k == kind}
        for kind in CHANGES
    }
    assert hows["infinite loop"] == {"timeout"}
    assert hows["deep recursion"] == {"runtime"}
    assert len(made) > 400
