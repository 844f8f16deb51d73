"""Repeated sampling (Large Language Monkeys, arXiv 2407.21787)."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from pydantic import Field

from gateway import (
    Candidate,
    InvalidRequest,
    Outcome,
    Score,
    Session,
    UpstreamError,
    UpstreamRejected,
    VerifierName,
    selection,
    strategy,
)


@strategy
async def best_of_n(
    session: Session,
    *,
    n: Annotated[int, Field(ge=1, le=1024, description="Most candidates to sample.")] = 8,
    verifier: Annotated[VerifierName, Field(description="Ranks them.")] = "agreement",
    weigh_by: Annotated[
        VerifierName | None,
        Field(description="Verifier whose score is a candidate's weight in the vote."),
    ] = None,
    early_exit: Annotated[
        bool,
        Field(
            description="Sample in waves of 1, 1, 2, 4, … and answer with the first candidate that "
            "passes; the verifier must give verdicts."
        ),
    ] = False,
) -> Outcome:
    """Sample up to `n` candidates; answer with the highest scored.

    With `early_exit`, what still grows when one passes is aborted; if none passes, the highest
    scored of all is the answer. With `weigh_by`, the classes of the verifier (agreement) are
    ranked by the summed weights of their members.
    """
    if early_exit:
        return await _until_passed(session, n, verifier)
    candidates = await session.sample(n)
    await session.progress(f"{len(candidates)} candidates sampled")
    scores = await session.score(candidates, by=verifier)
    if weigh_by is not None:
        weights = await session.score(candidates, by=weigh_by)
        scores = selection.weighted(scores, weights)
    return selection.ranked(candidates, scores)


async def _until_passed(session: Session, n: int, verifier: str) -> Outcome:
    if not session.gives_verdicts(verifier):
        message = f"early_exit: verifier {verifier} gives no verdicts"
        raise InvalidRequest(message, param="early_exit", code="invalid_value")
    judged: dict[int, tuple[Candidate, Score]] = {}
    failure: UpstreamError | None = None
    while size := session.affordable(min(max(1, session.begun), n - session.begun)):
        try:
            passed = await _wave(session, size, verifier, judged)
        except UpstreamRejected:
            raise
        except UpstreamError as error:  # the next wave may find the upstream well again
            failure = error
            continue
        if passed:
            session.saved(n - session.begun)
            break
        await session.progress(f"{len(judged)} sampled, none passed")
    if failure is not None:
        if not judged:
            raise failure
        session.degrade("partial")
    candidates, scores = zip(*(judged[index] for index in sorted(judged)), strict=True)
    outcome = selection.ranked(candidates, scores)
    return replace(outcome, stop="passed") if outcome.scores[0].passed else outcome


async def _wave(
    session: Session, size: int, verifier: str, judged: dict[int, tuple[Candidate, Score]]
) -> bool:
    """Draw `size` more; True once one passes, at which the others are aborted.

    With a client's seed the wave is read to its end, as which candidate ends first is chance.
    """
    passed = False
    seeded = session.request.fields.get("seed") is not None
    async with session.drafts(size) as drafts:
        async for draft in drafts:
            if draft.candidate is None:
                continue
            [score] = await session.score([draft.candidate], by=verifier)
            judged[draft.index] = draft.candidate, score
            passed = passed or bool(score.passed)
            if passed and not seeded:
                break
    return passed
