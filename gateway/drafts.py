"""Candidates that grow side by side, each of which can be watched and stopped."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from gateway.errors import DeadlineExceeded, GatewayError
from gateway.reading import Reading
from gateway.types import Candidate, Delta, Event, Finished, Restarted


@dataclass(slots=True)
class Draft:
    """A candidate while it grows; `candidate` is there once it is `done`.

    `index` is its place in the order in which the request's samples were begun; `tokens` counts its
    completion tokens; `logprobs` are OpenAI's entries for them, where asked. A draft whose upstream
    was lost begins anew: its text is empty again.
    """

    index: int
    text: str = ""
    tokens: int = 0
    logprobs: list[Any] = field(default_factory=list)
    candidate: Candidate | None = None

    @property
    def id(self) -> str:
        return f"draft-{self.index}"

    @property
    def done(self) -> bool:
        return self.candidate is not None

    def clear(self) -> None:
        """Forget what it wrote."""
        self.text, self.tokens = "", 0
        self.logprobs.clear()


class Drafts:
    """`async with` starts the calls and aborts what still grows on leaving; `async for` yields each
    draft whenever it grew or ended, until all have ended or the deadline is there.

    If every call failed, the iteration raises the first error.
    """

    def __init__(
        self,
        readings: Sequence[Reading],
        until: float | None,
        left: Callable[[Sequence[Candidate], int], None],
    ):
        self._readings = readings
        self._until = until
        self._left = left
        self._news: asyncio.Queue[tuple[int, Event | GatewayError | None]] = asyncio.Queue()
        self._tasks: list[asyncio.Task[None]] = []
        self._drafts: dict[tuple[int, int], Draft] = {}
        self._stopped: set[str] = set()
        self._errors: list[GatewayError] = []
        self._over: set[int] = set()

    @property
    def growing(self) -> int:
        """How many have neither ended nor failed nor been stopped, as far as was read."""
        left = sum(
            reading.call.n for n, reading in enumerate(self._readings) if n not in self._over
        )
        gone = (
            draft.done or draft.id in self._stopped
            for (n, _), draft in self._drafts.items()
            if n not in self._over
        )
        return left - sum(gone)

    async def __aenter__(self) -> Self:
        self._tasks = [
            asyncio.create_task(self._pump(number, reading))
            for number, reading in enumerate(self._readings)
        ]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        done = [candidate for reading in self._readings for candidate in reading.candidates()]
        self._left(done, len(self._errors))

    async def __aiter__(self) -> AsyncIterator[Draft]:
        running = len(self._tasks)
        while running:
            try:
                self._check_time()
                # Around the wait alone: a time-out must not strike in the reader's own code.
                async with asyncio.timeout_at(self._until):
                    number, news = await self._news.get()
            except TimeoutError:
                for draft in self._cut():
                    yield draft
                break
            if news is None or isinstance(news, GatewayError):
                running -= 1
                self._over.add(number)
                self._errors += [news] if news else []
            elif (grown := self._grown(number, news)) is not None:
                yield grown
        if not any(draft.done for draft in self._drafts.values()) and not self._stopped:
            raise self._errors[0] if self._errors else DeadlineExceeded("no text by the deadline")

    def _check_time(self) -> None:
        """TimeoutError past the deadline, however much news a slow reader has left to read."""
        if self._until is not None and asyncio.get_running_loop().time() >= self._until:
            raise TimeoutError

    async def stop(self, draft_id: str) -> None:
        """Stop the draft; its call is aborted upstream once none of the call's drafts grows."""
        self._stopped.add(draft_id)
        number = next(n for (n, _), draft in self._drafts.items() if draft.id == draft_id)
        siblings = [draft for (n, _), draft in self._drafts.items() if n == number]
        reading = self._readings[number]
        if len(siblings) == reading.call.n and all(
            draft.done or draft.id in self._stopped for draft in siblings
        ):
            self._tasks[number].cancel()

    async def _pump(self, number: int, reading: Reading) -> None:
        end: GatewayError | None = None
        try:
            await reading.read(lambda event: self._news.put_nowait((number, event)))
        except GatewayError as error:
            end = error
        finally:
            self._news.put_nowait((number, end))

    def _grown(self, number: int, event: Event) -> Draft | None:
        if isinstance(event, Restarted):
            for index in event.indices:
                self._draft(number, index).clear()
            return None
        if not isinstance(event, Delta | Finished):
            return None
        draft = self._draft(number, event.index)
        if draft.id in self._stopped:
            return None
        if isinstance(event, Finished):
            draft.candidate = event.candidate
            draft.text = event.candidate.text
        else:
            delta = event.choice.get("delta") or {}
            draft.text += delta.get("content") or ""
            draft.tokens = event.tokens
            draft.logprobs.extend((event.choice.get("logprobs") or {}).get("content") or ())
        return draft

    def _draft(self, number: int, index: int) -> Draft:
        first = self._readings[number].offset
        return self._drafts.setdefault((number, index), Draft(first + index))

    def _cut(self) -> list[Draft]:
        """At the deadline, drafts under way become candidates cut by length."""
        for task in self._tasks:
            task.cancel()
        fresh: list[Draft] = []
        for number, reading in enumerate(self._readings):
            reading.cut_at_deadline()
            for index, candidate in reading.by_index().items():
                draft = self._draft(number, index)
                if not draft.done and draft.id not in self._stopped:
                    draft.candidate = candidate
                    fresh.append(draft)
        return fresh
