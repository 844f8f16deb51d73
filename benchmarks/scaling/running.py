"""One bed, from the gateway's start to the comparison."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
from rich.console import Console

from benchmarks.demo.gateway_process import gateway
from benchmarks.evaluation import journal
from benchmarks.evaluation.client import Asking, Client
from benchmarks.evaluation.policies import Policy
from benchmarks.evaluation.problem import digest
from benchmarks.evaluation.running import Plan, carry_out, progress
from benchmarks.scaling.beds import Bed
from benchmarks.scaling.comparing import compare
from benchmarks.scaling.equal import Measured
from benchmarks.scaling.measured import measured
from benchmarks.scaling.plots import draw
from benchmarks.scaling.probing import refusals, useless
from benchmarks.scaling.report import Part
from benchmarks.scaling.table import baselines, point, strategies
from gateway.registry import Registry

PROBLEMS_PROBED = 24
FAILED = "every request failed"


@dataclass(frozen=True)
class How:
    """What all beds of a run have in common; `work` is the folder of journals."""

    work: Path
    out: Path
    seed: int
    concurrency: int
    quiet: bool


@dataclass(frozen=True)
class Found:
    """What can be run on a bed, and what cannot, with why."""

    verifiers: list[str]
    strategies: Mapping[str, Policy]
    useless: Mapping[str, str]
    refused: Mapping[str, str]


def run(bed: Bed, registries: tuple[Registry, Registry], how: How, console: Console) -> Part:
    """Everything about one bed; goes on with what lies in its journal."""
    started = time.monotonic()
    resumed = (how.work / bed.name).exists()
    log = how.work / f"{bed.name}.log"
    with gateway(["--port", "0", *bed.options], log) as base:
        found = asyncio.run(_ask(bed, registries, how, f"{base}/v1", console))
    told = measured(journal.read(how.work / bed.name))
    found = less_failed(found, told, bed.budgets)
    comparison = compare(
        told,
        strategies=list(found.strategies),
        verifiers=found.verifiers,
        budgets=bed.budgets,
        seed=how.seed,
    )
    facts = [
        f"model `{bed.model}`, {len(bed.problems)} problems"
        + (f", each {bed.repeats} times" if bed.repeats > 1 else ""),
        f"{time.monotonic() - started:.0f} seconds, {how.concurrency} problems at once"
        + (", going on with a run that had been ended" if resumed else ""),
    ]
    return Part(
        name=bed.name,
        title=bed.title,
        facts=facts,
        comparison=comparison,
        useless=found.useless,
        refused=found.refused,
        timed=bed.timed,
        plots=draw(comparison, how.out, bed.name, timed=bed.timed),
    )


def less_failed(found: Found, told: Mapping[str, Measured], budgets: Sequence[int]) -> Found:
    """`found` without that of which every request failed: there is nothing to compare."""
    gone = {name for name, each in told.items() if not np.isfinite(each.tokens).any()}
    verifiers = [v for v in found.verifiers if not gone & {point(v, n) for n in budgets}]
    return Found(
        verifiers=verifiers,
        strategies={name: each for name, each in found.strategies.items() if name not in gone},
        useless={**found.useless, **dict.fromkeys(set(found.verifiers) - set(verifiers), FAILED)},
        refused={**found.refused, **{name: FAILED for name in found.strategies if name in gone}},
    )


async def _ask(
    bed: Bed, registries: tuple[Registry, Registry], how: How, base: str, console: Console
) -> Found:
    timeout = aiohttp.ClientTimeout(total=600)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        asking = Asking(model=bed.model, seed=how.seed, fields={})
        found = await _probe(bed, registries, Client(session, base, asking))
        policies = {**baselines(found.verifiers, bed.budgets), **found.strategies}
        plan = Plan(policies, bed.asked(), how.concurrency, texts=False)
        manifest: dict[str, Any] = {
            "seed": how.seed,
            "problems": digest(plan.problems),
            "policies": {
                n: p.model_dump(mode="json", exclude_defaults=True) for n, p in policies.items()
            },
        }
        with (
            journal.Journal(how.work / bed.name, manifest, plan.problems) as record,
            progress(plan, record, console, quiet=how.quiet) as tick,
        ):
            await carry_out(plan, session, base, asking, record, tick)
    return found


async def _probe(bed: Bed, registries: tuple[Registry, Registry], client: Client) -> Found:
    known, verifiers = registries
    shown = bed.problems[:: max(1, len(bed.problems) // PROBLEMS_PROBED)][:PROBLEMS_PROBED]
    cannot = await useless(client, verifiers.names(), shown)
    policies = strategies(known)
    refused = {
        name: f"its verifier cannot be used: {cannot[each.verifier]}"
        for name, each in policies.items()
        if each.verifier in cannot
    }
    rest = {name: each for name, each in policies.items() if name not in refused}
    refused |= await refusals(client, rest, shown[0])
    return Found(
        verifiers=[name for name in verifiers.names() if name not in cannot],
        strategies={name: each for name, each in policies.items() if name not in refused},
        useless=cannot,
        refused=refused,
    )
