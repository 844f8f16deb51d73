"""Every problem under every policy, some at a time, into the journal."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

import aiohttp
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from benchmarks.evaluation.client import Answered, Asking, Client, Failed, Fatal, seed_of
from benchmarks.evaluation.grading import answer_of, is_right
from benchmarks.evaluation.journal import Entry, Journal, Json
from benchmarks.evaluation.policies import Policy
from benchmarks.evaluation.problem import Problem


class Tick(Protocol):
    def __call__(self, policy: str, failure: bool) -> None: ...


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be asked; policies one after the other, so that none is timed under another."""

    policies: Mapping[str, Policy]
    problems: Sequence[Problem]
    concurrency: int
    texts: bool = True


async def carry_out(
    plan: Plan,
    session: aiohttp.ClientSession,
    base: str,
    asking: Asking,
    journal: Journal,
    tick: Tick,
) -> None:
    """Ask all that is not in the journal yet; `Fatal` where the run cannot go on.

    What was answered by then is in the journal, however this ends.
    """
    client = Client(session, base, asking)
    for name, policy in plan.policies.items():
        waiting = iter([each for each in plan.problems if (name, each.id) not in journal.done])

        async def worker(
            name: str = name, policy: Policy = policy, waiting: Iterator[Problem] = waiting
        ) -> None:
            for problem in waiting:
                done = await client.ask(policy, problem)
                seed = seed_of(asking.seed, problem.id)
                entry = record(name, problem, seed, done, texts=plan.texts)
                journal.append(entry)
                tick(name, entry.failed)

        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(plan.concurrency):
                    group.create_task(worker())
        except* Fatal as errors:
            raise errors.exceptions[0] from None


def record(
    policy: str, problem: Problem, seed: int, done: Answered | Failed, *, texts: bool = True
) -> Entry:
    """The journal's records of a request that has ended."""
    request: Json = {"kind": "request", "policy": policy, "problem": problem.id, "seed": seed}
    if isinstance(done, Failed):
        return Entry({**request, "attempts": done.attempts, "error": done.error}, ())
    reply = done.reply
    selected = answer_of(reply.text)
    candidates: list[Json] = []
    for index, each in enumerate(reply.drawn):
        answer = answer_of(each.text)
        told: Json = {
            "kind": "candidate",
            "policy": policy,
            "problem": problem.id,
            "index": index,
            "answer": answer,
            "correct": is_right(answer, problem.answer),
            "score": each.score,
            "passed": each.passed,
            "tokens": each.tokens,
            "logprob": each.logprob,
            "finish_reason": each.finish_reason,
        }
        candidates.append({**told, "text": each.text} if texts else told)
    request |= {
        "answer": selected,
        "correct": is_right(selected, problem.answer),
        "candidates": len(candidates),
        "samples": reply.samples,
        "prompt_tokens": reply.prompt_tokens,
        "completion_tokens": reply.completion_tokens,
        "confidence": reply.confidence,
        "model": reply.model,
        "route": reply.route,
        "verifier": reply.verifier,
        "signals": dict(reply.signals),
        "stop": reply.stop,
        "degraded": list(reply.degraded),
        "gateway": reply.is_gateway,
        "attempts": done.attempts,
        "seconds": round(done.seconds, 4),
        "error": None,
    }
    return Entry(request, candidates)


@contextmanager
def progress(plan: Plan, journal: Journal, console: Console, *, quiet: bool) -> Iterator[Tick]:
    """A bar a policy, with the time left and how many requests failed."""
    columns = (
        TextColumn("{task.description:20}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    with Progress(*columns, console=console, disable=quiet) as bars:
        failed = dict.fromkeys(plan.policies, 0)
        rows = {
            name: bars.add_task(
                name,
                total=len(plan.problems),
                completed=sum((name, each.id) in journal.done for each in plan.problems),
                note="",
                start=False,
            )
            for name in plan.policies
        }

        def tick(policy: str, failure: bool) -> None:
            failed[policy] += failure
            note = f"{failed[policy]} failed" if failed[policy] else ""
            bars.start_task(rows[policy])
            bars.update(rows[policy], advance=1, note=note)

        yield tick
