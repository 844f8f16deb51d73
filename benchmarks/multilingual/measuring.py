"""Every policy on every problem of a language, in this process."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from benchmarks.evaluation.client import seed_of
from benchmarks.evaluation.grading import answer_of, is_right
from benchmarks.multilingual.bed import TRANSLATOR, Bed
from benchmarks.problems import Problem
from benchmarks.scaling.equal import Measured
from gateway.backends.embedded.backend import EmbeddedBackend
from gateway.policy import Rules
from gateway.registry import load
from gateway.run import run
from gateway.session import Means
from gateway.testing import InlineCompute, user
from gateway.trace import Trace
from gateway.types import Request
from gateway.wishes import Wishes

MODEL = "its-demo"


@dataclass
class Told:
    """What a policy's answers came to, a row a problem."""

    right: list[float] = field(default_factory=list)
    tokens: list[float] = field(default_factory=list)
    samples: list[float] = field(default_factory=list)

    def measured(self, name: str) -> Measured:
        zeros = np.zeros(len(self.right))
        right, tokens, samples = map(np.array, (self.right, self.tokens, self.samples))
        return Measured(name, right, tokens, zeros, samples)


@dataclass
class Language:
    """What all policies came to in a language.

    Of `wished` answers that were asked for in another language, `obeyed` are in it.
    """

    told: dict[str, Told]
    wished: int
    obeyed: int


async def measure(
    problems: Sequence[tuple[Problem, str]],
    policies: Mapping[str, Wishes],
    seed: int,
    evidence: str,
) -> Language:
    """Each policy's results on `problems`, each with its translation into `evidence`."""
    verifiers = load("verifier", "verifiers", "its_gateway.verifiers")
    rules = Rules(load("strategy", "strategies", "its_gateway.strategies"), verifiers)
    bed = Bed(model := EmbeddedBackend(), {p.question: other for p, other in problems}, evidence)
    roles = {**model.roles, "translate": TRANSLATOR, "embed": MODEL}
    means = Means(bed, verifiers, InlineCompute(), roles)
    told = {name: Told() for name in policies}
    try:
        for number, (problem, _) in enumerate(problems):
            drawn = seed_of(seed, f"{problem.language}-{number}")
            for name, wishes in policies.items():
                await _one(told[name], problem, rules, wishes, means, drawn)
            bed.forget()
    finally:
        await bed.close()
    return Language(told, bed.wished, bed.obeyed)


async def _one(
    told: Told, problem: Problem, rules: Rules, wishes: Wishes, means: Means, seed: int
) -> None:
    request = Request(MODEL, user(problem.question), fields={"seed": seed})
    trace = Trace()
    answer = await run(request, rules.resolve({}, wishes, None), means, trace)
    text = answer.outcome.candidates[0].text
    told.right.append(float(is_right(answer_of(text), problem.answer)))
    told.tokens.append(float(answer.usage.completion_tokens))
    told.samples.append(float(answer.samples))
