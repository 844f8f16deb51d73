"""Draws as a rule asks, until it says stop: spends where it pays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Annotated

from pydantic import Field

from gateway import (
    Abstained,
    Candidate,
    InvalidRequest,
    Outcome,
    Score,
    Session,
    UpstreamError,
    UpstreamRejected,
    VerifierName,
    answers,
    selection,
    strategy,
)
from strategies.asking import Ask, asking
from strategies.difficulty import beginning
from strategies.rules.base import Draw, Rule, Seen, Setting, Stop
from strategies.rules.choosing import RuleName, made
from strategies.watched import watched


@strategy
async def adaptive(
    session: Session,
    *,
    n: Annotated[int, Field(ge=1, le=1024, description="Most candidates to sample.")] = 64,
    rule: Annotated[
        RuleName,
        Field(
            description="When to stop: a rule with its parameters, such as `beta;level=0.9`; "
            "`auto` chooses one by what is available."
        ),
    ] = "auto",
    verifier: Annotated[
        VerifierName | None,
        Field(description="Scores the candidates; the rule's own unless named."),
    ] = None,
    first_target: Annotated[
        float | None,
        Field(
            gt=0,
            lt=1,
            description="Chance of a right candidate for which the first batch is sized, by what "
            "earlier requests told of how hard the prompt is; unset, the rule's own first batch.",
        ),
    ] = None,
) -> Outcome:
    """Sample as `rule` asks, round by round, up to `n`; answer with the highest scored.

    Every round is read to its end before the rule decides, so that answers which are short, and
    come first, weigh no more than those which are long. For the same reason a round that a budget
    or a deadline cuts has no vote, unless it is the first.
    """
    begin = await beginning(session, first_target, n)
    setting = Setting(
        n,
        begin.size,
        verifier=verifier or "",
        verdicts=verifier is not None and session.gives_verdicts(verifier),
        reward=session.assigned("outcome_reward") is not None,
        tests=session.request.tests is not None,
    )
    name, chosen = made(rule, setting)
    by = chosen.verifier = verifier or chosen.verifier
    if chosen.verdicts and not session.gives_verdicts(by):
        message = f"rule {rule} needs verdicts, and verifier {by} gives none"
        raise InvalidRequest(message, param="rule", code="invalid_value")
    async with asking(session, name, chosen) as ask:
        outcome = await _Loop(session, name, chosen, ask, setting).run()
    await begin.learn(outcome)
    return outcome


class _Loop:
    """One request's rounds."""

    def __init__(self, session: Session, name: str, rule: Rule, ask: Ask, setting: Setting):
        self._session = session
        self._name = name
        self._rule = rule
        self._ask = ask
        self._n = setting.n
        self._first = setting.first
        self._failure: UpstreamError | None = None
        self._candidates: list[Candidate] = []
        self._tokens: list[int] = []
        self._scores: Sequence[Score] = ()

    async def run(self) -> Outcome:
        stop = await self._rounds()
        if self._failure is not None:
            if not self._candidates:
                raise self._failure
            self._session.degrade("partial")
        if stop is not None and stop.abstain:
            self._saved(stop)
            return self._abstained(stop)
        outcome = selection.ranked(self._candidates, await self._final())
        outcome = replace(outcome, fused=self._has_forced())
        if stop is None:
            return outcome
        self._saved(stop)
        return replace(outcome, stop=stop.reason, evidence=stop.evidence or None)

    async def _final(self) -> Sequence[Score]:
        """The scores by which the answer is chosen."""
        scores = self._rule.scores(self._scores)
        if not self._rule.voted:
            return scores
        votes = await self._session.score(self._candidates, by="agreement")
        return voted(votes, scores)

    def _saved(self, stop: Stop) -> None:
        """Tell the operator what the rule did not draw, and what that may have lost."""
        saved = max(0, self._n - self._session.begun)
        self._session.saved(saved)
        mean = sum(self._tokens) / len(self._tokens) if self._tokens else 0.0
        name = self._rule.topic or self._name
        self._session.tally("rule_samples_saved", name, by=saved)
        self._session.tally("rule_tokens_saved", name, by=saved * mean)
        if stop.lost is not None:
            self._session.tally("rule_answers_lost", name, by=stop.lost)

    def _has_forced(self) -> bool:
        """Whether there are candidates that were made to end, in words put into their mouths."""
        sampled = {candidate.id for candidate in self._session.candidates}
        return any(candidate.id not in sampled for candidate in self._candidates)

    def _abstained(self, stop: Stop) -> Outcome:
        """No answer, for which nothing need have been drawn."""
        if stop.error:
            raise Abstained("no answer is worth giving, as the rule's values go")
        nothing = Candidate("abstained", "", model=self._session.request.model)
        candidates = self._candidates or [nothing]
        evidence = stop.evidence or None
        return Outcome(candidates, "abstained", evidence=evidence, fused=not self._candidates)

    async def _rounds(self) -> Stop | None:
        """The rule's word; None where `n` or the budget ended it."""
        while True:
            wanted = self._session.request.choices if self._candidates else self._first
            asked = await self._ask()
            missing = wanted - len(self._candidates)
            if isinstance(asked, Stop) and (asked.abstain or missing <= 0):
                return asked
            draw = Draw(missing) if isinstance(asked, Stop) else asked
            left = self._n - self._session.begun
            size = self._session.affordable(min(max(draw.n, missing), left))
            if size < 1:
                return self._rule.spent()
            if (size := self._whole(size)) < 1:
                return self._rule.spent() or Stop("budget")
            await self._round(size, draw)

    def _whole(self, size: int) -> int:
        """How many of a round's `size` can be as long as the longest so far within the tokens left;
        all, where none has to."""
        left, longest = self._session.budget.tokens, max(self._tokens, default=0)
        return min(size, left // longest) if longest and left is not None and self._votes else size

    @property
    def _votes(self) -> bool:
        """Whether the scores of some go by the others, and so by which of them are there."""
        return not self._session.judges_alone(self._rule.verifier)

    def _favours_the_short(self, fresh: Sequence[Candidate]) -> bool:
        """Whether this gateway cut some of a round: what ended there are the short ones."""
        limited = self._session.shortened or "deadline" in self._session.notes
        return limited and self._votes and any(c.finish_reason == "length" for c in fresh)

    async def _round(self, size: int, draw: Draw) -> None:
        before = self._session.spent.completion_tokens
        try:
            fresh = await self._drawn(size, draw)
        except UpstreamRejected:
            raise
        except UpstreamError as error:  # the next round may find the upstream well again
            self._failure = error
            return
        if self._candidates and self._favours_the_short(fresh):
            self._session.degrade("cut_round")
            return
        self._candidates += fresh
        self._tokens += _counted(fresh, self._session.spent.completion_tokens - before)
        by = self._rule.verifier
        self._scores = await self._scored(fresh)
        self._tell()
        if self._rule.verifier != by:
            self._scores = await self._session.score(self._candidates, by=self._rule.verifier)
            self._tell()
        await self._session.progress(f"{len(self._candidates)} candidates sampled")

    def _tell(self) -> None:
        told = zip(self._candidates, self._scores, self._tokens, strict=True)
        plain = _wants_json(self._session)
        self._rule.tell([_seen(*each, plain) for each in told])

    async def _drawn(self, size: int, draw: Draw) -> list[Candidate]:
        if draw.watch is None:
            return await self._session.sample(size, **draw.sampling)
        return await watched(
            self._session, size, draw.watch, by=self._rule.verifier, sampling=draw.sampling
        )

    async def _scored(self, fresh: Sequence[Candidate]) -> list[Score]:
        """Scores of all candidates; those of before stand where they do not depend on `fresh`."""
        if self._session.judges_alone(self._rule.verifier):
            return [*self._scores, *await self._session.score(fresh, by=self._rule.verifier)]
        return await self._session.score(self._candidates, by=self._rule.verifier)


def voted(votes: Sequence[Score], weights: Sequence[Score]) -> list[Score]:
    """Each candidate valued by its answer's share of the weights; one without an answer stands for
    itself."""
    alone = [replace(vote, value=1.0, key=f"alone {at}") for at, vote in enumerate(votes)]
    asked = [vote if vote.key is not None else own for vote, own in zip(votes, alone, strict=True)]
    told = selection.weighted(asked, weights)
    return [replace(score, key=vote.key) for score, vote in zip(told, votes, strict=True)]


def _wants_json(session: Session) -> bool:
    """Whether the whole text is the answer, so that none has to be marked."""
    wanted = session.request.fields.get("response_format")
    return isinstance(wanted, Mapping) and wanted.get("type") in ("json_object", "json_schema")


def _counted(fresh: Sequence[Candidate], spent: int) -> list[int]:
    """Tokens of each of a round's candidates, which took `spent` together.

    Where the upstream counted several as one, they share what is left by the length of their words.
    """
    own = [each.usage.completion_tokens if each.usage else len(each.token_ids) for each in fresh]
    left = max(0, spent - sum(own))
    words = [0 if n else len(c.reasoning + c.text) + 1 for n, c in zip(own, fresh, strict=True)]
    whole = sum(words) or 1
    return [n or round(left * size / whole) for n, size in zip(own, words, strict=True)]


def _seen(candidate: Candidate, score: Score, tokens: int, plain: bool) -> Seen:
    logprobs = (candidate.logprobs or {}).get("content") or ()
    marked = plain or bool(candidate.tool_calls) or answers.extract(candidate.text) is not None
    return Seen(score, tokens, candidate.finish_reason == "length", logprobs, marked)
