"""Checklisted one-pass selection (CHOPS; When Life Gives You Samples, arXiv 2506.20544)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated

from pydantic import Field

from gateway import Candidate, GatewayError, Message, Score, Session, verifier
from verifiers import quoting
from verifiers.asking import settled, unjudged

PROMPT = "judge/listwise-1"


@verifier(order_sensitive=True)
async def chops(
    session: Session,
    candidates: Sequence[Candidate],
    *,
    max_tokens: Annotated[
        int,
        Field(ge=16, le=16_384, description="Longest checklist and evaluation, in tokens."),
    ] = 1024,
    max_chars: Annotated[
        int,
        Field(
            ge=100,
            le=1_000_000,
            description="Longest text of the task, and of all candidates together, that the judge "
            "is shown; of longer ones it sees both ends.",
        ),
    ] = 40_000,
) -> list[Score]:
    """Score 1.0 the candidate that the model of the role `judge` picks out of all, the others 0.0.

    One call: the judge sees the task and every candidate, writes a checklist, goes through them,
    and ends with the number of the best. The paper's prompt is not public, this one is ours. The
    order shown is drawn by the request's seed, so that a judge's liking for a place favours no
    candidate, but a single pick may depend on it. The verdict is the last line, in a form with a
    code that no candidate holds; where it is not there, or is there twice and differs, all are NaN
    (ranking then falls back on the order of drawing) and the request is degraded by
    `chops_unread`. Candidates are shown as data, as in `judge`. Equal texts are shown once.
    """
    texts = [quoting.shown(candidate) for candidate in candidates]
    distinct = sorted({text for text in texts if text.strip()})
    if len(distinct) < 2:
        return [unjudged("no other answer to choose from") for _ in texts]
    session.rng.shuffle(distinct)
    prompt, code = _prompt(session, distinct, max_chars)
    messages: list[Message] = [{"role": "user", "content": prompt}]
    try:
        [said] = await session.sample(
            1,
            messages=messages,
            model=session.assigned("judge"),
            max_tokens=max_tokens,
            temperature=0.0,
        )
    except GatewayError as error:
        settled(session, [error], verifier="chops", role="judge")
        return [unjudged(error) for _ in texts]
    best = verdict(said.text, code, len(distinct))
    if best is None:
        session.degrade("chops_unread")
        return [unjudged(f"{PROMPT}: no verdict could be read") for _ in texts]
    picked = distinct[best - 1]
    empty = unjudged("nothing to judge")
    return [
        Score(float(text == picked), reason=PROMPT) if text.strip() else empty for text in texts
    ]


def _prompt(session: Session, texts: Sequence[str], most: int) -> tuple[str, str]:
    """The prompt that shows `texts` in this order, and its code."""
    task = quoting.data(quoting.transcript(session.request.messages), most)
    clipped = [quoting.data(text, most // len(texts)) for text in texts]
    code = quoting.fence(task, [task, *clipped])
    blocks = [
        f"BEGIN ANSWER {number} {code}\n{text}\nEND ANSWER {number} {code}"
        for number, text in enumerate(clipped, start=1)
    ]
    prompt = quoting.template(PROMPT).substitute(
        task=task, fence=code, answers="\n\n".join(blocks), count=len(texts)
    )
    return prompt, code


def verdict(said: str, code: str, count: int) -> int | None:
    """The number on the last line, 1 to `count`; None where it is not there, or not alone."""
    lines = said.strip().splitlines()
    found = re.fullmatch(rf"BEST {code} ([1-9][0-9]{{0,3}})", lines[-1].strip()) if lines else None
    if found is None or int(found[1]) > count:
        return None
    told = {line.strip() for line in lines if line.strip().startswith(f"BEST {code}")}
    return int(found[1]) if len(told) == 1 else None
