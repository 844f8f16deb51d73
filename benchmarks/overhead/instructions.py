"""`python -m benchmarks.overhead.instructions`: machine instructions a request, as valgrind counts
them: of our gateway, and of its libraries alone. No busy machine changes these counts.
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from benchmarks.evaluation.options import words
from benchmarks.overhead.measuring import Failed, Load
from benchmarks.overhead.processes import SERVED, running, wait_for
from benchmarks.overhead.rounds import built, load_of, upstream_of
from benchmarks.overhead.scenarios import SCENARIOS, Scenario
from benchmarks.overhead.targets import FLOOR, OURS, Missing, Target
from benchmarks.ports import free_port

CONCURRENCY = (4, 16, 64)
WARM_UP, COUNTED_REQUESTS = 4, 20
"""Requests of each client."""
NAMES = ("pass-through", "fan-out n = 8", "stream of 50 chunks")
"""Scenarios, of upstreams that answer at once."""


def main(argv: Sequence[str]) -> int:
    """Print a table; 1 where valgrind is missing."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.overhead.instructions")
    parser.add_argument("--only", type=words, default=[], help="parts of scenarios' names")
    options = parser.parse_args(argv)
    chosen = [
        replace(each, upstream=replace(each.upstream, latency_ms=0, gap_us=0))
        for each in SCENARIOS
        if each.name in NAMES
        and (not options.only or any(word in each.name for word in options.only))
    ]
    heads = " | ".join(f"c = {c}" for c in CONCURRENCY)
    print(f"| thousand instructions a request | {heads} |\n| --- | ---: | ---: | ---: |")
    with tempfile.TemporaryDirectory() as told:
        try:
            program = built(Path(told))
            for scenario in chosen:
                for target in (FLOOR, OURS):
                    counts = _counts(scenario, target, program, Path(told))
                    row = " | ".join(f"{count / 1000:,.0f}" for count in counts)
                    print(f"| {scenario.name}, {target.name} | {row} |", flush=True)
        except Missing as error:
            print(f"SKIPPED: {error}")
            return 1
    return 0


def _counts(scenario: Scenario, target: Target, program: Path, folder: Path) -> list[float]:
    """Instructions a request of one process, by how many clients ask side by side."""
    if shutil.which("callgrind_control") is None:
        raise Missing("valgrind is not installed (Debian: valgrind)")
    with ExitStack() as stack:
        port = free_port()
        own = folder / f"{target.name}-{port}"
        own.mkdir()
        upstream = upstream_of(scenario, program, own / "upstream.log", stack)
        out = own / "counts"
        valgrind = ["valgrind", "--tool=callgrind", "--instr-atstart=no"]
        command = [*valgrind, f"--callgrind-out-file={out}", *target.command(port, upstream, own)]
        process = stack.enter_context(running(command, SERVED, own / "log", target.environment))
        wait_for(f"http://127.0.0.1:{port}{target.ready}", own / "log")
        load = load_of(scenario, target.strategies, port, own)
        return [
            _count(Load(load.port, load.body, load.key, c), process, out.with_suffix(f".{number}"))
            for number, c in enumerate(CONCURRENCY, 1)
        ]


def _count(load: Load, process: int, dump: Path) -> float:
    asyncio.run(_ask(load, WARM_UP))
    _tell(process, "--instr=on")
    asyncio.run(_ask(load, COUNTED_REQUESTS))
    _tell(process, "--instr=off")
    _tell(process, "--dump")
    lines = [line for line in dump.read_text().splitlines() if line.startswith("totals:")]
    return int(lines[0].split()[1]) / (COUNTED_REQUESTS * load.concurrency)


async def _ask(load: Load, number: int) -> None:
    """Ask so often from each client, to the last byte: wrk would leave the last ones half done."""
    message = load.message()

    async def client() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", load.port)
        for _ in range(number):
            writer.write(message)
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            if not head.startswith(b"http/1.1 200"):
                raise Failed(head.decode(errors="replace"))
            if b"chunked" in head:
                await reader.readuntil(b"\r\n0\r\n\r\n")
            else:
                stated = head.partition(b"content-length: ")[2].partition(b"\r\n")[0]
                await reader.readexactly(int(stated))
        writer.close()
        await writer.wait_closed()

    await asyncio.gather(*(client() for _ in range(load.concurrency)))


def _tell(process: int, what: str) -> None:
    subprocess.run(["callgrind_control", what, str(process)], check=True, capture_output=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
