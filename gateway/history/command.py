"""`its-gateway replay`: stored requests under another policy or budget."""

from __future__ import annotations

import argparse
import asyncio
import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from statistics import fmean
from typing import Any

from gateway.errors import InvalidRequest
from gateway.history.again import Replayed, again
from gateway.history.records import History
from gateway.metrics import Metrics
from gateway.naming import parse_dictionary
from gateway.policy import Rules
from gateway.registry import load as load_registry
from gateway.sandbox.executors import executor_of
from gateway.settings import Settings
from gateway.stores import Store
from gateway.stores.later import Later
from gateway.stores.opening import commanded
from gateway.wishes import Wishes
from gateway.workers import Workers


def main(argv: Sequence[str]) -> int:
    """Replay, and print what it would have come to; 2 where it cannot be, 1 without the store."""
    options, rest = _parser().parse_known_args(argv)

    async def work(store: Store, settings: Settings) -> int:
        return await _run(store, settings, options)

    return commanded(rest, "receipts are kept", work, InvalidRequest, ValueError)


async def _run(store: Store, settings: Settings, options: argparse.Namespace) -> int:
    wishes = [_wishes(options, budget) for budget in options.budget or [None]]
    verifiers = load_registry("verifier", "verifiers", "its_gateway.verifiers")
    strategies = load_registry("strategy", "strategies", "its_gateway.strategies")
    rules = Rules(strategies, verifiers, settings.all_presets(), caps=replace(settings.caps))
    preload = {name for spec in verifiers.specs() for name in spec.preload}
    workers, sandbox = Workers(preload=sorted(preload)), executor_of(settings, Metrics())
    means = {"verifiers": verifiers, "compute": workers, "roles": {}, "sandbox": sandbox}
    try:
        records = [each async for each in History(store, Later(), 0).all(options.key)]
        records.sort(key=lambda record: record["at"])
        records = records[-options.last :] if options.last else records
        reports = []
        for wished in wishes:
            told = [await again(record, wished, rules, means) for record in records]
            reports.append({"policy": _name(wished), **summary(told)})
    finally:
        await asyncio.to_thread(workers.close)
        await sandbox.close()
    _print(reports, as_json=options.json)
    return 0 if records else 1


def summary(told: Sequence[Replayed]) -> dict[str, Any]:
    """What many requests came to: shares and means, None where there is nothing to tell.

    Both accuracies are over the requests that have a reference and an answer now.
    """
    done = [each for each in told if each.error is None]
    graded = [each for each in done if each.right is not None]
    return {
        "requests": len(told),
        "failed": len(told) - len(done),
        "short": sum(each.short for each in told),
        "graded": len(graded),
        "accuracy_then": _mean(each.then_right for each in graded),
        "accuracy": _mean(each.right for each in graded),
        "same_answer": _mean(each.same for each in done),
        "samples_then": _mean(each.then_samples for each in done),
        "samples": _mean(each.samples for each in done),
        "tokens_then": _mean(each.then_tokens for each in done),
        "tokens": _mean(each.tokens for each in done),
    }


def _mean(values: Iterable[float | bool | None]) -> float | None:
    known = [float(value) for value in values if value is not None]
    return round(fmean(known), 4) if known else None


def _print(reports: Sequence[dict[str, Any]], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(reports, indent=2))
        return
    for report in reports:
        print(report.pop("policy"))
        for name, value in report.items():
            print(f"  {name:14} {'-' if value is None else value}")
        if report["short"]:
            print("  short: more candidates were asked for than are stored of those requests")


def _wishes(options: argparse.Namespace, budget: int | None) -> Wishes:
    params = parse_dictionary(options.params) if options.params else None
    return Wishes(
        strategy=options.strategy, budget=budget, verifier=options.verifier, params=params,
        max_tokens=options.max_tokens,
    )  # fmt: skip


def _name(wishes: Wishes) -> str:
    said = wishes.model_dump(exclude_none=True)
    return ", ".join(f"{name}={value}" for name, value in said.items()) or "as it was"


def _budgets(text: str) -> list[int]:
    return [int(part) for part in text.split(",")]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="its-gateway replay",
        description="Score stored requests again, under another policy or budget: would N = 4 have "
        "sufficed? Nothing is drawn; --redis or ITS_REDIS says where the receipts are.",
    )
    parser.add_argument("--strategy", help="strategy or preset; each request's own where unset")
    parser.add_argument("--budget", type=_budgets, metavar="N,…", help="samples, one report each")
    parser.add_argument("--max-tokens", type=int, help="completion tokens over all samples")
    parser.add_argument("--verifier", help="as in X-ITS-Verifier")
    parser.add_argument("--params", help="as in X-ITS-Params")
    parser.add_argument("--key", help="requests of this key alone, by its id")
    parser.add_argument("--last", type=int, help="so many of the latest requests")
    parser.add_argument("--json", action="store_true", help="as JSON")
    return parser
