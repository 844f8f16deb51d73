"""Counting votes: classes of answers by how many candidates gave them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from strategies.rules.base import Seen


def counts(seen: Sequence[Seen]) -> list[int]:
    """Votes of each class, most first; candidates without an answer have no vote."""
    votes = Counter(each.key for each in seen if each.key is not None)
    return sorted(votes.values(), reverse=True)


def leading(seen: Sequence[Seen]) -> tuple[int, int]:
    """Votes of the first and of the second class; 0 where there is none."""
    first, second, *_ = [*counts(seen), 0, 0]
    return first, second


def unanimous(seen: Sequence[Seen]) -> bool:
    """Whether all gave an answer, and the same."""
    keys = {each.key for each in seen}
    return len(keys) == 1 and None not in keys
