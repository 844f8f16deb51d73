"""What state must show, each claim a measurement that ends in `ok` or not."""

from __future__ import annotations

import argparse
import asyncio
import itertools
import os
import time
from collections import Counter
from typing import Any

import aiohttp

from benchmarks.faults.processes import Server
from benchmarks.state.parts import CHAT, answers, body, client, parts, quantile
from gateway.accounts.desk import LEASE_SECONDS

Report = dict[str, Any]


async def flights(options: argparse.Namespace) -> Report:
    """Two gateways, identical requests for 16 samples at once: exactly 16 are drawn."""
    with parts(2, "--redis-bound-ms", str(options.bound), upstream_seconds=0.2) as made:
        await made.begin()
        asked = body(strategy="best_of_n", budget=16, cache="pool")
        told: Counter[str] = Counter()
        async with client() as http:

            async def ask(number: int) -> None:
                url = made.gateways[number % 2].url + CHAT
                async with http.post(url, json=asked) as response:
                    await response.read()
                    told[f"{response.status} {response.headers.get('x-its-samples')}"] += 1

            await asyncio.gather(*(ask(number) for number in range(options.requests or 200)))
        drawn = await made.drawn()
    return {"answers": dict(told), "drawn": drawn, "ok": drawn == 16 and list(told) == ["200 16"]}


async def quota(options: argparse.Namespace) -> Report:
    """Many clients against a quota at three processes: never over, and under by those in flight.

    Where one was killed, what is left is asked for once more after its lease.
    """
    requests = options.requests or 50_000
    most = options.quota or requests * 2 // 5 + 1
    with parts(3, "--redis-bound-ms", str(options.bound)) as made:
        made.redis.start()
        await answers(made.redis)
        limits = (f"--samples-per-day={most}", f"--tokens-per-day={10 * most}")
        key = made.keys("add", "load", *limits)
        await made.begin()
        told: Counter[int] = Counter()
        lost, numbers = 0, iter(range(requests))
        killed: list[Server] = []
        async with client() as http:

            async def work(worker: int) -> None:
                nonlocal lost
                for number in numbers:
                    live = [each for each in made.gateways if each not in killed]
                    url = live[(worker + number) % len(live)].url + CHAT
                    try:
                        status = await _status(http, url, key)
                    except aiohttp.ClientError:
                        lost += 1
                        continue
                    told[status] += 1
                    if options.kill and not killed and told[200] > most // 2:
                        killed.append(made.gateways[0])
                        made.gateways[0].kill()

            began = time.monotonic()
            await asyncio.gather(*(work(worker) for worker in range(options.clients)))
            seconds = time.monotonic() - began
            before = most - told[200]
            if killed:
                await asyncio.sleep(LEASE_SECONDS)
                numbers = iter(range(before + options.clients))
                await asyncio.gather(*(work(worker) for worker in range(options.clients)))
        drawn = await made.drawn()
    under = most - told[200]
    return {
        "quota": most, "answers": dict(told), "lost": lost, "drawn": drawn, "under": under,
        "under_before_the_lease_ended": before,
        "seconds": round(seconds, 1), "in_flight_at_most": options.clients,
        "ok": told[200] <= most and drawn <= most + lost and 0 <= under <= options.clients
        and set(told) <= {200, 429},
    }  # fmt: skip


async def _status(http: aiohttp.ClientSession, url: str, key: str) -> int:
    headers = {"authorization": f"Bearer {key}"}
    async with http.post(url, json={**body(), "max_tokens": 10}, headers=headers) as response:
        await response.read()
        return response.status


async def crash(options: argparse.Namespace) -> Report:
    """kill -9 of a gateway: what it had reserved is free again within the lease.

    Free it became between the last refusal (`held`) and the first grant (`free`), in seconds.
    """
    with parts(2, "--redis-bound-ms", str(options.bound), upstream_seconds=60) as made:
        made.redis.start()
        await answers(made.redis)
        key = made.keys("add", "load", "--concurrent=8")
        await made.begin()
        one, two = made.gateways
        async with client() as http:
            under_way = [asyncio.create_task(_status(http, one.url + CHAT, key)) for _ in range(8)]
            for _ in range(600):
                if await made.drawn() == 8:
                    break
                await asyncio.sleep(0.05)
            full = await _status(http, two.url + CHAT, key)
            one.kill()
            began = time.monotonic()
            await asyncio.gather(*under_way, return_exceptions=True)
            held = free = 0.0
            while True:
                held, free = free, time.monotonic() - began
                asked = asyncio.create_task(_status(http, two.url + CHAT, key))
                done, _ = await asyncio.wait([asked], timeout=0.5)
                if not done:  # it is waiting for the upstream, and so was granted
                    break
                await asyncio.sleep(0.05)
            asked.cancel()
            await asyncio.wait([asked])
    return {
        "before": full, "held": round(held, 2), "free": round(free, 2), "lease": LEASE_SECONDS,
        "ok": full == 429 and held <= LEASE_SECONDS,
    }  # fmt: skip


async def outage(options: argparse.Namespace) -> Report:
    """Redis killed and restarted every 5 s under load: nothing fails, p99 grows by less than the
    bound."""
    flags = ("--redis-bound-ms", str(options.bound))
    with parts(1, *flags, upstream_seconds=0.02) as made:
        made.redis.start()
        await answers(made.redis)
        key = made.keys("add", "load", "--requests-per-minute=1000000")
        await made.begin()
        calm = await _load(made.gateways[0], key, options.seconds / 4, options.clients)
        killing = asyncio.create_task(_kill_again_and_again(made.redis))
        stormy = await _load(made.gateways[0], key, options.seconds, options.clients)
        killing.cancel()
        await asyncio.wait([killing])
    grown = stormy["p99_ms"] - calm["p99_ms"]
    return {
        "calm": calm, "stormy": stormy, "p99_grown_ms": round(grown, 2), "bound_ms": options.bound,
        "starts": made.redis.starts,
        "ok": set(stormy["answers"]) == {"200"} and grown < options.bound,
    }  # fmt: skip


async def _kill_again_and_again(redis: Server) -> None:
    while True:
        await asyncio.sleep(4)
        redis.kill()
        await asyncio.sleep(1)
        redis.start()


async def _load(gateway: Server, key: str, seconds: float, clients: int) -> Report:
    told: Counter[str] = Counter()
    took: list[float] = []
    numbers = itertools.count()
    until = time.monotonic() + seconds
    run = os.urandom(4).hex()
    async with client() as http:

        async def work() -> None:
            while time.monotonic() < until:
                began = time.monotonic()
                # Half of the questions were asked before.
                asked = body(f"{run} {next(numbers) // 2}", cache="pool")
                headers = {"authorization": f"Bearer {key}"}
                try:
                    async with http.post(gateway.url + CHAT, json=asked, headers=headers) as reply:
                        await reply.read()
                        told[str(reply.status)] += 1
                except aiohttp.ClientError as error:
                    told[type(error).__name__] += 1
                took.append(time.monotonic() - began)

        await asyncio.gather(*(work() for _ in range(clients)))
    p50, p99 = quantile(took, 0.5), quantile(took, 0.99)
    return {"answers": dict(told), "p50_ms": p50, "p99_ms": p99}
