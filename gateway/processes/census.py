"""Pages for whoever asks: every worker is asked what it counted, and all is added up."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from gateway.processes.frames import Kind
from gateway.processes.link import Link
from gateway.processes.pages import Family, Pages, Told

LOST = "its_workers_lost"
COUNT_SECONDS = 1.0
"""How long a page waits for a worker's counts, before those that it told last must do."""


class Census:
    """One page after the other; a page has what was counted before it was asked for.

    `page_of` writes it. Workers are known by a number, their process' id.
    """

    def __init__(
        self,
        page_of: Callable[[Sequence[Family]], bytes],
        clock: Callable[[], float] = time.monotonic,
    ):
        self.until: float | None = None
        """When `look` has something to do."""
        self._page_of = page_of
        self._clock = clock
        self._pages = Pages()
        self._links: dict[int, Link] = {}
        self._askers: list[int] = []
        self._served: list[int] = []
        self._missing: set[int] = set()
        self._question = 0

    def joined(self, worker: int, link: Link) -> None:
        """A worker serves, and is asked from now on."""
        self._links[worker] = link

    def left(self, worker: int, *, asked: bool) -> None:
        """A worker is gone, and all that it said was heard."""
        self._links.pop(worker, None)
        self._pages.ended(worker)
        if not asked:
            self._pages.count(LOST)
        self._missing.discard(worker)
        self._go_on()

    def wanted(self, worker: int) -> None:
        """A worker wants a page."""
        self._askers.append(worker)
        self._go_on()

    def counted(self, worker: int, body: bytes) -> None:
        """A worker told what it counted."""
        told = Told.loaded(body)
        self._pages.heard(worker, told)
        if told.question == self._question:
            self._missing.discard(worker)
            self._go_on()

    def look(self) -> None:
        """Do without those who took too long."""
        if self.until is not None and self._clock() >= self.until:
            self._missing.clear()
            self._go_on()

    def _go_on(self) -> None:
        if self._missing:
            return
        if self._served:
            page = self._page_of(self._pages.merged())
            for worker in self._served:
                if worker in self._links:
                    self._links[worker].tell(Kind.PAGE, page)
        self._served, self._askers = self._askers, []
        self.until = None
        if self._served:
            self._question += 1
            self._missing = set(self._links)
            self.until = self._clock() + COUNT_SECONDS
            for link in self._links.values():
                link.tell(Kind.COUNT, b"%d" % self._question)
