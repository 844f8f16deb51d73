"""Symbolic equality of two answers by math-verify; a helper of verifiers, not one itself."""

from __future__ import annotations

import logging

MAX_LENGTH = 300


def warm_up() -> None:
    """Have all lazy imports and tables of the parser made: the first call takes a second."""
    equal(r"\frac{\sqrt{2}}{2} + x", r"x + 1/\sqrt{2}")


def equal(left: str, right: str) -> bool:
    """Whether two TeX or plain formulas are the same mathematically.

    Runs without limits of its own and may never end: call it through `session.compute`. Only the
    TeX grammar is used, never the library's plain-expression one, which evaluates Python.
    """
    # Imported here because only a worker needs it: the import takes a second.
    from math_verify import verify

    logging.getLogger("math_verify").setLevel(logging.CRITICAL)
    first, second = _parsed(left), _parsed(right)
    if not first or not second:
        return False
    # math-verify treats gold and answer differently; equality must not depend on the order.
    return bool(
        verify(first, second, timeout_seconds=None) or verify(second, first, timeout_seconds=None)
    )


def _parsed(answer: str) -> list[object]:
    from math_verify import LatexExtractionConfig, parse

    if len(answer) > MAX_LENGTH:
        return []
    inner = answer.strip().strip("$").strip()
    parsed = parse(
        f"${inner}$",
        extraction_config=[LatexExtractionConfig()],
        fallback_mode="no_fallback",
        parsing_timeout=None,
        raise_on_error=False,
    )
    return list(parsed)
