"""The model's own word on whether it would do better (arXiv 2410.02725, section 3)."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from gateway import (
    Candidate,
    Message,
    Score,
    Session,
    UpstreamRejected,
    answers,
    verifier,
)
from verifiers import quoting
from verifiers.asking import LEAST_MASS, scored, unjudged

QUESTION = 'Would you do better if you started over? ("Yes." or "No.")'
"""The paper's words."""

Spaced = Literal["auto", "never", "always"]


@verifier(pointwise=True)
async def self_evaluation(
    session: Session,
    candidates: Sequence[Candidate],
    *,
    no: Annotated[
        str, Field(min_length=1, max_length=16, description="The word of a model that is content.")
    ] = "No",
    yes: Annotated[
        str,
        Field(min_length=1, max_length=16, description="The word of one that would do better."),
    ] = "Yes",
    spaced: Annotated[
        Spaced,
        Field(
            description="Whether the words begin with a space, as tokens: `never`, `always`, or "
            "`auto`, both together where both are one token, else the form that is."
        ),
    ] = "auto",
) -> list[Score]:
    """Score each candidate by P(No) / (P(No) + P(Yes)), in [0, 1], of its own model.

    The question, a user's turn after the answer, is `Would you do better if you started over?
    ("Yes." or "No.")`; a "No" says that the answer wins or ties against another draw. Works in
    mid-generation: a candidate that was cut is asked about as far as it goes. What a candidate says
    of itself after its answer is not shown, and never read as the judgement. Presumes a model
    that was trained for the question; what others say is a weak signal and no probability. NaN
    where the model would say neither word, or could not be asked. Costs one completion token.
    """
    asked = _Asked(session, _forms(no, yes, spaced))
    items = [(_text(candidate, (no, yes)), candidate.model or None) for candidate in candidates]
    # One alone finds the form of the words, so that the others need not try.
    return await scored(
        session,
        asked.share,
        [item if item[0] else None for item in items],
        verifier="self_evaluation",
        empty="nothing to judge",
        first_alone=True,
    )


def _text(candidate: Candidate, words: Sequence[str]) -> str:
    return unforged(quoting.neutral(quoting.shown(candidate)), words)


TAIL = 400
"""Characters at a text's end in which a judgement of itself is looked for."""
MOST_FORGED = 8
ROLE = r"(?:< ?\|?[A-Za-z_]{1,20}\|?>|(?:user|assistant|human|ai)\s*:)\s*"


def unforged(text: str, words: Sequence[str]) -> str:
    """`text` less what stands after its answer and looks like the judgement that is asked for.

    That is the question, one of `words` (no, yes), or both, with or without role marks. A word that
    is itself the answer stays, as does all that follows a text without a marked answer, except
    where the question comes with it.
    """
    said = "|".join(re.escape(word.strip()) for word in words)
    shut = re.compile(
        rf"\s*(?:{ROLE})?(?P<asked>{re.escape(QUESTION)}\s*(?:{ROLE})?)?"
        rf"(?:(?<!\w)[\"'(*]*(?:{said})\b[.!\"')*]*)?\s*\Z",
        re.IGNORECASE,
    )
    for _ in range(MOST_FORGED):
        head, tail = text[:-TAIL], text[-TAIL:]
        found = shut.search(tail)
        rest = head + tail[: found.start()] if found else text
        if found is None or rest == text or not rest.strip():
            break
        if not found["asked"] and not _ends_in_its_answer(rest, text):
            break
        text = rest
    return text


def _ends_in_its_answer(rest: str, text: str) -> bool:
    answer = answers.extract(rest)
    return answer is not None and answer == answers.extract(text)


Form = tuple[tuple[str, ...], tuple[str, ...]]
"""What counts as no, and what as yes."""


def _forms(no: str, yes: str, spaced: Spaced) -> list[Form]:
    """Forms to try, the first that consists of single tokens is used."""
    bare: Form = ((no,), (yes,))
    led: Form = ((f" {no}",), (f" {yes}",))
    both: Form = (bare[0] + led[0], bare[1] + led[1])
    return {"never": [bare], "always": [led], "auto": [both, led, bare]}[spaced]


@dataclass(slots=True)
class _Asked:
    """The forms that the models' tokenizers have not refused yet."""

    session: Session
    forms: list[Form]

    async def share(self, item: tuple[str, str | None]) -> Score:
        text, model = item
        messages: list[Message] = [
            *self.session.request.messages,
            {"role": "assistant", "content": text},
            {"role": "user", "content": QUESTION},
        ]
        noes, yeses = form = self.forms[0]
        try:
            told = await self.session.probabilities(messages, [*noes, *yeses], model=model)
        except UpstreamRejected as refused:
            if refused.param != "choices" or form == self.forms[-1]:
                raise
            if form == self.forms[0]:
                del self.forms[0]
            return await self.share(item)
        content, mass = _sum(told, noes), _sum(told, told)
        if mass < LEAST_MASS:
            return unjudged(f"the model would say neither {noes[0]!r} nor {yeses[0]!r}")
        return Score(content / mass)


def _sum(told: dict[str, float], choices: Iterable[str]) -> float:
    return math.fsum(told[choice] for choice in choices)
