"""`its-gateway eval`: run, go on with a run, and report."""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import os
import shlex
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aiohttp
from rich.console import Console

from benchmarks.demo.gateway_process import NotReady, gateway
from benchmarks.evaluation import journal, policies, sources
from benchmarks.evaluation.client import Asking, Fatal, model_of
from benchmarks.evaluation.forecast import Horizon
from benchmarks.evaluation.options import report_parser, run_parser
from benchmarks.evaluation.policies import Policy
from benchmarks.evaluation.problem import Problem, digest
from benchmarks.evaluation.report import write
from benchmarks.evaluation.running import Plan, carry_out, progress
from benchmarks.evaluation.summary import Statistics

EMBEDDED = "embedded"
"""Stands in the manifest for the address of a gateway that was started for the run."""

EMBEDDED_MODEL = "its-demo"
"""Whom a gateway that is started here is asked for: it serves the demo's reward models as well."""

WRONG = (sources.BadProblems, policies.BadPolicy, journal.BadRun)


class BadOption(Exception):
    """Options that cannot be used as they stand, or not together."""


def main(argv: Sequence[str]) -> int:
    """Run or report; 2 for a bad command line, 1 for a server that cannot be asked."""
    console = Console(stderr=True, soft_wrap=True)
    try:
        if argv and argv[0] == "report":
            return _report(report_parser().parse_args(argv[1:]))
        return _run(run_parser().parse_args(argv), ["its-gateway", "eval", *argv], console)
    except (*WRONG, BadOption) as error:
        console.print(f"its-gateway eval: {error}", markup=False, highlight=False)
        return 2
    except (Fatal, NotReady) as error:
        console.print(f"its-gateway eval: {error}", markup=False, highlight=False)
        return 1
    except KeyboardInterrupt:
        console.print("stopped; the same command goes on with the run")
        return 130


def _report(options: argparse.Namespace) -> int:
    if len(options.folders) > 1 and options.out is None:
        raise BadOption("report: several folders need --out")
    runs = [journal.read(folder) for folder in options.folders]
    page = write(runs, options.out or options.folders[0], _statistics(options))
    print(page)
    return 0


def _run(options: argparse.Namespace, command: Sequence[str], console: Console) -> int:
    plan = Plan(
        policies=policies.gather(options.policies, options.policy) or _default(),
        problems=_problems(options),
        concurrency=options.concurrency,
        texts=not options.no_texts,
    )
    key = _key(options)
    if options.url is not None and options.config is not None:
        raise BadOption("--config is for the gateway that is started without --url")
    statistics = _statistics(options)
    with journal.Journal(options.out, _manifest(options, plan), plan.problems) as record:
        total = len(plan.policies) * len(plan.problems)
        if options.retry_failed:
            record.forget_failed()
        if len(record.done) < total:
            with _base(options) as base:
                asyncio.run(_carry_out(options, plan, base, key, record, console))
        failed = sum(entry.failed for entry in record.done.values())
    page = write([journal.read(options.out)], options.out, statistics, command=shlex.join(command))
    if failed:
        console.print(f"{failed} of {total} requests failed; they count as wrong", style="yellow")
    print(page)
    return 1 if failed == total else 0


def _default() -> dict[str, Policy]:
    return dict(map(policies.parse, ("direct", "agreement-16")))


def _problems(options: argparse.Namespace) -> list[Problem]:
    if options.problems and (options.generate or options.languages):
        raise BadOption("--problems excludes --generate and --languages")
    if options.problems:
        found = sources.read(options.problems)
    else:
        found = sources.generated(
            options.generate or 100, options.seed, options.languages or ["en"]
        )
    return found[: options.limit]


def _statistics(options: argparse.Namespace) -> Statistics:
    start, end = options.forecast_from, options.forecast_to
    if start is not None and end is not None and end < start:
        raise BadOption("--forecast-to: must be at least --forecast-from")
    return Statistics(options.resamples, Horizon(start, end))


def _key(options: argparse.Namespace) -> str | None:
    """The key for the server, which neither journal nor report ever see."""
    if options.api_key_file is None:
        return os.environ.get(options.api_key_env) or None
    try:
        return str(options.api_key_file.read_text().strip())
    except OSError as error:
        raise BadOption(f"--api-key-file: {error.strerror}: {options.api_key_file}") from None


def _manifest(options: argparse.Namespace, plan: Plan) -> dict[str, Any]:
    """All that decides what the journal will hold; a run goes on only under the same."""
    config = options.config
    if config is not None and not config.is_file():
        raise BadOption(f"--config: no such file: {config}")
    return {
        "format": 1,
        "seed": options.seed,
        "seeded": not options.unseeded,
        "problems": digest(plan.problems),
        "count": len(plan.problems),
        "policies": {
            name: policy.model_dump(mode="json", exclude_defaults=True)
            for name, policy in plan.policies.items()
        },
        "server": _address(options.url) if options.url else EMBEDDED,
        "config": None if config is None else hashlib.sha256(config.read_bytes()).hexdigest(),
        "model": options.model,
        **_fields(options),
        "instruction": options.instruction,
        "reference_sent": options.send_reference,
        "tests_sent": options.send_tests,
        "concurrency": options.concurrency,
    }


def _fields(options: argparse.Namespace) -> dict[str, Any]:
    return {"temperature": options.temperature, "max_tokens": options.max_tokens}


def _address(url: str) -> str:
    if not url.startswith(("http://", "https://")):
        raise BadOption(f"--url: {url!r} is no http address")
    if "@" in url:
        raise BadOption("--url: a key belongs into --api-key-env or --api-key-file")
    return url.rstrip("/").removesuffix("/v1")


@contextmanager
def _base(options: argparse.Namespace) -> Iterator[str]:
    """The server's address; where none was given, that of a gateway which ends with the block."""
    if options.url is not None:
        yield _address(options.url)
        return
    with tempfile.TemporaryDirectory() as folder:
        config = [] if options.config is None else ["--config", str(options.config)]
        with gateway(["--port", "0", *config], Path(folder) / "gateway.log") as base:
            yield base


async def _carry_out(
    options: argparse.Namespace,
    plan: Plan,
    base: str,
    key: str | None,
    record: journal.Journal,
    console: Console,
) -> None:
    headers: Mapping[str, str] = {} if key is None else {"authorization": f"Bearer {key}"}
    timeout = aiohttp.ClientTimeout(total=options.timeout, sock_connect=10)
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(
        headers=headers, timeout=timeout, connector=connector
    ) as session:
        usual = EMBEDDED_MODEL if options.url is None else None
        model = await model_of(session, f"{base}/v1", options.model, usual)
        asking = Asking(
            model=model,
            seed=options.seed,
            seeded=not options.unseeded,
            fields={name: value for name, value in _fields(options).items() if value is not None},
            instruction=options.instruction,
            send_reference=options.send_reference,
            send_tests=options.send_tests,
            attempts=options.attempts,
        )
        quiet = options.quiet or not sys.stderr.isatty()
        with progress(plan, record, console, quiet=quiet) as tick:
            await carry_out(plan, session, f"{base}/v1", asking, record, tick)
