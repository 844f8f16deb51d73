"""Verifiers put together: which `Spec` a text stands for, and how its members' scores combine."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from pydantic import BaseModel, ConfigDict, ValidationError

from gateway.expressions import Combined, Malformed, Member, parse_verifier
from gateway.naming import Named, parse_named
from gateway.registry import Check, Registry, Spec, problem
from gateway.types import Candidate, Score

LEVEL = 3.0
"""How far a gate's rejection stands below the values of the member after it."""
MAX_REASON = 300


class Judges(Protocol):
    """As much of a session as a combination needs."""

    async def score(self, candidates: Sequence[Candidate], by: str) -> list[Score]: ...


Combine = Callable[[Judges, Sequence[Candidate], Sequence[Member]], Awaitable[list[Score]]]


class Misnamed(ValueError):
    """A text names no verifier of the registry, or gives it what it does not take in `param`."""

    def __init__(self, message: str, param: str | None = None):
        super().__init__(message)
        self.param = param


class NoParams(BaseModel):
    """A combination has no parameters of its own: its members have theirs."""

    model_config = ConfigDict(extra="forbid", frozen=True)


@dataclass(frozen=True, slots=True)
class Combination:
    """How members combine, and whether that gives verdicts, given whether each of them does."""

    run: Combine
    binary: Callable[[Sequence[Spec]], bool]
    doc: str


def appointed(text: str, verifiers: Registry) -> tuple[Spec, dict[str, Any]]:
    """The verifier that `text` names and its checked parameters; `Misnamed` where there is none.

    A combination's flags come from its members: it needs what any of them needs and is
    order-sensitive if any is.
    """
    try:
        tree = parse_verifier(text)
    except ValueError as error:
        raise Misnamed(str(error)) from None
    if isinstance(tree, Combined):
        return _combined(text, tree, verifiers), {}
    return _named(tree, verifiers)


def guest_of(text: str, guests: Registry) -> tuple[Spec, dict[str, Any]]:
    """The guest of any kind that `name;key=value` names and its checked parameters; `Misnamed`."""
    try:
        named = parse_named(text)
    except ValueError as error:
        raise Misnamed(str(error)) from None
    return _named(named, guests)


def _named(named: Named, guests: Registry) -> tuple[Spec, dict[str, Any]]:
    if named.name not in guests:
        allowed = ", ".join(guests.names())
        raise Misnamed(f"unknown {guests.kind} {named.name!r}; allowed: {allowed}")
    spec = guests[named.name]
    try:
        return spec, dict(spec.params.model_validate(dict(named.params)))
    except ValidationError as error:
        raise Misnamed(*problem(error, spec)[::-1]) from None


def _combined(text: str, tree: Combined, verifiers: Registry) -> Spec:
    specs = [_member(member, verifiers) for member in tree.members]
    if tree.how == "first":
        for member, spec in zip(tree.members[:-1], specs, strict=False):
            if not spec.binary:
                message = f"{member.text[:40]} gives no verdicts, and so cannot come before another"
                raise Misnamed(str(Malformed(member.position, message)))
    combination = COMBINATIONS[tree.how]

    async def run(session: Judges, candidates: Sequence[Candidate]) -> list[Score]:
        return await combination.run(session, candidates, tree.members)

    return Spec(
        name=text,
        kind="verifier",
        run=run,
        params=NoParams,
        doc=combination.doc,
        needs=tuple(dict.fromkeys(need for spec in specs for need in spec.needs)),
        order_sensitive=any(spec.order_sensitive for spec in specs),
        binary=combination.binary(specs),
        pointwise=all(spec.pointwise for spec in specs),
        check=_checking([spec.check for spec in specs if spec.check is not None]),
        preload=tuple(dict.fromkeys(name for spec in specs for name in spec.preload)),
        members=tuple(member.text for member in tree.members),
    )


def _checking(checks: Sequence[Check]) -> Check | None:
    if not checks:
        return None

    async def check(session: Any) -> None:
        for each in checks:
            await each(session)

    return check


def _member(member: Member, verifiers: Registry) -> Spec:
    if isinstance(member.verifier, Combined):
        return _combined(member.text, member.verifier, verifiers)
    try:
        return _named(member.verifier, verifiers)[0]
    except Misnamed as error:
        message = str(Malformed(member.position, str(error)))
        raise Misnamed(message, error.param) from None


