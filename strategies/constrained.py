"""Answers in a grammar, drawn from the model's own distribution given it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated

from pydantic import Field

from gateway import (
    UNJUDGED,
    Candidate,
    InvalidRequest,
    Outcome,
    Score,
    Session,
    VerifierName,
    selection,
    strategy,
)
from strategies.aligned.drawing import Drawing, Mode, drawing_of
from strategies.asking import Ask, asking
from strategies.rules.base import Rule, Seen, Setting, Stop
from strategies.rules.choosing import RuleName, made

MODES = (
    "How: `mask` (cut to what the grammar allows next, which distorts the model's probabilities), "
    "`cars` (exact, by rejection) or `asap` (nearer the more is sampled), where the server can do "
    "that; `snis` or `mcmc` (masked samples, reweighted) over plain HTTP; `auto`, the best of "
    "these that the server can do."
)
STEPS = "Proposals behind the first one: of each candidate (`mcmc`), or of all (`snis`)."


@strategy(preload=("gateway.grammar.checking:warm_up",))
async def constrained(
    session: Session,
    *,
    n: Annotated[int, Field(ge=1, le=1024, description="Most candidates in the grammar.")] = 1,
    mode: Annotated[Mode, Field(description=MODES)] = "auto",
    steps: Annotated[int, Field(ge=1, le=256, description=STEPS)] = 10,
    verifier: Annotated[
        VerifierName | None,
        Field(description="Ranks the candidates; the rule's own, or agreement, unless named."),
    ] = None,
    rule: Annotated[
        RuleName | None, Field(description="When to stop before `n`, as for `adaptive`.")
    ] = None,
) -> Outcome:
    """Sample up to `n` answers in the grammar that the body gives; answer with the highest scored.

    The grammar is a `response_format`, `structured_outputs` (json, regex, choice or grammar), or
    the schemas of a tool call that `tool_choice` forces. InvalidRequest where it is none, or where
    nothing satisfies it. Without one nothing is constrained, and the answer is marked `no_grammar`.
    """
    name, stopping = made(rule, Setting(n)) if rule else ("", None)
    by = verifier or (stopping.verifier if stopping else "agreement")
    if stopping is not None and stopping.verdicts and not session.gives_verdicts(by):
        message = f"rule {rule} needs verdicts, and verifier {by} gives none"
        raise InvalidRequest(message, param="rule", code="invalid_value")
    drawing = await drawing_of(session, mode, steps)
    if stopping is None:
        candidates = await drawing.draw(n)
        found = _Found(candidates, await session.score(candidates, by=by))
    else:
        async with asking(session, name, stopping) as ask:
            found = await _rounds(session, drawing, (stopping, ask), by, n)
    if not found.candidates:
        cut = drawing.cut_short()
        found = _Found(cut, [UNJUDGED for _ in cut])
    outcome = selection.ranked(found.candidates, found.scores)
    stop = found.stop or Stop(outcome.stop)
    evidence = {**drawing.evidence, **stop.evidence}
    return replace(outcome, stop=stop.reason, evidence=evidence or None)


@dataclass(frozen=True, slots=True)
class _Found:
    candidates: Sequence[Candidate]
    scores: Sequence[Score]
    stop: Stop | None = None


async def _rounds(
    session: Session, drawing: Drawing, asked_by: tuple[Rule, Ask], by: str, n: int
) -> _Found:
    """As the rule asks, until it, `n` or the budget says stop."""
    rule, ask = asked_by
    candidates: list[Candidate] = []
    scores: Sequence[Score] = ()
    while True:
        asked = await ask()
        missing = session.request.choices - len(candidates)
        if isinstance(asked, Stop) and missing <= 0:
            session.saved(n - len(candidates))
            return _Found(candidates, rule.scores(scores), asked)
        wanted = missing if isinstance(asked, Stop) else max(asked.n, missing)
        size = min(wanted, n - len(candidates))
        if size < 1 or not session.affordable(size):
            break
        fresh = await drawing.draw(size)
        if not fresh:
            break
        candidates += fresh
        scores = await session.score(candidates, by=by)
        told = zip(candidates, scores, strict=True)
        rule.tell([_seen(candidate, score) for candidate, score in told])
    return _Found(candidates, rule.scores(scores))


def _seen(candidate: Candidate, score: Score) -> Seen:
    tokens = candidate.usage.completion_tokens if candidate.usage else 0
    return Seen(score, tokens, False, (candidate.logprobs or {}).get("content") or ())
