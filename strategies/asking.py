"""What a rule needs beside candidates: lessons of earlier requests, and work done elsewhere."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from gateway import Session
from strategies.rules.base import Draw, Rule, Stop, Work

SECONDS = 10.0
"""Time limit of a rule's work."""

Ask = Callable[[], Awaitable[Draw | Stop]]


@asynccontextmanager
async def asking(session: Session, name: str, rule: Rule) -> AsyncIterator[Ask]:
    """A way to ask `rule`: it is told what it learned on this route, and its lesson is kept.

    A route is a rule, what it goes by, and a model. A request that fails teaches nothing.
    """
    route = f"adaptive/{rule.topic or name}/{rule.verifier}/{session.request.model}"
    if rule.decay is not None:
        rule.recall((await session.state.read(route)).values)

    async def ask() -> Draw | Stop:
        asked = rule.ask()
        while isinstance(asked, Work):
            rule.solved(await _done(session, asked))
            asked = rule.ask()
        return asked

    yield ask
    if rule.decay is None:
        return
    rule.recall((await session.state.read(route)).values)  # others have learned meanwhile
    if lesson := rule.lesson():
        await session.state.add(route, lesson, rule.decay)


async def _done(session: Session, work: Work) -> object:
    try:
        return await session.compute(work.function, *work.args, seconds=SECONDS)
    except TimeoutError:
        session.degrade("rule_out_of_time")  # it decides without, and so not as it would have
        return None
