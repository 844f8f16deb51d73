"""Which policies are measured."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.evaluation.policies import DIRECT, Policy

MOST = 16
"""Samples of the paper's reference, and the cap of every rule."""
TAUS = (0.3, 0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.88, 0.9, 0.92, 0.94, 0.96, 0.97, 0.98, 0.99, 0.995)
PRICES = (40.0, 20.0, 10.0, 5.0, 3.0, 2.0, 1.2, 0.8, 0.5, 0.3, 0.15, 0.07, 0.03)
"""Of 1000 tokens, in units of the score."""
ONE, ALL, AT_ONCE = "direct", "annealed-16", "at-once-16"


@dataclass(frozen=True)
class Plans:
    """Names of policies by what they are for, and all policies by name.

    `doubling` are thresholds with batches 1, 2, 4, 8; `single` with one sample at a time; `utility`
    goes by prices; `pruned` keep a share of 16 that begin at once, by that share.
    """

    doubling: dict[str, float]
    single: dict[str, float]
    utility: dict[str, float]
    pruned: dict[str, float]
    policies: dict[str, Policy]


def plans(checkpoint: int, *, sparse: bool = False) -> Plans:
    """All policies; with `sparse`, a quarter of the thresholds and prices."""
    step = 4 if sparse else 1
    doubling = {f"threshold-{tau}": tau for tau in TAUS[::step]}
    single = {f"single-{tau}": tau for tau in TAUS[::step]}
    utility = {f"utility-{price}": price for price in PRICES[::step]}
    pruned = {f"pruned-{share}": share for share in (0.5, 0.25)}
    policies = {
        ONE: DIRECT,
        ALL: _rule("tau=1.0"),
        AT_ONCE: _rule(f"tau=0.0;first={MOST};anneal=?0"),
        **{name: _rule(f"tau={tau}") for name, tau in doubling.items()},
        **{name: _rule(f"tau={tau};growth=1") for name, tau in single.items()},
        **{name: _rule(f"mode=utility;token_price={p}") for name, p in utility.items()},
        **{
            name: _rule(f"tau=0.0;first={MOST};anneal=?0;keep={share};checkpoint={checkpoint}")
            for name, share in pruned.items()
        },
    }
    return Plans(doubling, single, utility, pruned, policies)


def _rule(params: str) -> Policy:
    return Policy(strategy="adaptive", budget=MOST, params={"rule": f"self_evaluation;{params}"})
