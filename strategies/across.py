"""One request of `multilingual`: draw, sort by language, choose."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from gateway import (
    UNJUDGED,
    BudgetExhausted,
    Candidate,
    DeadlineExceeded,
    Outcome,
    Sampling,
    Score,
    Session,
    answers,
    languages,
    selection,
)
from strategies import risk
from strategies.drawing import Evidence, draw
from strategies.evidence import can_be_asked, other_than
from strategies.utilities import UTILITIES, Asked, Pool, Utility, by_answer, usual

Select = Literal["auto", "chops", "x_mbr", "mbr", "agreement", "likelihood", "reward"]
SECONDS = 10.0
"""Time limit of detection, most of it for a worker that has just begun."""
MOST_OF_DEADLINE = 0.25
"""Share of the time left that detection may take."""
UNSURE = "unsure"
TIERS = {"yes": 2, "wordless": 2, "unsure": 1, "no": 0, "empty": -1}
"""By whether a text is in the user's language; one without words is in no wrong one, and an empty
one is no answer."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What was asked for, with what the user's language has of its own."""

    n: int
    temperature: float
    min_p: float
    select: Select
    utility: Asked
    evidence: int
    evidence_languages: Sequence[str]
    translated: bool


@dataclass(frozen=True, slots=True)
class Method:
    """A way to choose: by a verifier, or by a utility (None: the one asked for) of a pool."""

    verifier: str | None = None
    utility: Utility | None = None
    evidence: bool = False
    sampling: Mapping[str, Any] = field(default_factory=dict)


METHODS: Mapping[Select, Method] = {
    "chops": Method(verifier="chops"),
    "x_mbr": Method(evidence=True),
    "mbr": Method(),
    "agreement": Method(utility="answer"),
    "likelihood": Method(verifier="likelihood", sampling={"logprobs": True}),
    "reward": Method(verifier="reward_model"),
}


async def user_language(session: Session) -> str | None:
    """The language that the user wants; None where that is not sure."""
    question = languages.ends(languages.asked(session.request.messages))
    left = session.budget.seconds
    try:
        # Nothing is drawn yet, and a worker that has just begun loads for seconds.
        async with asyncio.timeout(None if left is None else left * MOST_OF_DEADLINE):
            return await session.compute(languages.wanted, question, seconds=SECONDS)
    except TimeoutError:
        session.degrade("language")
        return None


