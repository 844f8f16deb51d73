"""What it takes to read 64 candidates out of the pool."""

from __future__ import annotations

import argparse
import random
import time
from typing import Any

from benchmarks.state.parts import answers, parts, quantile
from gateway.reuse.flights import Flights
from gateway.reuse.packing import pack, plain, unpack
from gateway.stores.later import Later
from gateway.stores.redis import RedisStore
from gateway.types import Candidate, Usage

N = 64
TOKENS = 200


async def reading(options: argparse.Namespace) -> dict[str, Any]:
    """64 candidates of 200 tokens, with and without log-probabilities: at most 2 ms at p50."""
    with parts(0) as made:
        made.redis.start()
        await answers(made.redis)
        store = RedisStore(made.redis_url, bound=10.0)
        told = {}
        for name, alternatives, decode in (
            ("plain", None, False), ("logprobs_kept", 5, False), ("logprobs_decoded", 5, True),
        ):  # fmt: skip
            told[name] = await _measure(store, name, alternatives, decode, options.rounds)
        await store.close()
    within = all(told[name]["p50_ms"] <= 2.0 for name in ("plain", "logprobs_kept"))
    return {"candidates": N, "tokens": TOKENS, **told, "ok": within}


async def _measure(
    store: RedisStore, shelf: str, alternatives: int | None, decode: bool, rounds: int
) -> dict[str, Any]:
    rng = random.Random(0)
    packed = {place: pack(_candidate(rng, place, alternatives), {}) for place in range(N)}
    await store.fill(shelf, packed, 600)
    flights = Flights(store, Later(), 600)
    took = []
    for _ in range(rounds):
        began = time.perf_counter()
        async with flights.flight(shelf) as flight:
            taken = await flight.look(range(N))
        candidates = [unpack(each) for each in taken.found.values()]
        if decode:
            assert all(plain(each.logprobs) for each in candidates)
        took.append(time.perf_counter() - began)
        assert len(candidates) == N
    size = sum(map(len, packed.values())) // N
    return {"p50_ms": quantile(took, 0.5), "p99_ms": quantile(took, 0.99), "bytes_each": size}


def _candidate(rng: random.Random, place: int, alternatives: int | None) -> Candidate:
    words = [f"w{rng.randrange(5000)}" for _ in range(TOKENS)]
    content = [
        {
            "token": word, "logprob": -rng.random(), "bytes": list(word.encode()),
            "top_logprobs": [
                {"token": f"w{rng.randrange(5000)}", "logprob": -9 * rng.random(), "bytes": None}
                for _ in range(alternatives or 0)
            ],
        }
        for word in words
    ]  # fmt: skip
    logprobs = None if alternatives is None else {"content": content}
    ids = tuple(rng.randrange(150_000) for _ in words)
    usage = Usage(100, TOKENS)
    return Candidate(
        f"cand-{place}", " ".join(words), token_ids=ids, logprobs=logprobs, usage=usage
    )
