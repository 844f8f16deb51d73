"""What is compared: the strategy's choices at five candidates, and curves to compare tokens on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway.wishes import Wishes

FIVE = 5
SIZES = (2, 3, 4, 5, 6, 8, 10)
"""Candidates of the curves of agreement and MBR without evidence."""
ONE, GREEDY, AGREEMENT, AUTO = "one sample", "greedy", "agreement", "auto"


def of_ours(n: int, **params: Any) -> Wishes:
    return Wishes(strategy="multilingual", budget=None, params={"n": n, **params})


def at(name: str, n: int) -> str:
    """The name of a curve's point."""
    return name if n == FIVE else f"{name}, n={n}"


CURVES: Mapping[str, Mapping[str, Any]] = {
    AGREEMENT: {"select": "agreement"},
    "MBR by chrF": {"select": "mbr", "utility": "chrf"},
    "MBR by embedding": {"select": "mbr", "utility": "embedding"},
}
EVIDENCE: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "agreement, evidence asked for": (AGREEMENT, {"select": "x_mbr", "utility": "answer"}),
    "agreement, evidence of a perfect translation": (
        AGREEMENT,
        {"select": "x_mbr", "utility": "answer", "evidence_by": "translation"},
    ),
    "X-MBR by chrF, evidence of a perfect translation": (
        "MBR by chrF",
        {"select": "x_mbr", "utility": "chrf", "evidence_by": "translation"},
    ),
    "X-MBR by embedding, evidence asked for": (
        "MBR by embedding",
        {"select": "x_mbr", "utility": "embedding"},
    ),
    "X-MBR by embedding, evidence of a perfect translation": (
        "MBR by embedding",
        {"select": "x_mbr", "utility": "embedding", "evidence_by": "translation"},
    ),
}
"""Policies with evidence, each with the curve without it that it is to beat."""


def policies() -> dict[str, Wishes]:
    """By name, in the order of the report."""
    single = {"verifier": "agreement"}
    return {
        ONE: Wishes(strategy="direct"),
        GREEDY: of_ours(1),
        "single temperature 1, agreement": Wishes(strategy="best_of_n", budget=FIVE, **single),
        "hedged at temperature 1 without min-p, agreement": of_ours(
            FIVE, select=AGREEMENT, temperature=1.0, min_p=0.0
        ),
        AUTO: of_ours(FIVE),
        "likelihood": of_ours(FIVE, select="likelihood"),
        "reward": of_ours(FIVE, select="reward"),
        **{
            at(name, n): of_ours(n, **params)
            for name, params in CURVES.items()
            for n in (SIZES if name == AGREEMENT else (3, FIVE, 8))
        },
        **{name: of_ours(FIVE, **params) for name, (_, params) in EVIDENCE.items()},
    }
