"""`python -m benchmarks.constrained.fuzz`: hostile and fuzzed grammars on the embedded model.

Each is asked for as a client would, four answers by ASAp. Told are the longest time until one was
refused, the longest time of a token, the nodes of all tries, and how much memory the process grew
by. Exit status 1 where something took over two seconds, the model stopped to answer, or memory grew
past the bound.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.constrained.hostile import HOSTILE, fuzzed
from gateway.backends.embedded import EmbeddedBackend
from gateway.errors import UpstreamRejected
from gateway.grammar.store import NODES
from gateway.testing import user
from gateway.types import Delta, Finished, Sample

LONGEST = 2.0
"""Seconds until a grammar is refused, or between two tokens."""
GROWTH = 1024
"""MiB: 64 compiled grammars, with what their automata grew to, and the tries."""


@dataclass
class Found:
    """Over all grammars; seconds."""

    refused: int = 0
    answered: int = 0
    slowest_refusal: float = 0.0
    slowest_token: float = 0.0


async def asked(backend: EmbeddedBackend, kind: str, source: str, tokens: int, to: Found) -> None:
    """One request; what it took goes into `to`."""
    grammar = {"structured_outputs": {kind: source}, "its_aligned": {"method": "asap"}}
    fields = {"max_tokens": tokens, **grammar}
    call = Sample("its-demo", user("What is 12 + 30?"), n=4, stream=True, fields=fields)
    last = started = time.perf_counter()
    try:
        async for event in backend.call(call):
            if isinstance(event, Delta | Finished):
                now = time.perf_counter()
                if last > started:  # the first one comes when the grammar has been compiled
                    to.slowest_token = max(to.slowest_token, now - last)
                last = now
        to.answered += 1
    except UpstreamRejected as error:
        if error.status != 400:
            raise
        to.refused += 1
        to.slowest_refusal = max(to.slowest_refusal, time.perf_counter() - started)


async def hammered(grammars: Iterable[tuple[str, str]], tokens: int) -> dict[str, float]:
    """Ask for all of `grammars`, kinds and sources, and tell what became of the model."""
    backend = EmbeddedBackend()
    found = Found()
    try:
        await asked(backend, "regex", "a", tokens, Found())
        before = memory()
        for kind, source in grammars:
            await asked(backend, kind, source, tokens, found)
            # The worker that replaces a killed one shall not count as the next one's time.
            await asked(backend, "regex", f"a{{{found.answered + found.refused}}}", 1, Found())
        call = Sample("its-demo", user("?"), fields={"max_tokens": 4})
        alive = [e async for e in backend.call(call) if isinstance(e, Finished)]
        return {
            "refused": found.refused,
            "answered": found.answered,
            "slowest refusal, s": round(found.slowest_refusal, 2),
            "slowest token, s": round(found.slowest_token, 3),
            "nodes": backend._runtime.guides.tries.size,
            "growth, MiB": round(memory() - before),
            "alive": len(alive),
            "live sequences": backend.engine.live,
        }
    finally:
        await backend.close()


def memory() -> float:
    """MiB that this process has resident now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / (1 << 20)


def kept(told: dict[str, float]) -> bool:
    """Whether the bounds were kept."""
    return (
        max(told["slowest refusal, s"], told["slowest token, s"]) <= LONGEST
        and told["nodes"] <= NODES
        and told["growth, MiB"] <= GROWTH
        and told["alive"] == 1
        and told["live sequences"] == 0
    )


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="benchmarks.constrained.fuzz", description=__doc__)
    parser.add_argument("--fuzzed", type=int, default=1000, help="beside the hostile ones")
    parser.add_argument("--tokens", type=int, default=60, help="of an answer")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(argv)
    grammars = (*HOSTILE.values(), *fuzzed(options.fuzzed, options.seed))
    told = asyncio.run(hammered(grammars, options.tokens))
    print(json.dumps(told, indent=1))
    return 0 if kept(told) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
