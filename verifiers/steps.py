"""Where the steps of an answer end (pure)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Literal

How = Literal["line", "paragraph", "numbered"]

BREAKS: Mapping[How, re.Pattern[str]] = {
    "line": re.compile(r"\n"),
    "paragraph": re.compile(r"\n[ \t]*\n"),
    "numbered": re.compile(r"\n(?=[ \t]*+[#*]*+[ \t]*+step[ \t]+[0-9]{1,4}\b)", re.IGNORECASE),
}


def ends(text: str, how: How = "line", separator: str = "", most: int = 64) -> list[int]:
    """Numbers of characters of `text` at which its steps end, ascending; none for a blank text.

    Steps are parted by `separator` where one is given. A step ends with its last character that is
    not space. Of more than `most` steps, neighbours count as one.
    """
    pattern = re.compile(re.escape(separator)) if separator else BREAKS[how]
    breaks = [match.start() for match in pattern.finditer(text)]
    found: list[int] = []
    for start, end in pairwise([0, *breaks, len(text)]):
        between = text[start:end].rstrip()
        if between.removeprefix(separator).strip():
            found.append(start + len(between))
    count = min(most, len(found))
    return [found[(place * len(found)) // count - 1] for place in range(1, count + 1)]


def marked(text: str, ends_at: Sequence[int], marker: str) -> tuple[str, list[int]]:
    """`text` with `marker` behind each step, and the ends of the markers."""
    parts: list[str] = []
    places: list[int] = []
    start = length = 0
    for end in ends_at:
        parts.append(text[start:end] + marker)
        length += len(parts[-1])
        places.append(length)
        start = end
    return "".join([*parts, text[start:]]).rstrip(), places
