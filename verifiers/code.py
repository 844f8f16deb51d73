"""Programs: do they pass the tests?"""

from __future__ import annotations

import asyncio
import math
import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import Field

from gateway import Candidate, Limits, Score, Session, Verdict, verifier

TESTED = re.compile(r"^[ \t]*(?:>>>[ \t]|assert\b)", re.MULTILINE)


async def _contained(session: Session) -> None:
    await session.contained()


@verifier(binary=True, pointwise=True, check=_contained)
async def code(
    session: Session,
    candidates: Sequence[Candidate],
    *,
    seconds: Annotated[
        float,
        Field(
            gt=0,
            le=60,
            description="CPU time for one candidate, in seconds; its tests have as "
            "much again. Wall time is four times that, and at least two seconds.",
        ),
    ] = 5.0,
    memory_mb: Annotated[
        int, Field(ge=64, le=4096, description="Address space of one candidate, in MiB.")
    ] = 512,
) -> list[Score]:
    """Run each candidate's Python in a sandbox against the request's `tests`.

    Without `tests`, against the asserts and doctests that the last user message shows. The program
    is the candidate's text, its fenced blocks, or the continuation of a function that the prompt
    begins. Tests are asserts, functions named `check…` or `test…`, `unittest` cases, or doctests.
    The value is the share of tests that pass, and `reason` begins with what came of them: `pass`,
    `fail` (a wrong answer), `runtime` (it raised, or ended itself), `compile` (no Python) or
    `timeout`. NaN without tests. The request fails with 501 where there is no sandbox, and with 400
    where `tests` is not Python.
    """
    prompt = _prompt(session.request.messages)
    tests = session.request.tests or ""
    if not (tests.strip() or TESTED.search(prompt)):
        return [Score(math.nan, reason="the request has no tests") for _ in candidates]
    limits = Limits(seconds=seconds, memory=memory_mb << 20)
    texts = list(dict.fromkeys(candidate.text for candidate in candidates))
    try:
        async with asyncio.TaskGroup() as group:
            runs = [
                group.create_task(session.execute(text, tests, limits, prompt=prompt))
                for text in texts
            ]
    except ExceptionGroup as errors:  # each is of the request or of the host, and one is enough
        raise errors.exceptions[0] from None
    scores = {text: _score(run.result()) for text, run in zip(texts, runs, strict=True)}
    return [scores[candidate.text] for candidate in candidates]


def _score(verdict: Verdict) -> Score:
    if verdict.total == 0:
        return Score(math.nan, reason="no test was found")
    told = f"{verdict.how}: {verdict.passed} of {verdict.total} tests passed"
    reason = f"{told}; {verdict.detail}" if verdict.detail else told
    passed = verdict.how == "pass"
    return Score(verdict.passed / verdict.total, passed=passed, reason=reason)


def _prompt(messages: Sequence[Mapping[str, Any]]) -> str:
    """The text of the last user message."""
    said = [message.get("content") for message in messages if message.get("role") == "user"]
    if not said:
        return ""
    parts = said[-1] if isinstance(said[-1], list) else [{"text": said[-1]}]
    texts = [part.get("text") for part in parts if isinstance(part, Mapping)]
    return "\n".join(text for text in texts if isinstance(text, str))
