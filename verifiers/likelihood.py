"""How sure the model was of its own words."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import Field

from gateway import Candidate, Score, Session, verifier

FLOOR = -30.0
"""Log-probabilities below count as this: servers write -9999 or -inf for "never"."""

Measure = Literal["mean_logprob", "self_certainty"]


@verifier(needs=("logprobs",))
async def likelihood(
    session: Session,
    candidates: Sequence[Candidate],
    *,
    measure: Annotated[
        Measure,
        Field(
            description="`mean_logprob`: mean log-probability of the sampled tokens, in nats. "
            "`self_certainty`: mean distance of the top tokens' distribution from uniform, in "
            "nats; needs `top_logprobs` of 2 or more."
        ),
    ] = "mean_logprob",
) -> list[Score]:
    """Score a candidate by the probabilities that the model gave to its tokens.

    Self-certainty is KL(uniform ‖ p) = -1/(nV) ΣΣ log(V·p), a mean over the n tokens and the
    vocabulary V (Kang et al., arXiv 2502.18581). Servers return only the k most likely tokens, so
    here V is those k, with p renormalised over them: values compare between candidates of the same
    k only, and are smaller than the paper's. NaN without log-probabilities.
    """
    of_token = _logprob if measure == "mean_logprob" else _certainty
    return [_mean(of_token(token) for token in _tokens(candidate)) for candidate in candidates]


def _tokens(candidate: Candidate) -> Iterable[Mapping[str, Any]]:
    content = (candidate.logprobs or {}).get("content")
    return [t for t in content if isinstance(t, Mapping)] if isinstance(content, list) else []


def _mean(values: Iterable[float | None]) -> Score:
    known = [value for value in values if value is not None]
    if not known:
        return Score(math.nan, reason="no log-probabilities")
    return Score(math.fsum(known) / len(known))


def _logprob(token: Mapping[str, Any]) -> float | None:
    value = token.get("logprob")
    if not isinstance(value, int | float) or math.isnan(value):
        return None
    return max(float(value), FLOOR)


def _certainty(token: Mapping[str, Any]) -> float | None:
    top = token.get("top_logprobs")
    entries = [t for t in top if isinstance(t, Mapping)] if isinstance(top, list) else []
    logs = [value for value in map(_logprob, entries) if value is not None]
    if len(logs) < 2:
        return None
    most = max(logs)
    total = most + math.log(math.fsum(math.exp(value - most) for value in logs))
    return total - math.log(len(logs)) - math.fsum(logs) / len(logs)
