"""Agreement over rephrasings of the question (LLMAuditor, arXiv 2402.09346)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Unpack

from pydantic import Field

from gateway import Candidate, GatewayError, Message, Sampling, Score, Session, answers, verifier
from verifiers import quoting
from verifiers.asking import each, settled, unjudged

PROMPT = "consistency/rephrase-1"
MOST_CHARS = 40_000
ROOM = 64
"""Tokens that a rephrasing may have beyond one a character of the message."""


@verifier()
async def consistency(
    session: Session,
    candidates: Sequence[Candidate],
    *,
    rephrasings: Annotated[
        int, Field(ge=1, le=16, description="Other wordings of the last user message.")
    ] = 3,
    samples: Annotated[int, Field(ge=1, le=16, description="Answers to each of them.")] = 1,
    max_tokens: Annotated[
        int, Field(ge=16, le=65_536, description="Longest answer to a rephrasing, in tokens.")
    ] = 1024,
) -> list[Score]:
    """Score each candidate by the share, in [0, 1], of answers to rephrasings that are its own.

    The model of the role `judge` (the request's own, where that is not set) says the last user
    message in other words; the request's model answers each wording. An answer that hangs on the
    wording is not known but guessed; one that is wrong however it is asked keeps its score. Marked
    answers are compared, as in `agreement`; no model sees a candidate. Costs the tokens of
    `rephrasings * (1 + samples)` calls, and is part of no preset. NaN without a marked answer, or
    where no rephrasing was answered, by which the request is degraded.
    """
    keys = [_key(candidate) for candidate in candidates]
    question = _question(session.request.messages)
    if not any(keys):
        return [unjudged("no marked answer") for _ in keys]
    if not question.strip() or len(question) > MOST_CHARS:
        return [unjudged("no question that can be rephrased") for _ in keys]
    told = await _answered(session, question, rephrasings, samples, max_tokens)
    settled(session, told, verifier="consistency", role="judge")
    found = [key for one in told if not isinstance(one, GatewayError) for key in one]
    if not any(found):
        session.degrade("consistency")
        return [unjudged("no rephrasing was answered") for _ in keys]
    return [_score(key, found) for key in keys]


def _score(key: str | None, found: Sequence[str | None]) -> Score:
    if key is None:
        return unjudged("no marked answer")
    same = sum(other == key for other in found)
    return Score(same / len(found), key=key, reason=f"{PROMPT}: {same} of {len(found)}")


def _key(candidate: Candidate) -> str | None:
    marked = answers.extract(candidate.text)
    return answers.canonical(marked) if marked else None


async def _answered(
    session: Session, question: str, rephrasings: int, samples: int, max_tokens: int
) -> list[list[str | None] | GatewayError]:
    """The answers' keys, by wording; an answer without one agrees with nobody."""
    try:
        wordings = await _wordings(session, question, rephrasings)
    except GatewayError as error:
        return [error]
    settings = {wording: _sampling(session, max_tokens=max_tokens) for wording in wordings}

    async def ask(wording: str) -> list[str | None]:
        drawn = await session.sample(
            samples,
            messages=_reworded(session.request.messages, wording),
            **settings[wording],
        )
        return [_key(candidate) for candidate in drawn]

    return await each(ask, wordings)


async def _wordings(session: Session, question: str, count: int) -> list[str]:
    """Up to `count` different wordings, whole ones only."""
    message = quoting.data(question, MOST_CHARS)
    code = quoting.fence(message, [message])
    prompt = quoting.template(PROMPT).substitute(message=message, fence=code)
    drawn = await session.sample(
        count,
        messages=[{"role": "user", "content": prompt}],
        model=session.assigned("judge"),
        **_sampling(session, max_tokens=len(question) + ROOM, temperature=1.0),
    )
    whole = [one.text.strip() for one in drawn if one.finish_reason != "length"]
    return list(dict.fromkeys(text for text in whole if text))


def _sampling(session: Session, **settings: Unpack[Sampling]) -> Sampling:
    """The settings of a call, with a seed of its own where the request has one."""
    if session.request.fields.get("seed") is not None:
        settings["seed"] = session.rng.getrandbits(53)
    return settings


def _last(messages: Sequence[Message]) -> int | None:
    """The place of the last user message."""
    places = [place for place, message in enumerate(messages) if message.get("role") == "user"]
    return places[-1] if places else None


def _question(messages: Sequence[Message]) -> str:
    """The words of the last user message."""
    place = _last(messages)
    return "" if place is None else "\n".join(_texts(messages[place].get("content")))


def _texts(content: Any) -> list[str]:
    if isinstance(content, str):
        return [content]
    parts = content if isinstance(content, list) else []
    return [part["text"] for part in parts if isinstance(part.get("text"), str)]


def _reworded(messages: Sequence[Message], wording: str) -> list[Message]:
    """The conversation with other words in its last user message; its images stay."""
    place = _last(messages)
    assert place is not None
    old = messages[place].get("content")
    content: Any = wording
    if isinstance(old, list):
        kept = [part for part in old if not isinstance(part.get("text"), str)]
        content = [{"type": "text", "text": wording}, *kept]
    return [*messages[:place], {**messages[place], "content": content}, *messages[place + 1 :]]
