"""Early-stopping self-consistency (Li et al., arXiv 2401.10480)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field

from gateway import rule
from strategies.rules.base import Draw, Next, Rule, Seen, Setting, Stop
from strategies.rules.votes import unanimous


@rule
def esc(
    setting: Setting,
    *,
    window: Annotated[int, Field(ge=2, le=64, description="Candidates of a window.")] = 5,
) -> Rule:
    """Draw window by window; stop at the first whose candidates all give the same answer."""
    return _Windows(window)


class _Windows(Rule):
    def __init__(self, window: int):
        self._window = window
        self._seen = 0
        self._agreed = False

    def ask(self) -> Next:
        if self._agreed:
            return Stop("agreed", {"window": self._window})
        return Draw(self._window - self._seen % self._window)

    def tell(self, seen: Sequence[Seen]) -> None:
        # Some of a window may have failed: it is filled up before it is looked at.
        whole = [
            seen[end - self._window : end]
            for end in range(self._window, len(seen) + 1, self._window)
        ]
        self._seen = len(seen)
        self._agreed = any(map(unanimous, whole))
