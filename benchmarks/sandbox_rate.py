"""How many trivial programs a second run in sandboxes: `python -m benchmarks.sandbox_rate`."""

from __future__ import annotations

import argparse
import asyncio
import os
import time

from benchmarks.evaluation.options import positive
from gateway.metrics import Metrics
from gateway.sandbox.local import LocalSandbox
from gateway.sandbox.verdict import Limits

PROGRAM = "def f(x):\n    return x + 1\n"


async def rate(runs: int, concurrency: int) -> float:
    """Runs a second, after the first, whose sandbox is built from nothing."""
    sandbox = LocalSandbox(Metrics(), concurrency=concurrency)
    try:
        await sandbox.execute(PROGRAM, "assert f(1) == 2", Limits())
        began = time.perf_counter()
        verdicts = await asyncio.gather(
            *(sandbox.execute(PROGRAM, f"assert f({i}) == {i + 1}", Limits()) for i in range(runs))
        )
        seconds = time.perf_counter() - began
    finally:
        await sandbox.close()
    if any(verdict.how != "pass" for verdict in verdicts):
        raise SystemExit("a right program did not pass: nothing was measured")
    return runs / seconds


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sandbox_rate")
    parser.add_argument("--runs", type=positive, default=200, help="programs (200)")
    parser.add_argument("--concurrency", type=positive, default=os.cpu_count(), help="at once")
    options = parser.parse_args()
    found = asyncio.run(rate(options.runs, options.concurrency))
    load = os.getloadavg()[0]
    print(f"{found:.1f} runs a second, {options.concurrency} at once; load average {load:.1f}")


if __name__ == "__main__":
    main()
