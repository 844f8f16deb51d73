"""The most that a request may come to cost, before it has begun (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from gateway.accounts.desk import Booking, Costs
from gateway.calls import max_tokens_of
from gateway.policy import Policy
from gateway.types import Budget, Request

COMPLETION_TOKENS = 16
"""What `/v1/completions` writes where nothing is said."""


def costs_of(policy: Policy, request: Request, assumed: int) -> Costs:
    """What `policy` may spend on `request`; a sample that nothing limits is taken as `assumed`
    tokens long.

    A strategy that says how many samples it takes (`n`) is taken at its word, and one without
    parameters draws the choices.
    """
    most = policy.budget.samples
    scales = bool(policy.params) and "n" not in policy.params
    samples = policy.asked if most is None else most if scales else min(policy.asked, most)
    if policy.budget.tokens is not None:
        return Costs(1, samples, policy.budget.tokens)
    limit = max_tokens_of(request.fields)
    return Costs(1, samples, samples * (limit or assumed), assumed=limit is None)


def capped(policy: Policy, booking: Booking) -> Policy:
    """The policy, held to what was reserved for it of quotas that are limited."""
    budget = policy.budget
    samples, tokens = booking.limited("samples"), booking.limited("tokens")
    if not (samples or tokens):
        return policy
    most = Budget(
        booking.costs.samples if samples else budget.samples,
        booking.costs.tokens if tokens else budget.tokens,
        budget.seconds,
    )
    return replace(policy, budget=most)


def costs_of_relayed(path: str, body: Mapping[str, Any]) -> Costs:
    """The most that a body which is passed on may come to cost: nothing is known of its answer."""
    if not path.endswith("/completions"):
        return Costs(1)
    prompt = body.get("prompt")
    prompts = len(prompt) if isinstance(prompt, list) and not _is_ids(prompt) else 1
    samples = prompts * max(_number(body.get("n")), _number(body.get("best_of")), 1)
    return Costs(1, samples, samples * (_number(body.get("max_tokens")) or COMPLETION_TOKENS))


def _is_ids(prompt: list[Any]) -> bool:
    return bool(prompt) and isinstance(prompt[0], int)


def _number(value: Any) -> int:
    return value if isinstance(value, int) and value > 0 else 0
