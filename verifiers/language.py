"""Is the answer in the user's language?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated

from pydantic import Field

from gateway import Candidate, Score, Session, languages, verifier

SECONDS = 10.0
"""Time limit for all candidates of one call, most of it for a worker that has just begun."""


@verifier(binary=True, pointwise=True, preload=("gateway.languages:warm_up",))
async def language(
    session: Session,
    candidates: Sequence[Candidate],
    *,
    code: Annotated[
        str | None,
        Field(
            pattern="^[a-z]{2,3}$",
            description="ISO 639 code of the language that answers shall be in; without one, that "
            "which the last user message asks for in words, else its own.",
        ),
    ] = None,
) -> list[Score]:
    """Check that an answer is in the user's language.

    1.0 and passed where it is, 0.0 where it surely is in another; NaN where that is unsure: an
    answer or a question that is all numbers, code or JSON, that mixes languages, or that writes its
    language in another script's letters. What an answer says is not looked at: this is a gate for
    another verifier, not a judge of answers.
    """
    texts = [candidate.text[: languages.MAX_TEXT] for candidate in candidates]
    distinct = sorted(set(texts))
    if not distinct:
        return []
    question = languages.ends(languages.asked(session.request.messages))
    try:
        verdicts = await session.compute(
            languages.are_in, distinct, question, code, seconds=SECONDS
        )
    except TimeoutError:
        return [Score(math.nan, reason="detection took too long") for _ in candidates]
    known = dict(zip(distinct, verdicts, strict=True))
    return [_score(known[text]) for text in texts]


def _score(verdict: bool | None) -> Score:
    if verdict is None:
        return Score(math.nan, reason="the language is not sure")
    return Score(float(verdict), passed=verdict, reason="" if verdict else "in another language")
