"""DeepConf online (arXiv 2508.15260): unsure traces are killed, the rest vote by confidence."""

from __future__ import annotations

import math
from collections import defaultdict, deque
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import Field

from gateway import Sampling, Score, rule, selection
from strategies.rules.base import Draw, Next, Rule, Seen, Setting, Stop
from strategies.rules.watching import Watch

LARGEST = 50.0
"""Nats of surprise beyond which an alternative is no more than impossible."""


@rule
def deepconf(
    setting: Setting,
    *,
    warm_up: Annotated[
        int, Field(ge=1, le=1024, description="Candidates that are read whole at first.")
    ] = 16,
    keep: Annotated[
        float,
        Field(
            gt=0,
            lt=1,
            description="Share of the warm-up whose confidence passes: .1 in the "
            "paper's `low`, .9 in its `high`.",
        ),
    ] = 0.9,
    window: Annotated[
        int, Field(ge=1, le=65536, description="Tokens over which confidence is averaged.")
    ] = 2048,
    top: Annotated[
        int, Field(ge=1, le=20, description="Likeliest tokens whose log-probabilities count.")
    ] = 20,
    consensus: Annotated[
        float, Field(gt=0.5, le=1, description="Share of the votes' weight at which it stops.")
    ] = 0.95,
    batch: Annotated[int, Field(ge=1, le=64, description="Candidates of a later round.")] = 4,
) -> Rule:
    """Kill a candidate once a window of its tokens is less confident than the warm-up's percentile.

    A token's confidence is minus the mean log-probability of its `top` likeliest; a candidate's is
    its least confident window's. Candidates that end vote, each with its confidence as weight.
    """  # fmt: skip
    return _DeepConf(min(warm_up, setting.n), keep, window, top, consensus, batch)


class _DeepConf(Rule):
    def __init__(
        self, warm_up: int, keep: float, window: int, top: int, consensus: float, batch: int
    ):
        self._warm_up = warm_up
        self._keep = keep
        self._window = window
        self._top = top
        self._consensus = consensus
        self._batch = batch
        self._bar: float | None = None
        self._weights: list[float] = []
        self._share = 0.0

    def ask(self) -> Next:
        sampling = Sampling(logprobs=True, top_logprobs=self._top)
        if self._bar is None:
            return Draw(self._warm_up - len(self._weights), sampling)
        if self._share >= self._consensus:
            return Stop("agreed", {"consensus": self._share, "confidence_bar": self._bar})
        return Draw(self._batch, sampling, Killing(self._bar, self._window, self._top))

    def tell(self, seen: Sequence[Seen]) -> None:
        self._weights = [lowest(each.logprobs, self._window, self._top) for each in seen]
        if self._bar is None and len(seen) >= self._warm_up:
            self._bar = percentile(self._weights, 1.0 - self._keep)
        self._share = consensus([each.key for each in seen], self._weights)

    def scores(self, scores: Sequence[Score]) -> Sequence[Score]:
        weights = [Score(weight) for weight in self._weights]
        return selection.weighted(scores, weights) if len(weights) == len(scores) else scores


class Killing(Watch):
    """Stops a candidate whose last `window` tokens' mean confidence is below `bar`."""

    def __init__(self, bar: float, window: int, top: int):
        self._bar = bar
        self._windows: dict[int, Window] = defaultdict(lambda: Window(window, top))

    def hear(self, index: int, logprobs: Sequence[Mapping[str, Any]]) -> bool:
        window = self._windows[index]
        window.push(logprobs)
        return window.lowest < self._bar


class Window:
    """The least mean confidence of `size` tokens in a row, of those pushed so far."""

    def __init__(self, size: int, top: int):
        self._size = size
        self._top = top
        self._last: deque[float] = deque()
        self._sum = 0.0
        self._filled = math.inf

    @property
    def lowest(self) -> float:
        """Infinite before a first window is full: short texts are not killed for being short."""
        return self._filled

    @property
    def overall(self) -> float:
        """`lowest`, or the mean of all tokens where they fill no window; NaN without any."""
        if math.isfinite(self._filled):
            return self._filled
        return self._sum / len(self._last) if self._last else math.nan

    def push(self, logprobs: Sequence[Mapping[str, Any]]) -> None:
        """Add tokens as OpenAI's entries; one without alternatives counts as itself alone."""
        for entry in logprobs:
            told = entry.get("top_logprobs") or [entry]
            likeliest = sorted((each["logprob"] for each in told), reverse=True)[: self._top]
            # A server tells of tokens that a grammar forbids as of -9999 or less.
            confidence = math.fsum(min(-each, LARGEST) for each in likeliest) / len(likeliest)
            self._last.append(confidence)
            self._sum += confidence
            if len(self._last) > self._size:
                self._sum -= self._last.popleft()
            if len(self._last) == self._size:
                self._filled = min(self._filled, self._sum / self._size)


def lowest(logprobs: Sequence[Mapping[str, Any]], window: int, top: int) -> float:
    """A whole candidate's confidence; NaN where its tokens have no log-probabilities."""
    whole = Window(window, top)
    whole.push(logprobs)
    return whole.overall


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which `share` of the known ones lie, interpolated; -inf without any."""
    known = sorted(value for value in values if not math.isnan(value))
    if not known:
        return -math.inf
    place = share * (len(known) - 1)
    low = math.floor(place)
    high = min(low + 1, len(known) - 1)
    return known[low] + (place - low) * (known[high] - known[low])


def consensus(keys: Sequence[str | None], weights: Sequence[float]) -> float:
    """The heaviest class's share, in [0, 1], of all weights; candidates without a class have none.

    A weight that is NaN or negative counts as 0; where none is left, each candidate counts the
    same.
    """
    votes = [Score(1.0, key=key) if key is not None else Score(math.nan) for key in keys]
    shares = selection.weighted(votes, [Score(weight) for weight in weights])
    return max((share.value for share in shares if share.judged), default=0.0)
