"""One request from policy to outcome: deadline, strategy, fallback."""

from __future__ import annotations

import asyncio
import logging
import traceback
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from gateway import selection
from gateway.calibration import Calibration, Map, Signals, signals
from gateway.errors import (
    Abstained,
    BudgetExhausted,
    DeadlineExceeded,
    GatewayError,
    InvalidRequest,
    SandboxUnavailable,
    StrategyFailed,
)
from gateway.ledger import Ledger
from gateway.policy import Policy
from gateway.reading import Sink
from gateway.session import Means, Session
from gateway.trace import Trace
from gateway.types import UNJUDGED, Budget, Outcome, Request, Usage

logger = logging.getLogger(__name__)

Run = Callable[[Request, Policy, Means, Trace, Sink | None], Coroutine[None, None, "Answer"]]
"""`run`, or what stands for it."""

CUT_SHORT = frozenset({"budget", "deadline"})
"""Stops after which an answer is not like those that its route's maps were fitted to."""
LONGEST_MARGIN = 0.1
"""At most so many seconds before the deadline, upstream calls end and what there is is scored."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An outcome and what it cost, all calls included; `relayed` if the client has read it.

    `drawn` are the ids of all candidates in the order in which they were begun; `signals` what
    verifiers said of each choice, and `map` is what the confidence was read from. `usual` says that
    nothing cut it short: only then is it like those that its route's maps are fitted to.
    """

    outcome: Outcome
    samples: int
    usage: Usage
    relayed: bool
    drawn: tuple[str, ...] = ()
    signals: tuple[Signals, ...] = ()
    map: Map | None = None
    usual: bool = True


async def run(
    request: Request, policy: Policy, means: Means, trace: Trace, sink: Sink | None = None
) -> Answer:
    """Run the policy's strategy; at the deadline or the budget's end, the best so far.

    Raises a `GatewayError` where there is nothing to answer with. Whatever was started has ended
    when this returns, raises, or is cancelled.
    """
    ledger = Ledger(policy.budget, trace.clock)
    session = Session(
        request,
        means,
        ledger,
        trace,
        needs=policy.needs,
        sink=sink,
        margin=min(LONGEST_MARGIN, (policy.budget.seconds or 0) / 10),
    )
    outcome = await _outcome(session, policy)
    outcome = _enough(outcome, request.choices)
    if outcome.fused is False and not _are_sampled(outcome, session):
        raise StrategyFailed(
            f"strategy {policy.strategy.name} answered with what it did not sample"
        )
    outcome = outcome.with_degraded(*trace.degraded)
    seen = signals(outcome, session.judgements, policy.verifier, request.choices)
    usual = not outcome.degraded and outcome.stop not in CUT_SHORT
    known = means.calibration if usual else Calibration()
    fitted = _map(seen, known, request.model, policy)
    confidence = _confidence(fitted, seen)
    if confidence != outcome.confidence:
        outcome = replace(outcome, confidence=confidence)
    if policy.abstain is not None:
        outcome = _abstained(outcome, policy.abstain, relayed=session.relayed)
    drawn = tuple(candidate.id for candidate in session.candidates)
    return Answer(
        outcome, ledger.samples, ledger.usage, session.relayed, drawn, seen, fitted, usual
    )


async def _outcome(session: Session, policy: Policy) -> Outcome:
    name = policy.strategy.name
    try:
        if policy.budget.seconds is None:
            outcome = await _ran(session, policy)
        else:
            async with asyncio.timeout(policy.budget.seconds):
                outcome = await _ran(session, policy)
    except TimeoutError:
        return _best_so_far(session, "deadline", DeadlineExceeded("no text before the deadline"))
    except DeadlineExceeded as error:
        return _best_so_far(session, "deadline", error)
    except BudgetExhausted as error:
        return _best_so_far(session, "budget", error)
    except (Abstained, InvalidRequest, SandboxUnavailable):
        raise  # the client has to hear of it, whatever was drawn by then
    except GatewayError as error:
        return _best_so_far(session, "upstream_error", error)
    except Exception as error:  # noqa: BLE001 - the boundary to code that is not ours
        # Without the error's text, which may hold a candidate's.
        kind, frames = type(error).__name__, traceback.extract_tb(error.__traceback__)
        at = f"{Path(frames[-1].filename).name}:{frames[-1].lineno}"
        logger.error("strategy failed", extra={"strategy": name, "error": kind, "at": at})
        failed = StrategyFailed(f"strategy {name} failed: {kind}")
        return _best_so_far(session, "strategy_error", failed)
    if not outcome.candidates:
        failed = StrategyFailed(f"strategy {name} answered with nothing")
        return _best_so_far(session, "strategy_error", failed)
    stop = _stop(session, policy, outcome)
    return outcome if stop == outcome.stop else replace(outcome, stop=stop)


async def _ran(session: Session, policy: Policy) -> Outcome:
    for check in policy.checks:
        await check(session)
    outcome: Outcome = await policy.strategy.run(session, **policy.params)
    return outcome


def _stop(session: Session, policy: Policy, outcome: Outcome) -> str:
    """Why sampling stopped: the strategy's own word, unless time or budget had the last one."""
    if outcome.stop != "complete":
        return outcome.stop
    if "deadline" in session.notes:
        return "deadline"
    fewer = session.begun < policy.asked and _is_spent(session.budget)
    cut = session.shortened and any(c.finish_reason == "length" for c in outcome.candidates)
    return "budget" if fewer or cut else "complete"


def _is_spent(left: Budget) -> bool:
    return 0 in (left.samples, left.tokens)


def _best_so_far(session: Session, stop: str, error: GatewayError) -> Outcome:
    """The best of what was drawn, by the scores that are known; `error` where nothing was."""
    if not session.candidates or session.relayed:
        raise error
    scores = [session.scores.get(c.id, UNJUDGED) for c in session.candidates]
    outcome = selection.ranked(session.candidates, scores, stop=stop)
    return outcome if stop in ("budget", "deadline") else outcome.with_degraded(stop)


def _enough(outcome: Outcome, choices: int) -> Outcome:
    return outcome if len(outcome.candidates) >= choices else outcome.with_degraded("choices")


def _are_sampled(outcome: Outcome, session: Session) -> bool:
    known = {candidate.id for candidate in session.candidates}
    return all(candidate.id in known for candidate in outcome.candidates)


def _map(seen: Sequence[Signals], known: Calibration, model: str, policy: Policy) -> Map | None:
    """What was fitted to answers that came about as this one did, if anything was."""
    if not known.maps or not seen:
        return None
    return known.best(model, policy.route, seen[0].numbers)


def _confidence(fitted: Map | None, seen: Sequence[Signals]) -> float | None:
    return None if fitted is None else fitted.probability(seen[0].numbers[fitted.verifier])


def _abstained(outcome: Outcome, least: float, *, relayed: bool) -> Outcome:
    sure = outcome.confidence if outcome.confidence is not None else outcome.support
    if sure is None or relayed:
        return outcome.with_degraded("abstain")
    return replace(outcome, stop="abstained") if sure < least else outcome
