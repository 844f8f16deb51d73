"""How hard a prompt is, known before it is asked (MoPPS, Beta posteriors per prompt and cell)."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gateway import GatewayError, Outcome, Score, Session
from strategies import cells

EMBED = "embed"
"""The role of a model that embeds prompts; without one, their n-grams are sketched."""
DECAY = 0.98
"""What past trials weigh after each new request: models and traffic change."""
OF_CELL = 4.0
"""Most trials that the cell's evidence counts for beside the prompt's own."""


@dataclass(frozen=True, slots=True)
class Chance:
    """A Beta distribution of the chance that one candidate is right."""

    alpha: float = 1.0
    beta: float = 1.0

    @classmethod
    def known(cls, prompt: Mapping[str, float], cell: Mapping[str, float]) -> Chance:
        """From the sums `right` and `tried` of a prompt, and of all those in its cell.

        The sums decay, and the start of Beta(1, 1) stands: α ← λα + (1 - λ) + right, β likewise.
        """
        right, tried = _counted(cell)
        share = min(1.0, OF_CELL / tried) if tried else 0.0
        alpha, wrong = 1.0 + share * right, 1.0 + share * (tried - right)
        right, tried = _counted(prompt)
        return cls(alpha + right, wrong + tried - right)

    def draw(self, rng: random.Random) -> float:
        """A chance, in (0, 1)."""
        return rng.betavariate(self.alpha, self.beta)


def _counted(sums: Mapping[str, float]) -> tuple[float, float]:
    tried = max(0.0, sums.get("tried", 0.0))
    return min(tried, max(0.0, sums.get("right", 0.0))), tried


def first_batch(chance: float, target: float, most: int) -> int:
    """How many candidates hold a right one with probability `target`, from 1 to `most`."""
    if chance >= target:
        return 1
    if chance <= 0.0:
        return most
    return max(1, min(most, math.ceil(math.log1p(-target) / math.log1p(-chance) - 1e-9)))


def successes(scores: Sequence[Score], best: Score) -> tuple[float, int]:
    """How many of the candidates are taken to be right, and of how many.

    By verdicts where there are any; else by sharing the answer's class; else by scores that are
    probabilities. Every candidate counts that was judged, however the rule came to stop.
    """
    verdicts = [score.passed for score in scores if score.passed is not None]
    if verdicts:
        return float(sum(verdicts)), len(verdicts)
    if best.key is not None:
        return float(sum(score.key == best.key for score in scores)), len(scores)
    values = [score.value for score in scores if score.judged and 0.0 <= score.value <= 1.0]
    return math.fsum(values), len(values)


@dataclass(frozen=True, slots=True)
class Beginning:
    """A first batch of `size`; `keys` of the states that learn what came of it."""

    session: Session
    size: int
    keys: tuple[str, ...] = ()

    async def learn(self, outcome: Outcome) -> None:
        """Add how many candidates were right, as far as is known, to what is known."""
        if not self.keys or not outcome.scores:
            return
        right, tried = successes(outcome.scores, outcome.scores[0])
        told = {"right": right, "tried": float(tried)}
        for key in self.keys if tried else ():
            await self.session.state.add(key, told, decay=DECAY)


async def beginning(session: Session, target: float | None, most: int) -> Beginning:
    """The first batch that holds a right candidate with the chance `target`, drawn from what is
    known (Thompson); as many as the client wants choices at least, and at most `most`.

    The prompt's cell is an embedding's where there is a model of that role.
    """
    least = min(most, session.request.choices)
    if target is None:
        return Beginning(session, least)
    prompt = cells.prompt_of(session.request.messages)
    model = session.request.model
    keys = (
        f"difficulty/{model}/prompt/{cells.named(prompt)}",
        f"difficulty/{model}/cell/{await _cell(session, prompt)}",
    )
    of_prompt, of_cell = [(await session.state.read(key)).values for key in keys]
    chance = Chance.known(of_prompt, of_cell).draw(session.rng)
    return Beginning(session, max(least, first_batch(chance, target, most)), keys)


async def _cell(session: Session, prompt: str) -> str:
    if session.assigned(EMBED) is None:
        return cells.sketched(prompt)
    try:
        [vector] = await session.embed([prompt[: cells.MOST]], model=EMBED)
    except GatewayError:
        session.degrade("difficulty")
        return cells.sketched(prompt)
    return cells.embedded(vector)
