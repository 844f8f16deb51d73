"""Over plain HTTP: masked samples of known probability, reweighted to the model's own.

The proposals are drawn at temperature 1 without truncation, so that the log-probabilities told with
them are those they were drawn by. A second call tells the model's own, without the grammar.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Sequence

from gateway import BudgetExhausted, Candidate, DeadlineExceeded, UpstreamError, grammar
from strategies.aligned.parts import Drawn

LEAST_SHARE = 0.1
LEAST = 2.0
"""Fewer effective samples than LEAST, or than that share of all, mean little: `low_ess`."""

Pick = Callable[[Drawn, list[float], int], list[int]]


async def snis(drawing: Drawn, n: int) -> list[Candidate]:
    """`n` of one set of proposals, resampled by their weights; one may come up several times."""
    return await _weighed(drawing, n, max(n, drawing.steps + 1), _resampled)


async def mcmc(drawing: Drawn, n: int) -> list[Candidate]:
    """Where `n` independence chains end, each offered proposals of its own (MCMC-Restart)."""
    return await _weighed(drawing, n, n * (drawing.steps + 1), _chained)


async def _weighed(drawing: Drawn, n: int, size: int, pick: Pick) -> list[Candidate]:
    session = drawing.session
    drawn = await session.sample(
        size,
        temperature=1.0,
        top_p=1.0,
        top_k=0,
        min_p=0.0,
        logprobs=True,
        return_token_ids=True,
    )
    offered = drawing.whole(drawn)
    if not offered:
        return []
    await session.progress(f"{len(offered)} proposals")
    weights = await _log_weights(drawing, offered)
    effective = grammar.effective(grammar.normalised(weights))
    drawing.evidence |= {"proposals": len(offered), "ess": round(effective, 2)}
    if not effective:
        session.degrade("unaligned")
        return offered[:n]
    if effective < max(LEAST, LEAST_SHARE * len(offered)):
        session.degrade("low_ess")
    return [offered[index] for index in pick(drawing, weights, min(n, len(offered)))]


def _resampled(drawing: Drawn, weights: list[float], n: int) -> list[int]:
    return grammar.resampled(grammar.normalised(weights), n, drawing.session.rng)


def _chained(drawing: Drawn, weights: list[float], n: int) -> list[int]:
    ends = []
    for first in range(n):
        own = range(first, len(weights), n)
        at = grammar.chain([weights[index] for index in own], drawing.session.rng)
        if at is not None:
            ends.append(own[at])
    return ends


async def _log_weights(drawing: Drawn, offered: Sequence[Candidate]) -> list[float]:
    """Target over proposal of each, in nats; NaN where it cannot be told. Equal answers are asked
    for once."""
    temperature = drawing.session.request.fields.get("temperature")
    if not isinstance(temperature, int | float):
        temperature = 1.0
    if temperature != 1.0 and not drawing.session.capabilities.all_logprobs:
        drawing.session.degrade("temperature")
        temperature = 1.0
    keys = [candidate.token_ids or (candidate.id,) for candidate in offered]
    firsts = dict(zip(reversed(keys), reversed(offered), strict=True))
    told = await asyncio.gather(*(_own(drawing, c, temperature) for c in firsts.values()))
    own = dict(zip(firsts, told, strict=True))
    return [_ratio(own[key], each) for key, each in zip(keys, offered, strict=True)]


async def _own(drawing: Drawn, candidate: Candidate, temperature: float) -> Sequence[float]:
    """The model's log-probabilities without the grammar; none where they cannot be told."""
    try:
        return await drawing.session.loglik(candidate, temperature=temperature)
    except (UpstreamError, BudgetExhausted, DeadlineExceeded):
        return ()


def _ratio(own: Sequence[float], candidate: Candidate) -> float:
    entries = (candidate.logprobs or {}).get("content") or ()
    if not own or len(own) != len(entries):
        return math.nan
    drawn = math.fsum(float(entry["logprob"]) for entry in entries)
    return math.fsum(own) - drawn
