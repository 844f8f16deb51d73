"""A model as the judge: by the exact probabilities of its grades, or of its preferences."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from gateway import Candidate, GatewayError, Message, Score, Session, verifier
from verifiers import preferences, quoting
from verifiers.asking import LEAST_MASS, each, settled, unjudged

VERSION = 1
"""Of the prompts in `prompts/judge/`; a change of wording is a new file and a new number."""
A, B = "A", "B"
LEAST = 1e-9
"""Probabilities below count as this, so that no comparison outweighs all others."""


@verifier()
async def judge(
    session: Session,
    candidates: Sequence[Candidate],
    *,
    mode: Annotated[
        Literal["pointwise", "pairwise"],
        Field(
            description="`pointwise`: the expected grade of each candidate. `pairwise`: how likely "
            "it is preferred to another, each pair asked in both orders."
        ),
    ] = "pointwise",
    grades: Annotated[
        str,
        Field(
            pattern=r"^[0-9A-Za-z]{2,26}$",
            description="Grades from worst to best, a character each; each has to be one token of "
            "the judge.",
        ),
    ] = "0123456789",
    rivals: Annotated[
        int,
        Field(
            ge=2,
            le=64,
            description="`pairwise` compares a candidate with at most so many others; it costs a "
            "token for each, in each order.",
        ),
    ] = 8,
    max_chars: Annotated[
        int,
        Field(
            ge=100,
            le=1_000_000,
            description="Longest text of the task, and of a candidate, that the judge is shown; of "
            "longer ones it sees both ends.",
        ),
    ] = 20_000,
) -> list[Score]:
    """Score each candidate, in [0, 1], by what the model of the role `judge` thinks of it.

    The judge is the model of `roles.judge`, or the request's own where that is not set. No text
    is read from it: `pointwise` is the mean of the grades weighed by their token probabilities,
    and `pairwise` compares log-odds asked in both orders, whose half difference is free of a
    liking for a place or a letter; the value is the mean chance to be preferred to the others, by
    the least-squares fit of all pairs. Candidates are shown as data: fenced by a code that they
    cannot hold, without invisible characters and role tokens, and limited in length. Equal texts
    are judged once. NaN where the judge would rather say something else, or could not be asked;
    `reason` names the prompt's version. Costs one completion token a question.
    """
    texts = [quoting.data(quoting.shown(candidate), max_chars) for candidate in candidates]
    distinct = sorted({text for text in texts if text})
    task = quoting.data(quoting.transcript(session.request.messages), max_chars)
    asked = _Asked(session, task, mode)
    if mode == "pointwise":
        known = await _graded(asked, distinct, grades)
    else:
        known = await _compared(asked, distinct, rivals)
    empty = unjudged("nothing to judge")
    return [known.get(text, empty) for text in texts]


@dataclass(frozen=True, slots=True)
class _Asked:
    """Who judges, and of what task."""

    session: Session
    task: str
    mode: str

    async def share(self, choices: Sequence[str], texts: Mapping[str, str]) -> list[float]:
        """How probable each of `choices` is among them, for the prompt that shows `texts`.

        ValueError where the judge would rather say something else.
        """
        code = quoting.fence(self.task, [self.task, *texts.values()])
        prompt = quoting.template(self.prompt).substitute(
            texts, task=self.task, fence=code, grades=", ".join(choices)
        )
        messages: list[Message] = [{"role": "user", "content": prompt}]
        model = self.session.assigned("judge")
        told = await self.session.probabilities(messages, choices, model=model)
        mass = math.fsum(told.values())
        if mass < LEAST_MASS:
            raise ValueError(f"the judge offers none of {', '.join(choices)} (mass {mass:.1e})")
        return [told[choice] / mass for choice in choices]

    @property
    def prompt(self) -> str:
        return f"judge/{self.mode}-{VERSION}"


async def _graded(asked: _Asked, texts: Sequence[str], grades: str) -> dict[str, Score]:
    """The expected grade of each text, 0 for the worst and 1 for the best."""

    async def grade(text: str) -> Score:
        try:
            shares = await asked.share(tuple(grades), {"answer": text})
        except ValueError as refusal:
            return unjudged(str(refusal))
        mean = math.fsum(place * share for place, share in enumerate(shares)) / (len(grades) - 1)
        return Score(mean, reason=asked.prompt)

    told = await each(grade, texts)
    settled(asked.session, told, verifier="judge", role="judge")
    return {
        text: unjudged(score) if isinstance(score, GatewayError) else score
        for text, score in zip(texts, told, strict=True)
    }


async def _compared(asked: _Asked, texts: Sequence[str], rivals: int) -> dict[str, Score]:
    """The mean chance of each text to be preferred to the others."""
    if len(texts) == 1:
        return {texts[0]: unjudged("no other answer to compare with")}

    async def odds(pair: tuple[int, int]) -> float | None:
        """Log-odds that the first of the pair is preferred, as asked in this order."""
        first, second = (texts[place] for place in pair)
        try:
            shares = await asked.share((A, B), {"first": first, "second": second})
        except ValueError:
            return None
        a, b = (max(share, LEAST) for share in shares)
        return math.log(a) - math.log(b)

    pairs = preferences.pairs(texts, rivals)
    told = await each(odds, [*pairs, *((j, i) for i, j in pairs)])
    settled(asked.session, told, verifier="judge", role="judge")
    known = [None if isinstance(value, GatewayError) else value for value in told]
    orders = zip(pairs, known[: len(pairs)], known[len(pairs) :], strict=True)
    # An offset that a place brings is in both orders, with one sign: the difference is without it.
    gaps = {
        pair: (there - back) / 2
        for pair, there, back in orders
        if there is not None and back is not None
    }
    values = preferences.chances(len(texts), gaps)
    return {
        text: unjudged("no comparison with another answer could be had")
        if value is None
        else Score(value, reason=asked.prompt)
        for text, value in zip(texts, values, strict=True)
    }
