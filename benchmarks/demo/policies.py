"""Problems through the gateway under a policy, by OpenAI's own client."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from openai import AsyncOpenAI

from benchmarks.problems import Problem
from gateway import answers

POLICIES = ("direct", "agreement-4", "agreement-16", "agreement-64", "verified-16")
"""In the order of the table; each but `direct` is a preset, `model@NAME`."""

CONCURRENCY = 4
COVERAGE_POLICY = "agreement-64"
COVERAGE_SAMPLES = 64


@dataclass(frozen=True, slots=True)
class Solved:
    """One problem under one policy; `hits` is how many of all its candidates were right."""

    right: bool
    samples: int
    tokens: int
    seconds: float
    hits: int


@dataclass(frozen=True, slots=True)
class Row:
    """One policy over all problems: accuracy in [0, 1], means a problem, latency in ms."""

    name: str
    accuracy: float
    samples_mean: float
    tokens_mean: float
    p50_ms: float


async def solve_all(
    client: AsyncOpenAI,
    model: str,
    policy: str,
    problems: Sequence[Problem],
    seed: int,
    tick: Callable[[], None],
) -> list[Solved]:
    """Every problem, a few at once; `tick` is called after each.

    Problem i is asked with a seed of its own, the same under every policy: so a run repeats, and
    policies are compared on the same draws as far as they draw the same.
    """
    places = asyncio.Semaphore(CONCURRENCY)

    async def one(number: int, problem: Problem) -> Solved:
        async with places:
            solved = await _solve(client, model, policy, problem, seed * 1_000_003 + number)
        tick()
        return solved

    return await asyncio.gather(*(one(number, problem) for number, problem in enumerate(problems)))


async def _solve(
    client: AsyncOpenAI, model: str, policy: str, problem: Problem, seed: int
) -> Solved:
    """The reference answer is compared here, with what came back; it is never sent."""
    started = time.perf_counter()
    raw = await client.chat.completions.with_raw_response.create(
        model=model if policy == "direct" else f"{model}@{policy}",
        messages=[{"role": "user", "content": problem.question}],
        seed=seed,
        extra_body={"its": {"detail": "candidates"}} if policy == COVERAGE_POLICY else None,
    )
    seconds = time.perf_counter() - started
    completion = raw.parse()
    drawn = (completion.model_extra or {}).get("its", {}).get("candidates", ())
    return Solved(
        right=is_right(completion.choices[0].message.content or "", problem),
        samples=int(raw.headers["x-its-samples"]),
        tokens=int(raw.headers["x-its-tokens"]),
        seconds=seconds,
        hits=sum(is_right(candidate["text"], problem) for candidate in drawn),
    )


def is_right(text: str, problem: Problem) -> bool:
    """Whether `text` ends in the problem's answer."""
    answer = answers.extract(text)
    return answer is not None and answers.canonical(answer) == answers.canonical(problem.answer)


def row(name: str, solved: Sequence[Solved]) -> Row:
    """What a policy came to."""
    return Row(
        name=name,
        accuracy=statistics.fmean(each.right for each in solved),
        samples_mean=statistics.fmean(each.samples for each in solved),
        tokens_mean=statistics.fmean(each.tokens for each in solved),
        p50_ms=statistics.median(each.seconds for each in solved) * 1000,
    )
