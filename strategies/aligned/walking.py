"""By tries that the server keeps: exactly (CARS) or nearer with every sample (ASAp)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

from gateway import Candidate, UpstreamError, UpstreamRejected
from gateway.grammar.checking import SECONDS, satisfied
from strategies.aligned.parts import Drawn

ATTEMPTS = 32
"""Most samples begun for one exact candidate. By then the grammar is so unlike the model that the
next best is taken."""
WAVE = 4
"""At most so many times the missing candidates are drawn side by side."""


async def asap(drawing: Drawn, n: int) -> list[Candidate]:
    """Up to `n`, by bounds that every sample sharpens."""
    return await _accepted(drawing, await _sampled(drawing, n, "asap"))


async def cars(drawing: Drawn, n: int) -> list[Candidate]:
    """Up to `n` exact ones, in waves; where none came of many attempts, or of all that the budget
    allows but one, one by ASAp, marked `approximate`."""
    done: list[Candidate] = []
    begun = 0
    while len(done) < n and begun < ATTEMPTS * n:
        missing = n - len(done)
        rate = (len(done) or 0.5) / begun if begun else 1.0
        size = min(math.ceil(missing / rate), WAVE * missing, ATTEMPTS * n - begun)
        left = drawing.session.budget.samples
        if not done and left is not None:
            size = min(size, left - 1)
        size = drawing.session.affordable(size)
        if size < 1:
            break
        try:
            drawn = await _sampled(drawing, size, "cars")
        except UpstreamRejected:
            raise
        except UpstreamError:
            if not done:
                raise
            drawing.session.degrade("partial")
            break
        begun += size
        done += await _accepted(drawing, drawn)
    drawing.evidence |= {"begun": drawing.evidence.get("begun", 0) + begun}
    if done or not drawing.session.affordable(1):
        return done[:n]
    drawing.session.degrade("approximate")
    return await asap(drawing, 1)


async def _sampled(drawing: Drawn, n: int, method: Literal["asap", "cars"]) -> list[Candidate]:
    salt = drawing.session.request.fields.get("cache_salt")
    session = salt if isinstance(salt, str) else ""
    return await drawing.session.sample(
        n,
        top_p=1.0,
        top_k=0,
        min_p=0.0,
        its_aligned={"method": method, "session": session},
    )


async def _accepted(drawing: Drawn, drawn: Sequence[Candidate]) -> list[Candidate]:
    """Those that are whole and in the grammar: a sample that was given up is not."""
    done = drawing.whole(drawn)
    if not done or drawing.constraint is None:
        return done
    texts = [candidate.text for candidate in done]
    try:
        sound = await drawing.session.compute(satisfied, drawing.constraint, texts, seconds=SECONDS)
    except TimeoutError:
        return []
    return [candidate for candidate, ok in zip(done, sound, strict=True) if ok]
