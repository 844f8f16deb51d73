"""The report, in Markdown (pure)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from benchmarks.evaluation.bootstrap import Resamples
from benchmarks.evaluation.coverage import Floats
from benchmarks.evaluation.tables import amount, percent, table
from benchmarks.scaling.equal import Measured, against
from benchmarks.self_evaluation.bound import perfect
from benchmarks.self_evaluation.found import Found
from benchmarks.self_evaluation.plans import ALL, AT_ONCE, MOST, ONE, Plans
from benchmarks.self_evaluation.shares import Kept, kept

RESAMPLES = 2000
HEAD = """\
# Self-evaluation on the demo's model

<!-- Written by `python -m benchmarks.self_evaluation`; run that instead of editing. -->

Rule `self_evaluation` of strategy `adaptive` (arXiv 2410.02725), every request through the gateway,
completion tokens as the upstream counts them, judgements included. Brackets are 95% percentile
intervals of a paired bootstrap over problems. The right answer never left the client.
"""


def written(found: Found, planned: Plans, checkpoint: int, seed: int, facts: Sequence[str]) -> str:
    """The whole page."""
    policies = found.policies
    resamples = Resamples(len(found.first), seed, RESAMPLES)
    lines = [
        HEAD,
        *(f"- {fact}" for fact in facts),
        "",
        *_signal(found),
        *_kept(found, planned, policies[ONE].right, resamples, "one plain sample"),
        *_kept(found, planned, found.first, resamples, "its own first, greedy one"),
        *_utility(policies, planned, resamples),
        *_pruning(policies, planned, checkpoint, resamples),
        "## All policies",
        "",
        _all(found, planned, resamples),
        "",
    ]
    return "\n".join(lines)


def _signal(found: Found) -> list[str]:
    """How well the scores tell, over all candidates and among those of one problem."""
    return [
        "## The scores themselves",
        "",
        f"AUROC of right against wrong among {MOST} annealed candidates: {found.overall:.3f} over "
        f"all, {found.within:.3f} among those of one problem, on average. Only the second can "
        "choose an answer; the first tells hard problems from easy ones.",
        "",
    ]


def _kept(
    found: Found, planned: Plans, base: Floats, resamples: Resamples, named: str
) -> list[str]:
    whole = found.policies[ALL].right
    families = {
        "threshold, batches 1, 2, 4, 8": planned.doubling,
        "threshold, one at a time": planned.single,
        "utility": planned.utility,
    }
    rows = kept(
        found.policies, families, base=base, whole=whole,
        curve=perfect(found.drawn_right), resamples=resamples,
    )  # fmt: skip
    gain = resamples.mean(whole - base)
    header = ["rule", "samples ≤", "asked", "policy", "samples", "accuracy", "share kept", "met",
              "a perfect one keeps", "its accuracy"]  # fmt: skip
    return [
        f"## Share kept of the gain of {MOST} samples over {named}",
        "",
        f"Accuracy {base.mean():.1%} with {named}, {whole.mean():.1%} with {MOST} annealed samples "
        f"chosen by self-evaluation: a gain of {percent(gain.json(), signed=True)}. The policy is "
        "the one that spends most within the limit, chosen by its cost alone. A perfect "
        "self-evaluation knows which of these candidates are right and how often each problem is "
        "solved; its share is that of its own gain, with batches 1, 2, 4, 8.",
        "",
        table(header, [_kept_row(row) for row in rows]),
        "",
    ]


def _kept_row(row: Kept) -> list[str]:
    if row.name is None:
        return [row.family, f"{row.limit}", f"{row.wanted:.2f}", "none", *["–"] * 3, "no",
                f"{row.bound:.2f}", f"{row.highest:.1%}"]  # fmt: skip
    share = amount(row.share.json(), digits=2)
    met = "yes" if row.share.value >= row.wanted else "no"
    return [
        *(row.family, f"{row.limit}", f"{row.wanted:.2f}", f"`{row.name}`", f"{row.samples:.2f}"),
        *(f"{row.accuracy:.1%}", share, met, f"{row.bound:.2f}", f"{row.highest:.1%}"),
    ]


def _utility(found: Mapping[str, Measured], planned: Plans, resamples: Resamples) -> list[str]:
    curves = {
        "batches 1, 2, 4, 8": [found[name] for name in planned.doubling],
        "one at a time": [found[name] for name in planned.single],
    }
    rows = []
    for name in planned.utility:
        compared = [
            against(found[name], title, curve, resamples) for title, curve in curves.items()
        ]
        rows.append(
            [
                f"`{name}`",
                percent(resamples.mean(found[name].right).json()),
                amount(resamples.mean(found[name].tokens).json()),
                *(
                    percent(each.difference.json(), signed=True)
                    + ("" if each.place == "within" else " *")
                    for each in compared
                ),
            ]
        )
    return [
        "## Utility against thresholds at equal tokens",
        "",
        table(["policy", "accuracy", "tokens", *(f"− threshold, {each}" for each in curves)], rows),
        "",
        "\\* its tokens lie outside the curve, whose nearest end is taken.",
        "",
    ]


def _pruning(
    found: Mapping[str, Measured], planned: Plans, checkpoint: int, resamples: Resamples
) -> list[str]:
    whole = found[AT_ONCE]
    rows = []
    for name, share in planned.pruned.items():
        lost = resamples.mean(found[name].right - whole.right)
        most = 0.01 if share == 0.5 else 0.02
        rows.append(
            [
                f"{1 - share:.0%}",
                percent(resamples.mean(found[name].right).json()),
                percent(lost.json(), signed=True),
                f"{-most:.0%}",
                "yes" if lost.value >= -most else "no",
                percent(resamples.ratio(found[name].tokens, whole.tokens).json()),
            ]
        )
    header = ["pruned", "accuracy", "− unpruned", "at worst", "met", "tokens of unpruned"]
    return [
        f"## Pruning {MOST} samples at {checkpoint} tokens",
        "",
        f"Unpruned: {percent(resamples.mean(whole.right).json())} with "
        f"{amount(resamples.mean(whole.tokens).json())} tokens. Candidates write on while they are "
        "judged, so what is saved depends on how fast a judgement is beside a token. The embedded "
        "model reads its judgements off and writes no token for them.",
        "",
        table(header, rows),
        "",
    ]


def _all(found: Found, planned: Plans, resamples: Resamples) -> str:
    rules = {
        name: str((each.params or {}).get("rule", "")) for name, each in planned.policies.items()
    }
    return table(
        ["policy", "rule", "accuracy", "samples", "tokens", "failed"],
        [
            [
                f"`{name}`",
                f"`{rules.get(name, '')}`" if rules.get(name) else "",
                percent(resamples.mean(each.right).json()),
                f"{np.nanmean(each.samples):.2f}",
                amount(resamples.mean(each.tokens).json()),
                str(each.failed),
            ]
            for name, each in found.policies.items()
        ],
    )
