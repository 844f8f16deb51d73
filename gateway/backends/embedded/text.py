"""Tokens into text as they come: no half characters, and nothing of a stop string."""

from __future__ import annotations

import codecs
from collections.abc import Sequence


class Text:
    """The text of one candidate. What `push` and `flush` return, joined, is all of it.

    `stopped` is the stop string that ended it, once one has.
    """

    def __init__(
        self, pieces: Sequence[bytes], stops: Sequence[str] = (), *, include_stop: bool = False
    ) -> None:
        self._pieces = pieces
        self._stops = stops
        self._include_stop = include_stop
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._held = ""
        self.stopped: str | None = None

    def push(self, token: int, *, stoppable: bool = True) -> str:
        """Add one token; the text that is now certain to be part of the answer."""
        return self._release(self._decoder.decode(self._pieces[token]), stoppable)

    def flush(self) -> str:
        """The rest, at the end: what was held back turned out to be no stop string."""
        rest = "" if self.stopped else self._held + self._decoder.decode(b"", final=True)
        self._held = ""
        return rest

    def _release(self, fresh: str, stoppable: bool) -> str:
        if not self._stops or not stoppable:
            text, self._held = self._held + fresh, ""
            return text
        if not fresh:
            return ""
        text, self._held = self._held + fresh, ""
        # The earliest stop string wins; of two that begin together, the one given first.
        hits = [(text.find(stop), rank) for rank, stop in enumerate(self._stops) if stop in text]
        if hits:
            at, rank = min(hits)
            self.stopped = self._stops[rank]
            return text[: at + len(self.stopped)] if self._include_stop else text[:at]
        keep = len(text) - self._suspect(text)
        text, self._held = text[:keep], text[keep:]
        return text

    def _suspect(self, text: str) -> int:
        """Length of the longest end of `text` that could begin a stop string."""
        longest = min(len(text), max(map(len, self._stops)) - 1)
        for length in range(longest, 0, -1):
            if any(stop.startswith(text[-length:]) for stop in self._stops):
                return length
        return 0
