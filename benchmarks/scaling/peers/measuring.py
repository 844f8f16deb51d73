"""Problems one after the other, each with what it cost at the upstream."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import aiohttp
import numpy as np

from benchmarks.evaluation.client import Answered, Asking, Client, Fatal
from benchmarks.evaluation.grading import answer_of, is_right
from benchmarks.evaluation.policies import Policy
from benchmarks.evaluation.problem import Problem
from benchmarks.scaling.equal import Measured
from benchmarks.scaling.peers.serving import Count, count_of

ATTEMPTS = 1
"""A request that fails is not tried again: its tokens are spent, and its error is told."""


@dataclass(frozen=True)
class Told:
    """A policy's figures, with what the server itself said that it cost, a problem's mean."""

    measured: Measured
    tokens_told: float
    calls: float
    errors: Mapping[str, int] = field(default_factory=dict)


async def ask_all(
    base: str,
    upstream: str,
    policies: Mapping[str, Policy],
    problems: Sequence[Problem],
    asking: Asking,
) -> dict[str, Told]:
    """Every policy of the server at `base`, whose upstream gateway's root is `upstream`.

    Nobody else may be using that upstream: what it serves during a problem is the problem's.
    """
    timeout = aiohttp.ClientTimeout(total=300)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        client = Client(session, f"{base}/v1", asking)
        return {
            name: await _policy(name, client, session, upstream, policy, problems)
            for name, policy in policies.items()
        }


async def _policy(
    name: str,
    client: Client,
    session: aiohttp.ClientSession,
    upstream: str,
    policy: Policy,
    problems: Sequence[Problem],
) -> Told:
    rows: list[tuple[bool, float, Count, float]] = []
    errors: Counter[str] = Counter()
    before = await _count(session, upstream)
    for problem in problems:
        try:
            done = await client.ask(policy, problem)
        except Fatal as error:
            errors[str(error)] += 1
            done = None
        after = await _count(session, upstream)
        right, seconds, told = False, np.nan, np.nan
        if isinstance(done, Answered):
            right = is_right(answer_of(done.reply.text), problem.answer)
            tokens = done.reply.completion_tokens
            seconds, told = done.seconds, np.nan if tokens is None else float(tokens)
        elif done is not None:
            errors[done.error] += 1
        rows.append((right, seconds, after.since(before), told))
        before = after
    spent = [count for _, _, count, _ in rows]
    measured = Measured(
        name=name,
        right=np.array([float(right) for right, *_ in rows]),
        tokens=np.array([float(count.completion_tokens) for count in spent]),
        seconds=np.array([seconds for _, seconds, *_ in rows]),
        samples=np.array([float(count.samples) for count in spent]),
        failed=errors.total(),
    )
    told_known = [told for *_, told in rows if np.isfinite(told)]
    return Told(
        measured,
        tokens_told=float(np.mean(told_known)) if told_known else float("nan"),
        calls=float(np.mean([count.requests for count in spent])),
        errors=errors,
    )


async def _count(session: aiohttp.ClientSession, upstream: str) -> Count:
    async with session.get(f"{upstream}/metrics") as response:
        return count_of(await response.text())
