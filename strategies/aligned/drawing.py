"""What a request's grammar is, and by which way candidates in it are drawn."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Literal, NoReturn

from gateway import Candidate, InvalidRequest, Session, UnsatisfiableGrammar
from gateway.grammar import REJECTED, Constraint, GrammarError, constraint_of, tools_constraint
from gateway.grammar.checking import SECONDS, TOO_LONG, problem
from strategies.aligned import proposals, walking

Mode = Literal["auto", "mask", "asap", "cars", "snis", "mcmc"]
Way = Callable[["Drawing", int], Awaitable[list[Candidate]]]

NEUTRAL: Mapping[str, tuple[Any, ...]] = {
    "top_p": (1,),
    "top_k": (0, -1),
    "min_p": (0,),
    "presence_penalty": (0,),
    "frequency_penalty": (0,),
    "repetition_penalty": (1,),
    "logit_bias": ({},),
    "min_tokens": (0,),
    "bad_words": ([],),
    "allowed_token_ids": ([],),
}
"""Fields that change the model's distribution otherwise than temperature does, where they do not:
what is sampled from is then not told by log-probabilities."""


class Drawing:
    """Candidates of one request, in its grammar. `evidence` says how they were come by."""

    def __init__(
        self, session: Session, constraint: Constraint | None, mode: str, steps: int
    ) -> None:
        self.session = session
        self.constraint = constraint
        self.steps = steps
        self.evidence: dict[str, Any] = {"mode": mode} if constraint else {}
        self._way = WAYS[mode]
        self._cut: list[Candidate] = []
        self._dead_ends = 0

    async def draw(self, n: int) -> list[Candidate]:
        """Up to `n` more that are whole and in the grammar; none where none came out so."""
        return await self._way(self, n)

    def whole(self, drawn: Sequence[Candidate]) -> list[Candidate]:
        """Those of `drawn` that ended by themselves; the others are kept for `cut_short`."""
        done = []
        for candidate in drawn:
            if candidate.extra.get("stop_reason") == REJECTED:
                self._dead_ends += 1
            elif self.constraint is not None and candidate.finish_reason == "length":
                self._cut.append(candidate)
            else:
                done.append(candidate)
        return done

    def cut_short(self) -> list[Candidate]:
        """What a limit on tokens or time cut; `UnsatisfiableGrammar` where there is not even that.

        No answer satisfies the grammar: not in so many tokens, or not at all.
        """
        if not self._cut:
            raise UnsatisfiableGrammar("no candidate could satisfy the grammar")
        self.session.degrade("incomplete")
        return self._cut


async def drawing_of(session: Session, mode: str, steps: int) -> Drawing:
    """How candidates are drawn, once the grammar has been found usable."""
    fields = session.request.fields
    try:
        forced = tools_constraint(fields)
        constraint = forced or constraint_of(fields)
        if constraint is None:
            session.degrade("no_grammar")
            return Drawing(session, None, "mask", steps)
        wrong = await session.compute(problem, constraint, seconds=SECONDS)
    except GrammarError as error:
        _refuse(error.message, error.param)
    except TimeoutError:
        assert constraint is not None
        wrong = f"{constraint.param}: {TOO_LONG}"
    if wrong:
        _refuse(wrong, constraint.param)
    able = _able(session, forced=forced is not None)
    if mode != "auto" and (why := able.get(mode)):
        raise InvalidRequest(f"mode {mode}: {why}", param="mode", code="unsupported_mode")
    return Drawing(session, constraint, _best(session, able) if mode == "auto" else mode, steps)


def _refuse(message: str, param: str) -> NoReturn:
    raise InvalidRequest(message, param=param, code="invalid_grammar") from None


def _able(session: Session, *, forced: bool) -> dict[str, str]:
    """Why each mode that cannot be had here cannot."""
    fields, can = session.request.fields, session.capabilities
    shaped = [name for name, plain in NEUTRAL.items() if not _plain(fields.get(name), plain)]
    reasons: dict[str, str] = {}
    if shaped:
        why = f"{shaped[0]} changes the distribution that is to be kept"
        reasons = dict.fromkeys(("asap", "cars", "snis", "mcmc"), why)
    elif fields.get("temperature") == 0:
        why = "there is nothing to sample at temperature 0"
        reasons = dict.fromkeys(("asap", "cars", "snis", "mcmc"), why)
    if forced or not can.aligned:
        why = "not of tool calls" if forced else "the model's server has no such sampler"
        reasons = {**dict.fromkeys(("asap", "cars"), why), **reasons}
    needed = ("logprobs", "prompt_logprobs", "masked_logprobs", "token_ids")
    if lacking := [name for name in needed if not getattr(can, name)]:
        why = f"the model's server lacks {lacking[0]}"
        reasons = {**dict.fromkeys(("snis", "mcmc"), why), **reasons}
    return reasons


def _plain(value: Any, neutral: tuple[Any, ...]) -> bool:
    return value is None or value in neutral


def _best(session: Session, able: Mapping[str, str]) -> str:
    for mode in ("cars", "snis"):
        if mode not in able:
            return mode
    if session.request.fields.get("temperature") != 0:
        session.degrade("unaligned")
    return "mask"


async def _masked(drawing: Drawing, n: int) -> list[Candidate]:
    return drawing.whole(await drawing.session.sample(n))


WAYS: Mapping[str, Way] = {
    "mask": _masked,
    "asap": walking.asap,
    "cars": walking.cars,
    "snis": proposals.snis,
    "mcmc": proposals.mcmc,
}
