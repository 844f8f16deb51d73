"""The second turn of a conversation finds the cache that the first one filled.

    python -m benchmarks.faults.affinity --model NAME --serve 'COMMAND … --port {port}'

Real vLLM servers count the prompt tokens they had cached (`vllm:prefix_cache_hits_total`): after a
second turn, the server of the first turn must have counted more, and no other may have been asked.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import aiohttp

from benchmarks.faults.processes import EMBEDDED, Server

HITS, QUERIES = "vllm:prefix_cache_hits_total", "vllm:prefix_cache_queries_total"
SYSTEM = "You are a careful teacher who explains every step of a sum in plain words. " * 6


async def main(argv: Sequence[str]) -> int:
    options = _options(argv)
    with ExitStack() as stack:
        logs = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        replicas = [Server(options.serve, logs / f"{number}") for number in range(options.replicas)]
        backends = " ".join(f"--backend {replica.url}" for replica in replicas)
        gateway = Server(f"{EMBEDDED} {backends}", logs / "gateway")
        for server in (*replicas, gateway):
            stack.callback(server.kill)
            server.start()
        await asyncio.gather(*(each.ready("/health", options.patience) for each in replicas))
        await gateway.ready("/ready", options.patience)
        async with aiohttp.ClientSession(gateway.url) as client:
            turns = [
                await _conversation(client, options.model, replicas, number)
                for number in range(options.conversations)
            ]
    faults = [turn for turn in turns if not turn["ok"]]
    print(json.dumps({"conversations": turns, "faults": len(faults)}, indent=1))
    return 1 if faults else 0


async def _conversation(
    client: aiohttp.ClientSession, model: str, replicas: Sequence[Server], number: int
) -> dict[str, Any]:
    messages = [
        {"role": "system", "content": SYSTEM},
        {"role": "user", "content": f"Question {number}: what is {number} + 30?"},
    ]
    start = await _counted(replicas)
    answer = await _ask(client, model, messages)
    first = await _counted(replicas)
    messages += [
        {"role": "assistant", "content": answer},
        {"role": "user", "content": "And twice that?"},
    ]
    await _ask(client, model, messages)
    second = await _counted(replicas)
    asked = [
        [at for at, (old, new) in enumerate(zip(before, after, strict=True)) if new[1] > old[1]]
        for before, after in ((start, first), (first, second))
    ]
    hits = [new[0] - old[0] for old, new in zip(first, second, strict=True)]
    ok = len(asked[0]) == 1 and asked[0] == asked[1] and hits[asked[0][0]] > 0
    return {"turns_at": asked, "tokens_found_cached": hits, "ok": ok}


async def _ask(client: aiohttp.ClientSession, model: str, messages: list[dict[str, str]]) -> str:
    body = {"model": model, "messages": messages, "max_tokens": 16, "its": {"budget": 4}}
    async with client.post("/v1/chat/completions", json=body) as response:
        answer = await response.json()
        if response.status != 200:
            raise RuntimeError(f"{response.status}: {answer}")
        text: str = answer["choices"][0]["message"]["content"]
        return text


async def _counted(replicas: Sequence[Server]) -> list[tuple[float, float]]:
    """(prompt tokens found cached, prompt tokens looked up) of each replica."""
    pages = [await replica.metrics() for replica in replicas]
    return [(_sum(page, HITS), _sum(page, QUERIES)) for page in pages]


def _sum(page: dict[str, float], name: str) -> float:
    return sum(value for key, value in page.items() if key.startswith(name))


def _options(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, prog="python -m benchmarks.faults.affinity"
    )
    parser.add_argument("--serve", required=True, help="a vLLM's command, with {port} in it")
    parser.add_argument("--model", required=True)
    parser.add_argument("--replicas", type=int, default=2)
    parser.add_argument("--conversations", type=int, default=6)
    parser.add_argument("--patience", type=float, default=300.0, help="seconds for them to come up")
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(asyncio.run(main(sys.argv[1:])))
