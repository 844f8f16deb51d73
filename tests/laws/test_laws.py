"""Every registered strategy and verifier keeps the laws; a new file is tested by being there."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.laws import STRATEGY_LAWS, VERIFIER_LAWS
from gateway.registry import Spec, load

STRATEGIES = load("strategy", "strategies", "its_gateway.strategies")
VERIFIERS = load("verifier", "verifiers", "its_gateway.verifiers")


@pytest.mark.parametrize("law", STRATEGY_LAWS, ids=lambda law: law.__name__)
@pytest.mark.parametrize("spec", STRATEGIES.specs(), ids=lambda spec: spec.name)
async def test_strategy(spec: Spec, law: Any) -> None:
    await law(spec, VERIFIERS)


@pytest.mark.parametrize("law", VERIFIER_LAWS, ids=lambda law: law.__name__)
@pytest.mark.parametrize("spec", VERIFIERS.specs(), ids=lambda spec: spec.name)
async def test_verifier(spec: Spec, law: Any) -> None:
    await law(spec, VERIFIERS)
