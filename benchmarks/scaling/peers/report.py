"""The page about peers, in Markdown (pure)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from benchmarks.evaluation.bootstrap import Resamples
from benchmarks.evaluation.tables import amount, percent, table
from benchmarks.scaling.comparing import RESAMPLES, row
from benchmarks.scaling.equal import Against, Measured, against
from benchmarks.scaling.peers.measuring import Told
from benchmarks.scaling.verdicts import verdict

HEAD = """\
# Peers on the same bed

<!-- Written by `python -m benchmarks.scaling.peers`; run that instead of editing. -->

Other gateways of the kind and ours, each in front of the same upstream: a gateway that serves the
demo's model. Completion tokens are counted there, by the upstream's own metrics before and after
each problem; what a server reports itself stands beside. Each peer is compared with our `agreement`
where that spends as much, its curve being measured at 1, 2, 4, 8, 16 and 32 samples and
interpolated as in [the report](report.md); intervals are 95%, paired over problems. A failed
request is a wrong answer. No peer passes a seed on, so that their figures do not repeat exactly.
"""


@dataclass
class Page:
    """What was found; keys of `peers`, `missing` and `findings` are a server's name and version.

    `ours` is our curve, one sample first; `also` are further policies of ours, off the curve.
    """

    facts: Sequence[str] = ()
    ours: Mapping[str, Told] = field(default_factory=dict)
    also: Mapping[str, Told] = field(default_factory=dict)
    peers: dict[str, tuple[Mapping[str, Told], Sequence[str]]] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    findings: Mapping[str, Mapping[str, Sequence[str]]] = field(default_factory=dict)


def written(page: Page, seed: int) -> str:
    """The whole page."""
    lines = [HEAD, *(f"- {fact}" for fact in page.facts)]
    lines += [f"- **left out**: {name}: {why}" for name, why in page.missing.items()]
    found = {name: told for each, _ in page.peers.values() for name, told in each.items()}
    curve = [told.measured for told in page.ours.values()]
    resamples = Resamples(len(curve[0].right), seed, RESAMPLES)
    compared = {
        name: against(told.measured, "its-gateway agreement", curve, resamples)
        for name, told in found.items()
    }
    lines += [
        "",
        _table({**page.ours, **page.also, **found}, compared, curve[0], resamples),
        "",
        "## In words",
        "",
    ]
    lines += [f"- `{name}` {verdict([each])}" for name, each in compared.items()]
    for name, (each, remarks) in page.peers.items():
        lines += ["", f"## {name}", "", *(f"- {remark}" for remark in remarks)]
        lines += [
            f"- `{policy}` failed {count} times: {error}"
            for policy, told in each.items()
            for error, count in told.errors.items()
        ]
    lines += ["", "## What is passed on, and what becomes of an upstream's faults", ""]
    for said in page.findings.values():
        lines += [f"- `{policy}`: {each}" for policy, all_ in said.items() for each in all_]
    return "\n".join(lines).rstrip() + "\n"


def _table(
    policies: Mapping[str, Told],
    compared: Mapping[str, Against],
    one: Measured,
    resamples: Resamples,
) -> str:
    rows = []
    for name, told in policies.items():
        figures = row(told.measured, one, resamples)
        each = compared.get(name)
        rows.append(
            [
                f"`{name}`",
                percent(figures.accuracy.json()),
                amount(figures.tokens.json()),
                f"{told.tokens_told:,.0f}",
                f"{figures.samples:.1f} in {told.calls:.1f}",
                f"{figures.seconds:.2f}",
                str(figures.failed),
                "" if each is None else percent(each.difference.json(), signed=True),
            ]
        )
    header = ["policy", "accuracy", "tokens upstream", "tokens it reports", "samples in calls",
              "seconds", "failed", "− ours at equal tokens"]  # fmt: skip
    return table(header, rows)
