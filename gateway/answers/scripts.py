"""What counts as a letter in a regular expression: `\\w` leaves out vowel signs of many scripts."""

from __future__ import annotations

import unicodedata

_BLOCKS = ((0x0300, 0x0370), (0x0900, 0x0E80))
"""Combining accents; the scripts of India, Sri Lanka and Thailand."""

MARKS = (
    "".join(
        chr(code)
        for begin, end in _BLOCKS
        for code in range(begin, end)
        if unicodedata.category(chr(code)).startswith("M")
    )
    + "\u200c\u200d"
)
"""Signs that stand only beside a letter, and the joiners."""

LETTER = rf"(?:[^\W\d_]|[{MARKS}])"
"""One letter or sign; the two sides have nothing in common, so that it repeats in linear time."""
