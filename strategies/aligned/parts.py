"""What the ways of drawing know of a request's drawing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from gateway import Candidate, Session
from gateway.grammar import Constraint


class Drawn(Protocol):
    session: Session
    constraint: Constraint | None
    steps: int
    evidence: dict[str, Any]

    def whole(self, drawn: Sequence[Candidate]) -> list[Candidate]:
        """Those that ended by themselves."""
        ...
