"""Measure what state must show.

python -m benchmarks.state flights | quota [--kill] | crash | outage | reading | all
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys

from benchmarks.state.claims import crash, flights, outage, quota
from benchmarks.state.reading import reading

CLAIMS = {each.__name__: each for each in (flights, quota, crash, outage, reading)}


def main() -> int:
    """Run one claim or all; 1 where one does not hold."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.state", description="What state must show, measured."
    )
    parser.add_argument("claim", choices=(*CLAIMS, "all"))
    parser.add_argument("--requests", type=int, help="flights: 200, quota: 50,000")
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--quota", type=int, help="quota: samples a day; two in five requests")
    parser.add_argument("--kill", action="store_true", help="quota: kill a gateway half-way")
    parser.add_argument("--seconds", type=float, default=120.0, help="outage: of killing")
    parser.add_argument("--rounds", type=int, default=500, help="reading: so many reads")
    parser.add_argument("--bound", type=float, default=50.0, help="the gateways' --redis-bound-ms")
    options = parser.parse_args()
    ok = True
    for name in CLAIMS if options.claim == "all" else [options.claim]:
        report = asyncio.run(CLAIMS[name](options))
        print(json.dumps({"claim": name, **report}, indent=1), flush=True)
        ok &= bool(report["ok"])
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
