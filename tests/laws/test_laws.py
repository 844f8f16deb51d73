"""Every registered strategy and verifier keeps the laws; a new file is tested by being there."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.composition import appointed
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


def _combinations() -> list[str]:
    names = [spec.name for spec in VERIFIERS.specs()]
    gates = [spec.name for spec in VERIFIERS.specs() if spec.binary]
    return [
        *(f"all({name})" for name in names),
        *(f"weighted({name}:2)" for name in names),
        *(f"first({gate},{name})" for gate in gates[:1] for name in names),
        f"all({','.join(names[:8])})",
        f"weighted(all({names[0]},{names[-1]}):2,first({','.join([*gates[:2], names[0]])}):0.5)",
    ]


@pytest.mark.parametrize("law", VERIFIER_LAWS, ids=lambda law: law.__name__)
@pytest.mark.parametrize("text", _combinations())
async def test_combination(text: str, law: Any) -> None:
    await law(appointed(text, VERIFIERS)[0], VERIFIERS)
