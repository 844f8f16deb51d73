"""One sandbox for the tests of a module, and what it counted."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from gateway.sandbox.local import LocalSandbox
from tests.needed import needed


class Booked:
    """How runs ended, and how many are under way."""

    def __init__(self) -> None:
        self.live = 0
        self.ended: Counter[str] = Counter()

    def sandbox_began(self) -> None:
        self.live += 1

    def sandbox_ended(self, how: str, seconds: float) -> None:
        self.live -= 1
        self.ended[how] += 1


@pytest.fixture(scope="session")
def booked() -> Booked:
    return Booked()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def sandbox(booked: Booked) -> AsyncIterator[LocalSandbox]:
    """Skips where there is no bubblewrap, or where it may make no namespaces."""
    needed("bwrap", "bubblewrap", "libseccomp2")
    sandbox = LocalSandbox(booked, concurrency=2)
    if problem := await sandbox.problem():
        await sandbox.close()
        pytest.skip(f"code cannot be run here: {problem}")
    yield sandbox
    await sandbox.close()


@pytest.fixture(scope="session")
def problems() -> list[dict[str, Any]]:
    """HumanEval's first 82."""
    folder = os.environ.get("ITS_DATA") or Path(__file__).parents[4] / "shared" / "data"
    path = Path(folder) / "humaneval" / "first82.jsonl"
    if not path.exists():
        pytest.skip("needs humaneval/first82.jsonl (set ITS_DATA to the folder of real data)")
    return [json.loads(line) for line in path.read_text().splitlines()]