class Across:
    """One request: `run` answers it."""

    def __init__(self, session: Session, language: str | None, wish: Wish):
        self._session = session
        self._language = language
        self._wish = wish
        self._evidence = Evidence()

    async def run(self) -> Outcome:
        """The outcome; candidates in the user's language before all others."""
        wish, session = self._wish, self._session
        asked, spare = self._shares()
        candidates = await session.sample(
            asked,
            hedged=True,
            temperature=wish.temperature,
            min_p=wish.min_p,
            **METHODS.get(wish.select, Method()).sampling,
        )
        session.tally("language_samples", self._label, "candidate", by=len(candidates))
        await session.progress(f"{len(candidates)} candidates sampled")
        spoken = await self._spoken(candidates)
        tiers = [TIERS[each] for each in spoken]
        pool = Pool(candidates, [i for i, tier in enumerate(tiers) if tier == max(tiers)])
        select, utility = self._chosen(candidates)
        scores, stop = await self._scores(pool, METHODS[select], utility, spare)
        outcome = selection.ranked(candidates, scores, tiers=tiers, stop=stop)
        winner = candidates.index(outcome.candidates[0])
        # Where a call failed, nobody knows whether the first is the greedy one.
        won = "greedy" if winner == 0 and len(candidates) == asked else "sampled"
        session.tally("language_answers", self._label, won, spoken[winner])
        if METHODS[select].verifier is None and utility == "answer":
            value = scores[winner].value
            outcome = replace(outcome, support=value if scores[winner].judged else None)
        return replace(outcome, evidence=self._told(select, utility, spoken))

    @property
    def _label(self) -> str:
        return self._language or UNSURE

    def _shares(self) -> tuple[int, int]:
        """How many candidates, and how many answers as evidence, the budget of samples allows."""
        wish, session = self._wish, self._session
        wanted = wish.evidence if wish.select in ("auto", "x_mbr") else 0
        if not can_be_asked(session.request.messages, session.request.fields):
            wanted = 0
        total = session.affordable(wish.n + wanted)
        fair = round(total * wish.n / (wish.n + wanted))
        least = max(min(2, wish.n), session.request.choices)
        asked = max(1, min(total, max(least, fair)))
        return asked, max(0, total - asked)

    async def _spoken(self, candidates: Sequence[Candidate]) -> list[str]:
        """Whether each candidate is in the user's language, as `TIERS` has it."""
        if self._language is None:
            return ["empty" if _is_empty(each) else "unsure" for each in candidates]
        scores = await self._session.score(candidates, by=f"language;code={self._language}")
        return [_spoken(*each) for each in zip(candidates, scores, strict=True)]

    def _chosen(self, candidates: Sequence[Candidate]) -> tuple[Select, Utility]:
        """The method and the utility for this task."""
        extractable = _extractable(candidates, self._session.request.fields)
        wish = self._wish
        utility: Utility = (
            usual(self._session, extractable=extractable)
            if wish.utility == "auto"
            else wish.utility
        )
        if wish.select == "auto":
            return ("x_mbr" if extractable else "chops"), utility
        return wish.select, METHODS[wish.select].utility or utility

    async def _scores(
        self, pool: Pool, method: Method, utility: Utility, spare: int
    ) -> tuple[list[Score], str]:
        """A score each, and why choosing stopped."""
        unjudged = [UNJUDGED] * len(pool.candidates)
        by_votes = method.verifier is None and utility == "answer"
        if not by_votes and _all_same([pool.candidates[i] for i in pool.eligible]):
            self._session.saved(spare if method.evidence else 0)
            return unjudged, "complete"
        try:
            scores = await self._by(pool, method, utility, spare)
        except BudgetExhausted:
            return unjudged, "budget"
        except DeadlineExceeded:
            return unjudged, "deadline"
        if not any(scores[i].judged for i in pool.eligible):
            self._session.degrade("unjudged")
        return scores, "complete"

    async def _by(self, pool: Pool, method: Method, utility: Utility, spare: int) -> list[Score]:
        session, wish = self._session, self._wish
        if method.verifier is not None:
            shown = [pool.candidates[i] for i in pool.eligible]
            told = await session.score(shown, by=method.verifier)
            known = dict(zip(pool.eligible, told, strict=True))
            return [known.get(i, UNJUDGED) for i in range(len(pool.candidates))]
        if not (method.evidence and spare):
            return await UTILITIES[utility](session, pool)
        if utility == "answer":
            scores = await by_answer(session, pool)
            if not risk.contested([score.key for score in scores], pool.eligible, spare):
                session.saved(spare)
                return scores
        code = other_than(self._language, wish.evidence_languages)
        sampling: Sampling = {"temperature": wish.temperature, "min_p": wish.min_p}
        self._evidence = await draw(session, spare, code, sampling, translated=wish.translated)
        session.tally("language_samples", self._label, "evidence", by=len(self._evidence.answers))
        return await UTILITIES[utility](session, replace(pool, evidence=self._evidence.answers))

    def _told(self, select: Select, utility: Utility, spoken: Sequence[str]) -> dict[str, Any]:
        """What the `its` block says of how the answer was chosen."""
        told: dict[str, Any] = {
            "language": self._language,
            "select": select,
            "in_language": spoken.count("yes"),
        }
        if METHODS[select].verifier is None:
            told["utility"] = utility
        if self._evidence.answers:
            told["evidence"] = self._evidence.told()
        return told


def _spoken(candidate: Candidate, score: Score) -> str:
    if _is_empty(candidate):
        return "empty"
    if score.passed is not None:
        return "yes" if score.passed else "no"
    return "wordless" if languages.wordless(candidate.text) else "unsure"


def _is_empty(candidate: Candidate) -> bool:
    return not (candidate.text.strip() or candidate.tool_calls)


def _all_same(candidates: Sequence[Candidate]) -> bool:
    return len({(each.text, repr(each.tool_calls)) for each in candidates}) < 2


def _extractable(candidates: Sequence[Candidate], fields: Mapping[str, Any]) -> bool:
    """Whether most candidates say what their answer is: a mark, a call of a tool, or JSON."""
    if (fields.get("response_format") or {}).get("type") in ("json_object", "json_schema"):
        return True
    marked = [bool(c.tool_calls) or answers.extract(c.text) is not None for c in candidates]
    return 2 * sum(marked) > len(marked)
