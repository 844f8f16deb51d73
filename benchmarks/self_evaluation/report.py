"""The report, in Markdown (pure)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.evaluation.bootstrap import Resamples
from benchmarks.evaluation.coverage import Floats
from benchmarks.evaluation.tables import amount, percent, table
from benchmarks.scaling.equal import Measured, against
from benchmarks.self_evaluation.bound import perfect
from benchmarks.self_evaluation.found import Confirmed, Found
from benchmarks.self_evaluation.plans import AT_ONCE, CHOICES, ONE, PRUNED, Family
from benchmarks.self_evaluation.replayed import MOST
from benchmarks.self_evaluation.shares import Kept, kept

RESAMPLES = 2000
HEAD = """\
# Self-evaluation on the demo's model

<!-- Written by `python -m benchmarks.self_evaluation`; run that instead of editing. -->

Rule `self_evaluation` of strategy `adaptive` (arXiv 2410.02725). Candidates are drawn through the
gateway, completion tokens as the upstream counts them, judgements included; rules that stop early
are replayed on the {most} annealed ones, which is exact (last table but one). Brackets are 95%
percentile intervals of a paired bootstrap over problems. The right answer never left the client.
"""
UTILITY = "utility"


@dataclass(frozen=True)
class Told:
    """All that is reported: figures, the policies of each way to stop, each policy's rule, and what
    the gateway did beside the replay."""

    found: Found
    families: Sequence[Family]
    rules: Mapping[str, str]
    checked: Sequence[Confirmed]


def written(told: Told, checkpoint: int, seed: int, facts: Sequence[str]) -> str:
    """The whole page."""
    found, policies = told.found, told.found.policies
    resamples = Resamples(len(found.first), seed, RESAMPLES)
    lines = [
        HEAD.format(most=MOST),
        *(f"- {fact}" for fact in facts),
        "",
        *_signal(found),
        *_kept(told, policies[ONE].right, resamples, "one plain sample"),
        *_kept(told, found.first, resamples, "its own first, greedy one"),
        *(line for choose in CHOICES for line in _utility(told, choose, resamples)),
        *_pruning(policies, checkpoint, resamples),
        *_checked(told.checked),
        "## All policies",
        "",
        _all(told, resamples),
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


def _kept(told: Told, base: Floats, resamples: Resamples, named: str) -> list[str]:
    found = told.found
    lines = [
        f"## Share kept of the gain of {MOST} samples over {named}",
        "",
        "The policy is the one that spends most within the limit, chosen by its cost alone. A "
        "perfect self-evaluation knows which of these candidates are right and how often each "
        "problem is solved; its share is that of its own gain, with batches 1, 2, 4, 8.",
        "",
    ]
    header = ["rule", "samples ≤", "asked", "policy", "samples", "accuracy", "share kept", "met",
              "a perfect one keeps", "its accuracy"]  # fmt: skip
    for choose, title in CHOICES.items():
        own = [each for each in told.families if each.choose == choose]
        whole = found.policies[own[0].whole].right
        rows = kept(
            found.policies, {each.title: list(each.params) for each in own}, base=base, whole=whole,
            curve=perfect(found.drawn_right), resamples=resamples,
        )  # fmt: skip
        gain = percent(resamples.mean(whole - base).json(), signed=True)
        lines += [
            f"Answered by {title}: accuracy {base.mean():.1%} with {named}, {whole.mean():.1%} "
            f"with {MOST} annealed samples, a gain of {gain}.",
            "",
            table(header, [_kept_row(row) for row in rows]),
            "",
        ]
    return lines


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


def _utility(told: Told, choose: str, resamples: Resamples) -> list[str]:
    found = told.found.policies
    own = {each.title: each for each in told.families if each.choose == choose}
    curves = {
        title: [found[name] for name in (*each.params, each.whole)]
        for title, each in own.items()
        if title != UTILITY
    }
    rows, above = [], dict.fromkeys(curves, 0)
    for name in own[UTILITY].params:
        compared = [
            against(found[name], title, curve, resamples) for title, curve in curves.items()
        ]
        for each in compared:
            above[each.curve] += each.difference.value >= 0
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
    counted = "; ".join(f"{n} of {len(rows)} points ({title})" for title, n in above.items())
    return [
        f"## Utility against thresholds at equal tokens, answered by {CHOICES[choose]}",
        "",
        f"Not below the thresholds' curve: {counted}.",
        "",
        table(["policy", "accuracy", "tokens", *(f"− {title}" for title in curves)], rows),
        "",
        "\\* its tokens lie outside the curve, whose nearest end is taken.",
        "",
    ]


def _pruning(found: Mapping[str, Measured], checkpoint: int, resamples: Resamples) -> list[str]:
    whole = found[AT_ONCE]
    rows = []
    for name, share in PRUNED.items():
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


def _checked(checked: Sequence[Confirmed]) -> list[str]:
    """What the gateway did where it was asked what had been replayed."""
    rows = [
        [
            *(f"`{each.name}`", f"{each.problems}", f"{each.otherwise}"),
            *(f"{each.samples:.2f}", f"{each.replayed:.2f}"),
        ]
        for each in checked
    ]
    return [
        "## The same through the gateway",
        "",
        "Problems that took another number of samples, or were right in one way only, than in the "
        "replay.",
        "",
        table(["policy", "problems", "otherwise", "samples", "replayed"], rows),
        "",
    ]


def _all(told: Told, resamples: Resamples) -> str:
    return table(
        ["policy", "rule", "accuracy", "samples", "tokens", "failed"],
        [
            [
                f"`{name}`",
                f"`{told.rules[name]}`" if told.rules.get(name) else "",
                percent(resamples.mean(each.right).json()),
                f"{np.nanmean(each.samples):.2f}",
                amount(resamples.mean(each.tokens).json()),
                str(each.failed),
            ]
            for name, each in told.found.policies.items()
        ],
    )
