"""No request waits for a store beyond a bound, nor at all for one that is known to fail."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TypeVar

from gateway.stores.seam import StoreUnavailable

logger = logging.getLogger("its_gateway.stores")

T = TypeVar("T")

STEPS = 5
"""A wait ends after so many steps of equal length."""

TIMEOUTS = 3
"""So many time-outs in a row say that the store is slow; one may be this process's own hiccup."""

RETRY_SECONDS = 0.2
"""How often a store that failed is tried again, beside the requests."""

MOST_STEPS = 4 * STEPS
"""A wait ends after so many steps, however this process stalled."""

LAST = 0.2
"""This part of a request's purse is kept back for its last word."""


@dataclass(slots=True)
class _Purse:
    """Seconds that a request may still wait for stores, in all, and those kept back of them."""

    left: float
    kept: float


_PURSE: ContextVar[_Purse | None] = ContextVar("its_store_purse", default=None)
_PATIENCE: ContextVar[float | None] = ContextVar("its_store_patience", default=None)


def open_purse(seconds: float) -> None:
    """From here on, commands of this task and of those that it starts wait `seconds` in all."""
    _PURSE.set(_Purse(seconds * (1 - LAST), seconds * LAST))


def last_word() -> None:
    """What comes now is what the purse of this task's request had something kept back for."""
    if (purse := _PURSE.get()) is not None:
        purse.left, purse.kept = max(0.0, purse.left) + purse.kept, 0.0


@contextmanager
def patiently(seconds: float) -> Iterator[None]:
    """Within it each command waits `seconds`, also for a store that is known to be slow: for work
    that no request waits for."""
    token = _PATIENCE.set(seconds)
    try:
        yield
    finally:
        _PATIENCE.reset(token)


@contextmanager
def unhurried() -> Iterator[None]:
    """Within it no purse is charged: for who waits for something else, and only looks in here."""
    token = _PURSE.set(None)
    try:
        yield
    finally:
        _PURSE.reset(token)


@asynccontextmanager
async def patience(seconds: float) -> AsyncIterator[Callable[[], float]]:
    """`TimeoutError` once its block was waited for so long, in steps; says how long it was so far.

    A step that ends late is this process's own stall, in which an answer may have come that nobody
    had time to read: it does not count, unless there are many.
    """
    loop = asyncio.get_running_loop()
    length = seconds / STEPS
    began, counted, late = loop.time(), 0, 0
    timer: asyncio.TimerHandle

    def waited() -> float:
        return min(loop.time() - began, length * (counted + 1))

    async with asyncio.timeout(None) as limit:

        def step(due: float) -> None:
            nonlocal counted, late, timer
            if loop.time() > due + length / 2:
                late += 1
            else:
                counted += 1
            if counted < STEPS and counted + late < MOST_STEPS:
                again()
            else:
                limit.reschedule(loop.time())

        def again() -> None:
            nonlocal timer
            due = loop.time() + length
            timer = loop.call_at(due, step, due)

        again()
        try:
            yield waited
        finally:
            timer.cancel()


class Guard:
    """Bounds commands to `bound` seconds each, and to what is left in the request's purse.

    `reasons` names what each kind of error says of the store; `full` is the one of them that only
    hits single commands. `count` is told of each command that failed, by reason.
    """

    def __init__(
        self,
        bound: float,
        reasons: Mapping[type[Exception], str],
        count: Callable[[str], None] = lambda reason: None,
    ):
        self.bound = bound
        self.state = "ok"
        self._reasons = reasons
        self._count = count
        self._timeouts = 0

    async def __call__(self, command: Callable[[], Awaitable[T]]) -> T:
        """What `command` comes to; `StoreUnavailable` where it fails or takes too long."""
        if (patience := _PATIENCE.get()) is not None:
            return await self._patiently(patience, command)
        purse = _PURSE.get()
        left = self.bound if purse is None else min(self.bound, purse.left)
        if self.state != "ok" or left <= 0:
            self._count("away")
            raise StoreUnavailable("slow" if self.state == "ok" else self.state, asked=False)
        try:
            result = await self._within(left, command, purse)
        except StoreUnavailable as error:
            # What only the rest of a purse was too short for says nothing of the store.
            if error.reason != "slow" or left > self.bound / 2:
                self._failed(error.reason)
            else:
                self._count("slow")
            raise
        self._timeouts = 0
        return result

    async def heal(self, ping: Callable[[], Awaitable[object]]) -> None:
        """Try a store that failed, for ever; once it answers in time it is used again."""
        while True:
            await asyncio.sleep(RETRY_SECONDS)
            if self.state == "ok":
                continue
            try:
                await self._within(self.bound, ping)
            except StoreUnavailable as error:
                self.state = error.reason
            else:
                logger.warning("redis is used again")
                self.state, self._timeouts = "ok", 0

    async def _patiently(self, seconds: float, command: Callable[[], Awaitable[T]]) -> T:
        """As above, for who has time; that it took long then says nothing new of the store."""
        if self.state not in ("ok", "slow"):
            self._count("away")
            raise StoreUnavailable(self.state, asked=False)
        try:
            return await self._within(seconds, command)
        except StoreUnavailable as error:
            if error.reason == "slow":
                self._count("slow")
            else:
                self._failed(error.reason)
            raise

    async def _within(
        self,
        seconds: float,
        command: Callable[[], Awaitable[T]],
        purse: _Purse | None = None,
    ) -> T:
        try:
            async with patience(seconds) as waited:
                try:
                    return await command()
                finally:
                    if purse is not None:
                        purse.left -= waited()
        except TimeoutError:
            raise StoreUnavailable("slow") from None
        except tuple(self._reasons) as error:
            kinds = (self._reasons.get(kind) for kind in type(error).__mro__)
            reason = next(word for word in kinds if word is not None)
            raise StoreUnavailable(reason) from error

    def _failed(self, reason: str) -> None:
        self._count(reason)
        self._timeouts = self._timeouts + 1 if reason == "slow" else 0
        if reason == "full" or (reason == "slow" and self._timeouts < TIMEOUTS):
            return
        if self.state == "ok":
            logger.warning("redis cannot be used", extra={"reason": reason})
        self.state = reason