async def _all(
    session: Judges, candidates: Sequence[Candidate], members: Sequence[Member]
) -> list[Score]:
    """The least value; passed where all members pass, failed where one fails."""
    rows = await _rows(session, candidates, members)
    values = [min((s.value for s in row if s.judged), default=math.nan) for row in rows]
    return _dressed(rows, members, values, [_verdict(row) for row in rows])


def _verdict(row: Sequence[Score]) -> bool | None:
    verdicts = {score.passed for score in row}
    return False if False in verdicts else None if None in verdicts else True


async def _weighted(
    session: Judges, candidates: Sequence[Candidate], members: Sequence[Member]
) -> list[Score]:
    """The weighted mean over the members that could judge; a mean is no verdict."""
    weights = [member.weight for member in members]
    rows = await _rows(session, candidates, members)
    return _dressed(rows, members, [_mean(row, weights) for row in rows], [None] * len(rows))


def _mean(row: Sequence[Score], weights: Sequence[float]) -> float:
    judged = [(s.value, w) for s, w in zip(row, weights, strict=True) if s.judged]
    if not judged:
        return math.nan
    return math.fsum(v * w for v, w in judged) / math.fsum(w for _, w in judged)


def _dressed(
    rows: Sequence[Sequence[Score]],
    members: Sequence[Member],
    values: Sequence[float],
    verdicts: Sequence[bool | None],
) -> list[Score]:
    """The scores with the classes of the first member that names any, and the first's steps."""
    if not rows:
        return []
    columns = list(zip(*rows, strict=True))
    naming = next((c for c in columns if any(s.key is not None for s in c)), columns[0])
    return [
        Score(
            value,
            steps=next((score.steps for score in row if score.steps), ()),
            key=named.key,
            passed=passed,
            reason=_reasons(row, members),
        )
        for row, named, value, passed in zip(rows, naming, values, verdicts, strict=True)
    ]


def _reasons(row: Iterable[Score], members: Iterable[Member]) -> str:
    pairs = zip(members, row, strict=True)
    told = [f"{member.text[:40]}: {score.reason}" for member, score in pairs if score.reason]
    return "; ".join(told)[:MAX_REASON]


async def _rows(
    session: Judges, candidates: Sequence[Candidate], members: Sequence[Member]
) -> list[tuple[Score, ...]]:
    """Each candidate's scores, by member; members judge side by side, none outlives the call."""
    tasks = [asyncio.ensure_future(session.score(candidates, member.text)) for member in members]
    try:
        return list(zip(*await asyncio.gather(*tasks), strict=True))
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _first(
    session: Judges, candidates: Sequence[Candidate], members: Sequence[Member]
) -> list[Score]:
    """Members in turn, each on what passed all before it; what got further ranks higher."""
    last = len(members) - 1
    told: dict[int, Score] = {}
    left = list(range(len(candidates)))
    for stage, member in enumerate(members):
        scores = await session.score([candidates[i] for i in left], member.text)
        below = LEVEL * (last - stage)
        for index, score in zip(left, scores, strict=True):
            told[index] = _placed(score, below, entry=stage == 0)
        left = [i for i, score in zip(left, scores, strict=True) if score.passed]
        if not left:
            break
    return [told[index] for index in range(len(candidates))]


def _placed(score: Score, below: float, *, entry: bool) -> Score:
    """`score` in the order of a cascade: its value bent into (-1, 2), less `below`.

    What passed a gate and could not be judged behind it stands between those that were rejected
    at the gate, and those that were judged behind it.
    """
    if not score.judged:
        return score if entry else replace(score, value=-1.0 - below)
    return replace(score, value=_bent(score.value) - below)


def _bent(value: float) -> float:
    """Values in [0, 1] as they are; all others, in their order, in (-1, 0) or (1, 2)."""
    if value < 0:
        return value / (1 - value) if math.isfinite(value) else -1.0
    if value > 1:
        return 1 + (value - 1) / value if math.isfinite(value) else 2.0
    return value


COMBINATIONS = {
    "all": Combination(_all, lambda specs: all(spec.binary for spec in specs), _all.__doc__ or ""),
    "weighted": Combination(_weighted, lambda specs: False, _weighted.__doc__ or ""),
    "first": Combination(_first, lambda specs: specs[-1].binary, _first.__doc__ or ""),
}
"""What each word of the grammar does."""
