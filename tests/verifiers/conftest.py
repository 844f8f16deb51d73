"""A stand-in session: the request that verifiers read, and real worker processes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar, cast

import pytest

from gateway import Candidate, Session
from gateway.types import Request
from gateway.workers import Workers

T = TypeVar("T")


class StandIn:
    """As much of a session as a verifier that calls no model can see."""

    def __init__(self, workers: Workers, request: Request):
        self._workers = workers
        self.request = request
        self.computed = 0

    async def compute(self, function: Callable[..., T], *args: object, seconds: float) -> T:
        self.computed += 1
        return await self._workers.run(function, *args, seconds=seconds)


@pytest.fixture(scope="session")
def workers() -> Iterator[Workers]:
    workers = Workers(1, preload=("jsonschema", "verifiers.symbolic:warm_up"))
    yield workers
    workers.close()


MakeSession = Callable[..., Session]


@pytest.fixture(scope="session")
def make_session(workers: Workers) -> MakeSession:
    def make(*, reference: str | None = None, **fields: Any) -> Session:
        request = Request(model="m", messages=[], reference=reference, fields=fields)
        return cast(Session, StandIn(workers, request))

    return make


Said = Callable[..., list[Candidate]]


@pytest.fixture(scope="session")
def said() -> Said:
    """Makes candidates with the given texts."""

    def make(*texts: str, **fields: Any) -> list[Candidate]:
        return [Candidate(id=str(i), text=text, **fields) for i, text in enumerate(texts)]

    return make


Called = Callable[..., Candidate]


@pytest.fixture(scope="session")
def called() -> Called:
    """Makes a candidate that calls the given functions, each (name, arguments)."""

    def make(*calls: tuple[str, str], **fields: Any) -> Candidate:
        tool_calls: tuple[Mapping[str, Any], ...] = tuple(
            {"id": f"call-{i}", "type": "function", "function": {"name": name, "arguments": text}}
            for i, (name, text) in enumerate(calls)
        )
        given = {"finish_reason": "tool_calls", **fields}
        return Candidate(id="t", text="", tool_calls=tool_calls, **given)

    return make
