"""Asking a model about each candidate: side by side, once a text, failures as NaN."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from gateway import (
    BudgetExhausted,
    DeadlineExceeded,
    GatewayError,
    InvalidRequest,
    ModelNotFound,
    Score,
    Session,
    Unsupported,
    UpstreamRejected,
)

Item = TypeVar("Item")
T = TypeVar("T")

LEAST_MASS = 0.01
"""A model that gives all of the offered tokens less than this does not answer the question."""
MOST_REASON = 200


async def each(
    ask: Callable[[Item], Awaitable[T]], items: Sequence[Item]
) -> list[T | GatewayError]:
    """`ask` of every item, all at once; an error is a value, so that it stops no other."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(_caught(ask, item)) for item in items]
    return [task.result() for task in tasks]


async def _caught(ask: Callable[[Item], Awaitable[T]], item: Item) -> T | GatewayError:
    try:
        return await ask(item)
    except GatewayError as error:
        return error


def settled(
    session: Session, told: Sequence[object], *, verifier: str, role: str | None = None
) -> None:
    """Look through what was told for what has to be raised or noted.

    `InvalidRequest` that names the setting where no model can do what is asked; the budget's
    or the deadline's end where nothing else was told. Any other error degrades the request by the
    verifier's name.
    """
    errors = [each for each in told if isinstance(each, GatewayError)]
    for error in errors:
        if _is_of_the_model(error):
            raise unconfigured(verifier, role, error.message) from error
        if isinstance(error, InvalidRequest):
            raise error
    spent = [each for each in errors if isinstance(each, BudgetExhausted | DeadlineExceeded)]
    if spent and len(errors) == len(told):
        raise spent[0]
    if any(isinstance(error, DeadlineExceeded) for error in spent):
        session.degrade("deadline")
    if errors:
        session.degrade(verifier)


async def scored(
    session: Session,
    ask: Callable[[Item], Awaitable[Score]],
    items: Sequence[Item | None],
    *,
    verifier: str,
    empty: str,
    role: str | None = None,
    first_alone: bool = False,
) -> list[Score]:
    """The score that `ask` gives to each item, in order; equal items are asked about once.

    NaN where it failed (`settled` says what is raised), and for `None`, for the reason `empty`.
    With `first_alone`, the others are asked about once the first was.
    """
    # Sorted, so that the calls do not depend on the candidates' order.
    distinct = sorted({item for item in items if item is not None}, key=repr)
    lead = int(first_alone)
    told = [*await each(ask, distinct[:lead]), *await each(ask, distinct[lead:])]
    settled(session, told, verifier=verifier, role=role)
    known = dict(zip(distinct, told, strict=True))
    found = [unjudged(empty) if item is None else known[item] for item in items]
    return [unjudged(score) if isinstance(score, GatewayError) else score for score in found]


def _is_of_the_model(error: GatewayError) -> bool:
    """Whether it says of the model, not of a candidate, that it cannot be asked this."""
    missing = isinstance(error, UpstreamRejected) and error.status == 404
    return missing or isinstance(error, ModelNotFound | Unsupported) or error.param == "choices"


def served(verifier: str, role: str) -> Callable[[Session], Awaitable[None]]:
    """A check that there is a model for `role`, before candidates are drawn for nothing."""

    async def check(session: Session) -> None:
        if not await session.serves(role):
            model = session.assigned(role)
            why = f"nobody serves {model}" if model else f"none has the role {role}"
            raise unconfigured(verifier, role, why)

    return check


def unconfigured(verifier: str, role: str | None, why: str) -> InvalidRequest:
    """The request asks for a verifier that this gateway has no model for."""
    remedy = f"; set roles.{role} to one that can" if role else ""
    message = f"verifier {verifier} needs a model: {why}{remedy}"
    return InvalidRequest(message, param="verifier", code="no_model")


def unjudged(reason: str | GatewayError) -> Score:
    """NaN, and why."""
    text = reason.message if isinstance(reason, GatewayError) else reason
    return Score(math.nan, reason=text[:MOST_REASON])
