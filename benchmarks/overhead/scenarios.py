"""What is asked, of what upstream, by how many clients."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

QUESTION = "What is 12 + 30? Show your working."


@dataclass(frozen=True)
class Upstream:
    """How the upstream behaves: times in ms and µs, answers in words, streams in chunks."""

    latency_ms: float = 0
    tokens: int = 40
    chunks: int = 50
    gap_us: int = 0

    def flags(self) -> list[str]:
        return [str(each) for each in (self.latency_ms, self.tokens, self.chunks, self.gap_us)]


@dataclass(frozen=True)
class Scenario:
    """One kind of load; `ours` are body fields that only our gateway understands.

    `concurrency` are numbers of busy clients, `idle` keep-alive clients that once asked and stay.
    """

    name: str
    upstream: Upstream = Upstream()
    body: Mapping[str, Any] = field(default_factory=dict)
    ours: Mapping[str, Any] = field(default_factory=dict)
    prompt_bytes: int = 0
    concurrency: Sequence[int] = (16,)
    idle: int = 0
    needs_strategy: bool = False

    def request(self, ours: bool) -> dict[str, Any]:
        """The body of one request."""
        question = (QUESTION + " ") * max(1, self.prompt_bytes // len(QUESTION))
        return {
            "model": "mock",
            "messages": [{"role": "user", "content": question}],
            **self.body,
            **(self.ours if ours else {}),
        }


SCENARIOS = (
    Scenario("pass-through", concurrency=(1, 16, 64)),
    Scenario("prompts of 32 KB", prompt_bytes=32_768),
    Scenario(
        "fan-out n = 8",
        Upstream(latency_ms=50),
        body={"n": 8},
        concurrency=(1, 16),
    ),
    Scenario(
        "best_of_n 8",
        Upstream(latency_ms=50),
        ours={"its": {"strategy": "best_of_n", "budget": 8, "verifier": "agreement"}},
        concurrency=(1, 16),
        needs_strategy=True,
    ),
    Scenario(
        "stream of 50 chunks", Upstream(gap_us=1000), body={"stream": True}, concurrency=(1, 16)
    ),
    Scenario(
        "best_of_n 16, answers of 500 tokens",
        Upstream(tokens=500),
        ours={"its": {"strategy": "best_of_n", "budget": 16, "verifier": "agreement"}},
        needs_strategy=True,
    ),
    Scenario("64 busy beside 1,000 idle", concurrency=(64,), idle=1000),
)
