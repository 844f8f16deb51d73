"""Kill -9 of replicas under load: nobody may notice, and every count must be right.

python -m benchmarks.faults.kill
python -m benchmarks.faults.kill --replicas 2 --kills 1 --after 20 --serve 'python -m … {port}'
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

from benchmarks.faults.load import Load, Told, run_load
from benchmarks.faults.processes import EMBEDDED, Server

GAUGES = (
    "its_requests_in_flight", "its_upstream_in_flight", "its_backend_outstanding",
    "its_queue_waiting", "its_embedded_live_sequences",
    "vllm:num_requests_running", "vllm:num_requests_waiting{",
)  # fmt: skip
"""What has to be back at 0, here and upstream, once all is answered."""
TOLD = (
    "its_retries_total", "its_lost_tokens_total", "its_ejections_total", "its_affinity_total",
    "its_upstream_calls_total", "its_upstream_tokens_total", "its_queue_seconds_count",
)  # fmt: skip
"""What the report repeats of the gateway's metrics."""


async def main(argv: Sequence[str]) -> int:
    options = _options(argv)
    load = Load(options.model, options.requests, options.concurrency, options.n, options.tokens)
    with ExitStack() as stack:
        logs = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        replicas = [
            Server(options.serve, logs / f"replica-{number}") for number in range(options.replicas)
        ]
        backends = " ".join(f"--backend {replica.url}" for replica in replicas)
        gateway = Server(f"{EMBEDDED} {backends}", logs / "gateway")
        for server in (*replicas, gateway):
            stack.callback(server.kill)
            server.start()
        await asyncio.gather(*(each.ready(options.ready, options.patience) for each in replicas))
        await gateway.ready("/ready", options.patience)
        report = await measure(gateway, replicas, load, options)
    print(json.dumps(report, indent=1))
    return 1 if report["faults"] else 0


async def measure(
    gateway: Server, replicas: Sequence[Server], load: Load, options: argparse.Namespace
) -> dict[str, Any]:
    """Run the load while replicas die; what came of it, with all `faults`."""
    began = time.monotonic()
    killing = asyncio.create_task(_kill(replicas, options))
    told = await run_load(gateway.url, load)
    seconds = time.monotonic() - began
    killing.cancel()
    with suppress(asyncio.CancelledError):
        await killing
    # The last one killed may just be starting; its page is read as well.
    await asyncio.gather(*(each.ready(options.ready, options.patience) for each in replicas))
    pages = await _settled([gateway, *replicas])
    told.faults += _leaks(pages)
    told.faults += _miscounts(told, pages, replicas)
    return _report(told, pages[0], sum(each.starts - 1 for each in replicas), seconds)


async def _kill(replicas: Sequence[Server], options: argparse.Namespace) -> None:
    """One every `options.every` seconds, or once the one before is back where that takes longer."""
    await asyncio.sleep(options.after)
    for number in range(options.kills):
        victim = replicas[number % len(replicas) if options.rotate else 0]
        enough = asyncio.create_task(asyncio.sleep(options.every))
        victim.kill()
        try:
            await asyncio.sleep(options.down)
        finally:
            victim.start()  # also where the load ended meanwhile: its page is to be read
        await victim.ready(options.ready, options.patience)
        await enough


async def _settled(servers: Sequence[Server]) -> list[dict[str, float]]:
    """All pages, after up to a second in which what was aborted may end."""
    for _ in range(10):
        pages = [await server.metrics() for server in servers]
        if not _leaks(pages):
            break
        await asyncio.sleep(0.1)
    return pages


def _leaks(pages: Sequence[dict[str, float]]) -> list[str]:
    return [
        f"leaked: {name} {value}"
        for page in pages
        for name, value in page.items()
        if name.startswith(GAUGES) and value
    ]


def _miscounts(
    told: Told, pages: Sequence[dict[str, float]], replicas: Sequence[Server]
) -> list[str]:
    """Where clients, the gateway, and replicas that were never killed do not agree."""
    gateway = pages[0]
    faults = []
    for kind, clients in (("prompt", told.prompt_tokens), ("completion", told.completion_tokens)):
        booked = _sum(gateway, "its_tokens_total", f'kind="{kind}"')
        if booked != clients:
            faults.append(f"{kind} tokens: clients {clients}, gateway {booked}")
        for number, (replica, page) in enumerate(zip(replicas, pages[1:], strict=True)):
            own = _sum(page, "its_tokens_total", f'kind="{kind}"')
            if replica.starts == 1 and own:
                there = _sum(
                    gateway,
                    "its_upstream_tokens_total",
                    f'backend="backend-{number}",kind="{kind}"',
                )
                if there != own:
                    faults.append(f"{kind} tokens: gateway {there} of replica {number}'s {own}")
    return faults


def _sum(page: dict[str, float], name: str, labels: str = "") -> float:
    return sum(v for key, v in page.items() if key.startswith(name) and labels in key)


def _report(told: Told, gateway: dict[str, float], kills: int, seconds: float) -> dict[str, Any]:
    ordered = sorted(told.seconds)
    return {
        "requests": len(ordered),
        "faults": told.faults,
        "seconds": round(seconds, 1),
        "kills": kills,
        "p50": round(statistics.median(ordered), 3),
        "p99": round(ordered[int(len(ordered) * 0.99)], 3),
        "longest": round(ordered[-1], 3),
        "prompt_tokens": told.prompt_tokens,
        "completion_tokens": told.completion_tokens,
        "gateway": {k: v for k, v in gateway.items() if k.startswith(TOLD)},
    }


def _options(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m benchmarks.faults.kill")
    parser.add_argument("--requests", type=int, default=2000)
    parser.add_argument("--concurrency", type=int, default=32)
    parser.add_argument("--n", type=int, default=8, help="candidates a request")
    parser.add_argument("--tokens", type=int, default=24, help="tokens a candidate, exactly")
    parser.add_argument("--replicas", type=int, default=3)
    parser.add_argument("--every", type=float, default=10.0, help="seconds from kill to kill")
    parser.add_argument("--after", type=float, default=5.0, help="seconds before the first kill")
    parser.add_argument("--down", type=float, default=0.0, help="seconds before the restart")
    parser.add_argument("--kills", type=int, default=10**6, help="at most so many")
    parser.add_argument("--rotate", action="store_true", help="kill them in turns, not the first")
    parser.add_argument("--model", default="its-demo")
    parser.add_argument("--serve", default=EMBEDDED, help="a replica's command, with {port} in it")
    parser.add_argument("--ready", default="/ready", help="answered with 200 once a replica serves")
    parser.add_argument("--patience", type=float, default=120.0, help="seconds for it to come up")
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(asyncio.run(main(sys.argv[1:])))
