"""`python -m benchmarks.scaling.peers`: other gateways beside ours, tokens counted upstream."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import tempfile
import time
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import partial
from pathlib import Path

from rich.console import Console

from benchmarks.demo.gateway_process import NotReady, gateway
from benchmarks.evaluation.client import Asking
from benchmarks.evaluation.options import positive, words
from benchmarks.evaluation.policies import DIRECT, Policy
from benchmarks.evaluation.problem import Problem
from benchmarks.evaluation.sources import generated
from benchmarks.scaling.peers.environments import CACHE, Unavailable, environment
from benchmarks.scaling.peers.known import PEERS, Peer
from benchmarks.scaling.peers.measuring import ATTEMPTS, Told, ask_all
from benchmarks.scaling.peers.recorder import MODEL, findings, recording
from benchmarks.scaling.peers.report import Page, written
from benchmarks.scaling.peers.serving import serving
from benchmarks.scaling.report import command_line

HERE = Path(__file__).parent.parent
OURS = (2, 4, 8, 16, 32)
ODD = "empty system message"


def main(argv: Sequence[str]) -> int:
    """Compare and report; a peer that cannot be had is left out, and the report says why."""
    options = _parser().parse_args(argv)
    console = Console(stderr=True, soft_wrap=True)
    # A SIGTERM ends a run as Ctrl-C does: in order, the servers that it started included.
    before = signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    try:
        print(_run(options, argv, console))
        return 0
    except NotReady as error:
        console.print(f"our own gateway did not start: {error}", markup=False)
        return 1
    except KeyboardInterrupt:
        return 130
    finally:
        signal.signal(signal.SIGTERM, before)


def _run(options: argparse.Namespace, argv: Sequence[str], console: Console) -> Path:
    started = time.monotonic()
    problems = generated(options.problems, options.seed, ["en"])
    page = Page()
    with tempfile.TemporaryDirectory() as told:
        folder = Path(told)
        with gateway(["--port", "0"], folder / "upstream.log") as upstream:
            _ours(upstream, problems, options, folder, page, console)
            for peer in PEERS:
                _peer(peer, upstream, problems, options, folder, page, console)
        page.findings = _all_findings(options, folder, page.missing)
    command = command_line("python -m benchmarks.scaling.peers", argv)
    page.facts = [
        f"`{command}`: {time.monotonic() - started:.0f} seconds on {os.cpu_count()} cores",
        f"{len(problems)} unseen problems in English, seed {options.seed}, one at a time; "
        f"model `{MODEL}`, temperature 1",
    ]
    options.out.mkdir(parents=True, exist_ok=True)
    path: Path = options.out / "peers.md"
    path.write_text(written(page, options.seed))
    return path


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scaling.peers", description=__doc__)
    parser.add_argument("--out", type=Path, default=HERE, help="folder of peers.md")
    parser.add_argument("--problems", type=positive, default=60, help="how many (60)")
    parser.add_argument("--n", type=words, default=["4", "8", "16"], help="samples (4,8,16)")
    parser.add_argument("--seed", type=int, default=7, help="of problems and bootstrap (7)")
    parser.add_argument("--cache", type=Path, default=CACHE, help="folder of environments")
    return parser


def _ours(
    upstream: str,
    problems: Sequence[Problem],
    options: argparse.Namespace,
    folder: Path,
    page: Page,
    console: Console,
) -> None:
    """Our gateway in front of the same upstream, as the peers are."""
    console.print("its-gateway")
    policies = {
        "direct": DIRECT,
        **{
            f"its-gateway-agreement-{n}": Policy(
                strategy="best_of_n", budget=n, verifier="agreement"
            )
            for n in OURS
        },
    }
    with gateway(["--port", "0", "--backend", f"{upstream}/v1"], folder / "ours.log") as base:
        page.ours = asyncio.run(ask_all(base, upstream, policies, problems, _asking(options)))
        same = {f"its-gateway-agreement-8, {ODD}": policies["its-gateway-agreement-8"]}
        odd = [_with_empty_system(problem) for problem in problems]
        page.also = asyncio.run(ask_all(base, upstream, same, odd, _asking(options)))


def _with_empty_system(problem: Problem) -> Problem:
    """The problem as some peers ask it."""
    messages = [{"role": "system", "content": ""}, *problem.prompt()]
    return problem.model_copy(update={"question": None, "messages": messages})


def _peer(
    peer: Peer,
    upstream: str,
    problems: Sequence[Problem],
    options: argparse.Namespace,
    folder: Path,
    page: Page,
    console: Console,
) -> None:
    found: dict[str, Told] = {}
    console.print(f"{peer.name} {peer.version}")
    try:
        programs = environment(f"{peer.name}-{peer.version}", peer.installs, options.cache)
        for n in map(int, options.n):
            policies = {k: v for k, v in peer.policies(MODEL, n).items() if k not in found}
            with serving(peer, programs, f"{upstream}/v1", MODEL, n, folder) as base:
                asked = ask_all(base, upstream, policies, problems, _asking(options))
                found |= asyncio.run(asked)
    except Unavailable as error:
        page.missing[f"{peer.name} {peer.version}"] = str(error)
        console.print(f"left out: {peer.name} {peer.version}: {error}", style="yellow")
    page.peers[f"{peer.name} {peer.version}"] = (found, list(peer.remarks))


def _all_findings(
    options: argparse.Namespace, folder: Path, missing: Container[str]
) -> dict[str, dict[str, list[str]]]:
    """What each server passes on, by policy."""
    log = folder / "findings.log"
    ours = {"its-gateway-agreement-4": Policy(strategy="best_of_n", budget=4, verifier="agreement")}
    found = {
        "its-gateway": asyncio.run(
            _findings(lambda upstream: gateway(["--port", "0", "--backend", upstream], log), ours)
        )
    }
    for peer in PEERS:
        if (name := f"{peer.name} {peer.version}") not in missing:
            start = partial(_started, peer, options=options, folder=folder)
            found[name] = asyncio.run(_findings(start, peer.policies(MODEL, 4)))
    return found


@contextmanager
def _started(peer: Peer, upstream: str, options: argparse.Namespace, folder: Path) -> Iterator[str]:
    programs = environment(f"{peer.name}-{peer.version}", peer.installs, options.cache)
    with serving(peer, programs, upstream, MODEL, 4, folder) as base:
        yield base


async def _findings(
    start: Callable[[str], AbstractContextManager[str]], policies: Mapping[str, Policy]
) -> dict[str, list[str]]:
    """What a server passes on, and what it makes of its upstream's faults."""
    async with recording() as recorder:
        with ExitStack() as stack:
            # Starting it waits for answers that this loop's recorder may have to give.
            base = await asyncio.to_thread(stack.enter_context, start(recorder.base))
            return {
                name: await findings(base, recorder, policy) for name, policy in policies.items()
            }


def _asking(options: argparse.Namespace) -> Asking:
    return Asking(model=MODEL, seed=options.seed, fields={}, attempts=ATTEMPTS)
