"""Which replica fails so much more than its peers that it is better left alone (pure)."""

from __future__ import annotations

from collections.abc import Sequence

LEAST_CALLS = 10
"""Fewer outcomes than this in the window say nothing."""
WORST_RATE = 0.5
"""A replica that fails less often than this is no outlier."""
AHEAD = 0.3
"""So much more often than its peers together it has to fail: what all fail at is not its fault."""


def is_outlier(own: tuple[int, int], peers: Sequence[tuple[int, int]], *, away: int) -> bool:
    """Whether a replica with `own` (calls, failures) should be ejected.

    `peers` are the others that serve its models, `away` how many of those are ejected already: at
    most half of them all ever are.
    """
    calls, failures = own
    if calls < LEAST_CALLS or failures / calls < WORST_RATE or 2 * (away + 1) > len(peers) + 1:
        return False
    all_calls = sum(each[0] for each in peers)
    all_failures = sum(each[1] for each in peers)
    return failures / calls >= (all_failures / all_calls if all_calls else 0.0) + AHEAD
