"""What a session makes of a replica that is lost in the middle of its words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from gateway.backends.pool import ReplicaPool
from gateway.errors import UpstreamUnavailable
from gateway.ledger import Ledger
from gateway.registry import Registry
from gateway.session import Means, Session
from gateway.testing import InlineCompute, user
from gateway.trace import Trace
from gateway.types import Budget, Request, Usage
from tests.gateway.backends.pool.parts import Listed, pool_of


class Heard:
    """A client that reads along."""

    def __init__(self) -> None:
        self.text = ""

    async def choice(self, choice: Mapping[str, Any], prompt_tokens: int, tokens: int) -> None:
        self.text += choice["delta"].get("content") or ""

    async def progress(self, text: str) -> None:
        return None


def _session(pool: ReplicaPool, budget: Budget | None = None, sink: Any = None) -> Session:
    means = Means(pool, Registry("verifier"), InlineCompute(), {})
    request = Request("m", user("hi"))
    return Session(request, means, Ledger(budget or Budget()), Trace(), sink=sink)


@pytest.fixture
async def pool() -> ReplicaPool:
    """Two replicas, of which the one that is asked first breaks after three events."""
    backends = [Listed("a"), Listed("b")]
    pool = pool_of(*backends)
    await pool.members.refresh()
    await _session(pool).sample(1)
    first = next(backend for backend in backends if backend.calls)
    first.breaks_after = 3
    return pool


async def test_with_a_deadline_all_candidates_are_there_and_counted_once(pool: ReplicaPool) -> None:
    session = _session(pool, Budget(samples=4, tokens=400, seconds=30.0))
    candidates = await session.sample(4)
    assert len({candidate.id for candidate in candidates}) == 4
    assert {len(candidate.text.split()) for candidate in candidates} == {2}
    assert session._ledger.usage == Usage(5, 8)
    assert session.notes == []
    assert session.budget.tokens == 400 - 8
    assert session.budget.samples == 0


async def test_what_a_client_has_read_is_not_said_again(pool: ReplicaPool) -> None:
    heard = Heard()
    session = _session(pool, sink=heard)
    with pytest.raises(UpstreamUnavailable):
        await session.stream(2)
    assert heard.text in ("by by a", "by by b")
    assert sum(replica.outstanding for replica in pool.members.replicas) == 0


async def test_drafts_begin_anew_and_all_end(pool: ReplicaPool) -> None:
    session = _session(pool)
    grown: dict[str, list[str]] = {}
    async with session.drafts(3) as drafts:
        async for draft in drafts:
            grown.setdefault(draft.id, []).append(draft.text)
    assert len(grown) == 3
    for texts in grown.values():
        assert texts[-1] in ("by a", "by b")
    assert any(texts.count("by ") == 2 for texts in grown.values()), "none had begun before"
    assert session._ledger.usage == Usage(5, 6)
    assert session.notes == []
