"""Mathematical answers: right by the reference, or at least borne out by the shown working."""

from __future__ import annotations

import asyncio
import math as maths
from collections.abc import Sequence
from typing import Annotated

from pydantic import Field

from gateway import Candidate, Score, Session, answers, verifier
from verifiers import symbolic

MAX_PLAIN = 200
"""A candidate of one short line that marks no answer is taken for the answer itself."""


@verifier(binary=True, pointwise=True, preload=("verifiers.symbolic:warm_up",))
async def math(
    session: Session,
    candidates: Sequence[Candidate],
    *,
    seconds: Annotated[
        float, Field(gt=0, le=30, description="Time limit for one comparison, in seconds.")
    ] = 2.0,
) -> list[Score]:
    """Check the marked answer against the request's `reference`, or else the shown arithmetic.

    With a reference: 1.0 and passed where the answer is mathematically equal to it, 0.0 where not,
    or where none is marked. Numbers are compared exactly (a unit that the reference lacks is
    no difference), formulas by math-verify in a worker; NaN where that takes longer than `seconds`.

    Without: `steps` holds 1.0 or 0.0 for each shown equation that could be checked. The value is
    the share of those that hold, halved unless the answer is the result of one that holds; it
    passes at 1.0. NaN where no equation could be checked. Passing says that the working
    is sound arithmetic that ends in the answer, not that it fits the question. An answer that
    is not a number cannot be traced to an equation: it never passes, and fails only
    where an equation does.
    """
    if session.request.reference is None:
        return [_working(candidate) for candidate in candidates]
    reference = answers.extract(session.request.reference) or session.request.reference.strip()
    found = [_answer(candidate, reference) for candidate in candidates]
    distinct = sorted({answer for answer in found if answer})
    verdicts = await asyncio.gather(
        *(_equal(session, reference, answer, seconds) for answer in distinct)
    )
    known = dict(zip(distinct, verdicts, strict=True))
    return [_verdict(answer, known.get(answer or "")) for answer in found]


def _answer(candidate: Candidate, reference: str) -> str | None:
    marked = answers.extract(candidate.text, reference)
    plain = candidate.text.strip()
    short = len(plain) <= MAX_PLAIN and "\n" not in plain and candidate.finish_reason != "length"
    return marked or (plain if short else None) or None


def _verdict(answer: str | None, equal: bool | None) -> Score:
    if answer is None:
        return Score(0.0, passed=False, reason="no marked answer")
    key = answers.canonical(answer)
    if equal is None:
        return Score(maths.nan, key=key, reason="the comparison took too long")
    return Score(float(equal), key=key, passed=equal)


async def _equal(session: Session, reference: str, answer: str, seconds: float) -> bool | None:
    """Whether `answer` equals `reference`; None where that could not be computed in time."""
    if answers.canonical(answer) == answers.canonical(reference):
        return True
    wanted, given = answers.quantity(reference), answers.quantity(answer)
    if wanted and given:
        return _same_quantity(wanted, given)
    if not (answers.looks_mathematical(reference) and answers.looks_mathematical(answer)):
        return False
    try:
        return await session.compute(symbolic.equal, reference, answer, seconds=seconds)
    except TimeoutError:
        return None


def _same_quantity(wanted: answers.Quantity, given: answers.Quantity) -> bool:
    if wanted.unit and given.unit and wanted.unit != given.unit:
        return False
    if wanted.value == given.value:
        return True
    # "50%" is also right where the reference says 0.5, and the other way round.
    return _as_share(wanted) == _as_share(given)


def _as_share(quantity: answers.Quantity) -> object:
    return quantity.value / 100 if quantity.unit == "%" else quantity.value


def _working(candidate: Candidate) -> Score:
    """The score of the working that a candidate shows."""
    marked = answers.extract(candidate.text)
    key = answers.canonical(marked) if marked else None
    checked = [e for e in answers.equations(candidate.text) if e.holds is not None]
    if not checked:
        return Score(maths.nan, key=key, reason="no equation that could be checked")
    steps = tuple(float(bool(equation.holds)) for equation in checked)
    share = sum(steps) / len(steps)
    given = answers.quantity(marked) if marked else None
    if given is None:
        # Text cannot be traced to an equation, so that true ones alone must not let it pass.
        undecided = marked is not None and share == 1.0
        reason = "the answer is not a number" if marked else "no marked answer"
        return Score(share / 2, steps, key, None if undecided else False, reason)
    borne_out = any(given.value in equation.results for equation in checked if equation.holds)
    value = share if borne_out else share / 2
    reason = "" if borne_out else "the answer is no equation's result"
    return Score(value, steps, key, value == 1.0, reason)
