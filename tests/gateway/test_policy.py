"""Header over body over preset over default; the operator's caps over all."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.errors import InvalidRequest
from gateway.policy import Caps, Policy, Rules
from gateway.registry import load
from gateway.types import Budget
from gateway.wishes import BodyWishes, Wishes

STRATEGIES = load("strategy", "strategies", "its_gateway.strategies")
VERIFIERS = load("verifier", "verifiers", "its_gateway.verifiers")


def resolve(
    headers: dict[str, str] | None = None,
    body: dict[str, Any] | None = None,
    alias: str | None = None,
    choices: int = 1,
    **rules: Any,
) -> Policy:
    made = Rules(STRATEGIES, VERIFIERS, **rules)
    lower = {name.lower(): value for name, value in (headers or {}).items()}
    return made.resolve(lower, BodyWishes(**(body or {})), alias, choices)


PRESETS = {"careful": Wishes(strategy="best_of_n", budget=6, verifier="math")}


def test_nothing_said_is_direct() -> None:
    policy = resolve()
    assert policy.strategy.name == "direct"
    assert policy.budget == Budget(samples=128)


@pytest.mark.parametrize(
    ("headers", "body", "alias", "n"),
    [
        ({"X-ITS-Budget": "3"}, {"budget": 4}, "careful", 3),
        ({}, {"budget": 4}, "careful", 4),
        ({}, {}, "careful", 6),
        ({}, {}, None, 9),
        ({"X-ITS-Params": "n=2"}, {"params": {"n": 5}}, "careful", 2),
        ({"X-ITS-Budget": "3", "X-ITS-Params": "n=2"}, {}, None, 2),
    ],
)
def test_precedence(headers: dict[str, str], body: Any, alias: str | None, n: int) -> None:
    default = Wishes(strategy="best_of_n", budget=9)
    policy = resolve(headers, body, alias, presets=PRESETS, default=default)
    assert policy.strategy.name == "best_of_n"
    assert policy.params["n"] == n


def test_a_budget_or_a_verifier_alone_implies_repeated_sampling() -> None:
    assert resolve({"X-ITS-Budget": "8"}).params["n"] == 8
    assert resolve({"X-ITS-Verifier": "math"}).strategy.name == "best_of_n"
    assert resolve({"X-ITS-Budget": "1"}).strategy.name == "direct"


def test_algorithm_is_an_alias_of_strategy() -> None:
    assert resolve({"X-ITS-Algorithm": "best_of_n"}).strategy.name == "best_of_n"


def test_a_strategy_header_can_name_a_preset_or_override_one() -> None:
    named = resolve({"X-ITS-Strategy": "careful"}, presets=PRESETS)
    assert (named.strategy.name, named.params["verifier"]) == ("best_of_n", "math")
    plain = resolve({"X-ITS-Strategy": "direct"}, alias="careful", presets=PRESETS)
    assert plain.strategy.name == "direct"
    assert plain.budget.samples == 128, "the preset's budget was meant for its own strategy"


def test_params_of_header_and_body_are_merged_by_name() -> None:
    policy = resolve(
        {"X-ITS-Params": "early_exit"},
        {"strategy": "best_of_n", "verifier": "math;seconds=1.5", "params": {"n": 5}},
    )
    assert policy.params["early_exit"] is True
    assert policy.params["n"] == 5
    assert policy.params["verifier"] == "math;seconds=1.5"


def test_budget_tokens_and_deadline() -> None:
    policy = resolve({"X-ITS-Max-Tokens": "500", "X-ITS-Deadline-Ms": "1500"})
    assert policy.budget == Budget(samples=128, tokens=500, seconds=1.5)


def test_what_a_verifier_needs_is_asked_of_the_candidates() -> None:
    assert resolve({"X-ITS-Verifier": "likelihood"}).needs == ("logprobs",)
    weighed = resolve(body={"strategy": "best_of_n", "params": {"weigh_by": "likelihood"}})
    assert weighed.needs == ("logprobs",)
    assert resolve().needs == ()


@pytest.mark.parametrize(
    ("headers", "body", "param"),
    [
        ({"X-ITS-Budget": "17"}, {}, "X-ITS-Budget"),
        ({}, {"budget": 17}, "its.budget"),
        ({"X-ITS-Max-Tokens": "1001"}, {}, "X-ITS-Max-Tokens"),
        ({"X-ITS-Deadline-Ms": "2001"}, {}, "X-ITS-Deadline-Ms"),
        ({"X-ITS-Params": "n=17", "X-ITS-Strategy": "best_of_n"}, {}, "X-ITS-Params.n"),
    ],
)
def test_caps(headers: dict[str, str], body: Any, param: str) -> None:
    caps = Caps(samples=16, tokens=1000, deadline_ms=2000)
    with pytest.raises(InvalidRequest) as refused:
        resolve(headers, body, caps=caps)
    assert refused.value.param == param
    assert "cap" in refused.value.message
    assert resolve(caps=caps).budget == Budget(16, 1000, 2.0), "caps hold where nothing is said"


def test_more_choices_than_a_strategys_n_raise_it() -> None:
    assert resolve({"X-ITS-Strategy": "best_of_n"}, choices=20).params["n"] == 20


def test_a_weight_that_is_no_verifier_is_refused() -> None:
    with pytest.raises(InvalidRequest) as refused:
        resolve({"X-ITS-Strategy": "best_of_n", "X-ITS-Params": "weigh_by=oracle"})
    assert refused.value.param == "X-ITS-Params"
    assert "likelihood" in refused.value.message


def test_a_preset_is_a_whole_and_is_not_mixed_with_one_below() -> None:
    presets = {
        "vote": Wishes(strategy="best_of_n", budget=4, verifier="agreement"),
        "check": Wishes(
            strategy="best_of_n",
            verifier="math",
            params={"early_exit": True},
            deadline_ms=9000,
        ),
    }
    policy = resolve({"X-ITS-Strategy": "vote"}, alias="check", presets=presets)
    assert policy.params["verifier"] == "agreement"
    assert policy.params["early_exit"] is False
    assert policy.params["n"] == 4
    other = resolve({"X-ITS-Budget": "2"}, {"strategy": "check"}, "vote", presets=presets)
    assert (other.params["verifier"], other.params["n"]) == ("math", 2)
    assert other.budget.seconds == 9.0
