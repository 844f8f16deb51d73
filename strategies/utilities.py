"""What an answer is worth beside others: the utilities of minimum Bayes risk, over a session."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from gateway import (
    Candidate,
    InvalidRequest,
    ModelNotFound,
    Score,
    Session,
    UpstreamError,
)
from strategies import risk

Utility = Literal["answer", "judge", "chrf", "embedding"]
Asked = Literal["auto", "answer", "judge", "chrf", "embedding"]
SECONDS = 10.0
"""Time limit of chrF in a worker."""
MOST_RIVALS = 64


@dataclass(frozen=True, slots=True)
class Pool:
    """`candidates`, of which those at the places `eligible` may be the answer, and evidence."""

    candidates: Sequence[Candidate]
    eligible: Sequence[int]
    evidence: Sequence[Candidate] = ()

    @property
    def everyone(self) -> list[Candidate]:
        return [*self.candidates, *self.evidence]

    @property
    def texts(self) -> list[str]:
        return [candidate.text for candidate in self.everyone]


ROLES: Mapping[str, str] = {
    "reward": "outcome_reward", "chops": "judge", "judge": "judge", "embedding": "embed",
}  # fmt: skip
"""Whose model a choice or a utility needs."""


async def by_answer(session: Session, pool: Pool) -> list[Score]:
    """The share of the votes, evidence's among them, that each candidate's answer gets."""
    scores = await session.score(pool.everyone, by="agreement")
    own = scores[: len(pool.candidates)]
    table = risk.votes([s.key for s in own], [s.key for s in scores[len(own) :]])
    values = risk.expected(table)
    return [replace(score, value=value) for score, value in zip(own, values, strict=True)]


async def by_judge(session: Session, pool: Pool) -> list[Score]:
    """What the role `judge` prefers, each pair asked in both orders.

    With U the log-odds of a preference, free of a liking for a place, the verifier's least-squares
    strengths are the means of U over all others, so that its values rank as Σ U does.
    """
    rivals = min(MOST_RIVALS, max(2, len(pool.everyone) - 1))
    scores = await session.score(pool.everyone, by=f"judge;mode=pairwise;rivals={rivals}")
    return scores[: len(pool.candidates)]


async def by_chrf(session: Session, pool: Pool) -> list[Score]:
    """Mean chrF2 with all others, 0 to 100."""
    rows = len(pool.candidates)
    try:
        table = await session.compute(risk.chrf, pool.texts[:rows], pool.texts, seconds=SECONDS)
    except TimeoutError:
        session.degrade("chrf")
        return [Score(math.nan, reason="chrF took too long") for _ in range(rows)]
    return [Score(value, reason="chrf") for value in risk.expected(table)]


async def by_embedding(session: Session, pool: Pool) -> list[Score]:
    """Mean cosine, -1 to 1, with all others in the space of the role `embed`."""
    rows = len(pool.candidates)
    try:
        vectors = await session.embed([text[: risk.MAX_TEXT] for text in pool.texts])
    except (UpstreamError, ModelNotFound) as error:
        session.degrade("embedding")
        return [Score(math.nan, reason=error.message[:200]) for _ in range(rows)]
    values = risk.expected(risk.cosines(vectors, rows))
    return [Score(value, reason="embedding") for value in values]


UTILITIES: Mapping[Utility, Callable[[Session, Pool], Awaitable[list[Score]]]] = {
    "answer": by_answer,
    "judge": by_judge,
    "chrf": by_chrf,
    "embedding": by_embedding,
}


def usual(session: Session, *, extractable: bool) -> Utility:
    """Answers where they are marked; else what there is a model for, chrF where there is none."""
    if extractable:
        return "answer"
    if session.assigned("embed"):
        return "embedding"
    return "judge" if session.assigned("judge") else "chrf"


async def check(session: Session, select: str, utility: str) -> None:
    """`InvalidRequest` where this gateway has no model for the choice that was asked for.

    Before candidates are drawn for nothing. A judge may be the request's own model; one that the
    operator named and nobody serves is refused as well.
    """
    asked = {"select": select, "utility": utility if select in ("auto", "x_mbr", "mbr") else ""}
    for param, choice in asked.items():
        role = ROLES.get(choice)
        if role is None or (role == "judge" and session.assigned(role) is None):
            continue
        if not await session.serves(role):
            model = session.assigned(role)
            why = f"nobody serves {model}" if model else f"none has the role {role}"
            message = f"{param} {choice} needs a model: {why}; set roles.{role} to one that can"
            raise InvalidRequest(message, param=param, code="no_model")
