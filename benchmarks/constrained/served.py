"""`python -m benchmarks.constrained.served`: the same figures from a real vLLM with the plugin.

Enumeration is the embedded model's, whose weights the server has to serve (`its-demo`), so figures
agree within sampling error and the difference of two arithmetics. Then the plugin's time a token
against stock structured outputs, in turns of one run.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import statistics
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.constrained.command import bed_of
from benchmarks.constrained.exact import Word
from benchmarks.constrained.grammars import CASES, Case
from benchmarks.constrained.sampling import Bed, g_test, normal
from gateway.backends.embedded.backend import MODEL
from gateway.backends.embedded.runtime import Runtime
from gateway.backends.vllm import VLLMBackend
from gateway.inquiries import Probabilities
from gateway.testing import user
from gateway.types import Candidate, Finished, Sample

LONG: dict[str, Any] = {"structured_outputs": {"regex": "[a-z ]{200}"}, "max_tokens": 100}
"""Answers of a hundred tokens at least, for the time a token."""
SIDE_BY_SIDE = 32
TAUGHT = 100
"""Samples, one by one, after which ASAp is measured."""


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="benchmarks.constrained.served", description=__doc__)
    parser.add_argument("--backend", required=True, help="http://HOST:PORT, without /v1")
    parser.add_argument("--samples", type=int, default=2000, help="a method and grammar")
    parser.add_argument("--cases", type=int, default=4, help="grammars, the first of them")
    parser.add_argument(
        "--turns", type=int, default=5, help="of each way, for the time a token; 0: none"
    )
    options = parser.parse_args(argv)
    asyncio.run(_measure(options.backend, options.samples, options.cases, options.turns))
    return 0


async def _measure(base: str, samples: int, cases: int, turns: int) -> None:
    runtime, backend = Runtime(MODEL), VLLMBackend(base, name="served")
    try:
        # A question about numbers waits until it is known what the server can do.
        async for _ in backend.call(Probabilities("its-demo", user("?"), ("a",))):
            pass
        for case in CASES[:cases]:
            await _case(backend, case, bed_of(runtime, case), runtime.chat.pieces, samples)
        if turns:
            await _times(backend, turns)
    finally:
        runtime.engine.close()
        runtime.guides.close()
        await backend.close()


async def _case(
    backend: VLLMBackend, case: Case, bed: Bed, pieces: Sequence[bytes], samples: int
) -> None:
    true, masked = _texts(bed.truth.given(), pieces), _texts(normal(bed.truth.masked), pieces)
    told = [f"{case.name:<18}; mask by enumeration: KL {_divergence(masked, true):.4f}"]
    for method in ("mask", "asap", "cars"):
        counts: Counter[str] = Counter()
        begun = 0
        # Samples side by side all take what none of them has seen yet, and learn little.
        for _ in range(TAUGHT if method == "asap" else 0):
            await _drawn(backend, case.question, _asked(case, method), n=1)
        while counts.total() < samples:
            drawn = await _drawn(backend, case.question, _asked(case, method))
            begun += len(drawn)
            counts.update(c.text for c in drawn if c.text in true)
        told.append(f"{method}: KL {_divergence(counts, true):.4f}, G p {_p(true, counts):.4f}, "
                    f"accepted {counts.total() / begun:.2f}")  # fmt: skip
    print("; ".join(told), flush=True)


def _asked(case: Case, method: str) -> dict[str, Any]:
    grammar = {"structured_outputs": {case.constraint.kind: _source(case)}}
    return {**grammar, "max_tokens": 60, "its_aligned": {"method": method, "session": method}}


def _source(case: Case) -> Any:
    as_json = case.constraint.kind in ("choice", "json")
    return json.loads(case.constraint.source) if as_json else case.constraint.source


async def _drawn(
    backend: VLLMBackend, question: str, fields: Mapping[str, Any], n: int = SIDE_BY_SIDE
) -> list[Candidate]:
    call = Sample("its-demo", user(question), n=n, fields=fields)
    return [e.candidate async for e in backend.call(call) if isinstance(e, Finished)]


def _texts(chances: Mapping[Word, float], pieces: Sequence[bytes]) -> dict[str, float]:
    """The chances of texts, each of which several rows of tokens may write."""
    texts: defaultdict[str, float] = defaultdict(float)
    for word, p in chances.items():
        texts[b"".join(pieces[token] for token in word).decode()] += p
    return dict(texts)


def _divergence(counts: Mapping[str, float], true: Mapping[str, float]) -> float:
    """KL(counts ‖ true) in nats: of samples, so never quite 0."""
    n = sum(counts.values())
    return sum(k / n * math.log(k / n / true[text]) for text, k in counts.items() if k)


def _p(true: Mapping[str, float], counts: Counter[str]) -> float:
    return g_test(true, counts)  # type: ignore[arg-type]


async def _times(backend: VLLMBackend, turns: int) -> None:
    ways: dict[str, dict[str, Any]] = {
        "no grammar": {"max_tokens": 100, "ignore_eos": True},
        "stock": LONG,
        **{way: {**LONG, "its_aligned": {"method": way}} for way in ("mask", "asap")},
    }
    found: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(turns):
        for name, fields in ways.items():
            started = time.perf_counter()
            drawn = await _drawn(backend, "Say something.", {**fields, "return_token_ids": True})
            tokens = sum(len(candidate.token_ids) for candidate in drawn)
            found[name].append((time.perf_counter() - started) / tokens * 1e6)
    for name, values in found.items():
        print(f"{name}: {statistics.median(values):.0f} us a token, {SIDE_BY_SIDE} side by side")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
