"""What a request's `vllm_xargs` ask of the processor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from gateway.grammar.checking import problem
from gateway.grammar.constraint import Constraint
from gateway.grammar.walk import METHODS, Method

KINDS = ("json", "regex", "choice", "grammar")
MAX_SOURCE = 1 << 16
"""Characters of a grammar. It is compiled in the server's own process, so that this, with the
engine's limits, is what bounds the time: well under a second."""
NEUTRAL = {
    "top_p": 1.0,
    "min_p": 0.0,
    "presence_penalty": 0.0,
    "frequency_penalty": 0.0,
    "repetition_penalty": 1.0,
}
"""What the processor, which draws the token itself, does not heed."""


@dataclass(frozen=True, slots=True)
class Wish:
    """A grammar, the method by which to sample in it, and whose tries to use."""

    constraint: Constraint
    method: Method
    session: str
    temperature: float
    seed: int | None


def wish_of(params: Any) -> Wish | None:
    """What `SamplingParams` ask for; None where that is nothing. ValueError where it is malformed
    or cannot be combined."""
    extra = params.extra_args or {}
    if "its_grammar" not in extra:
        return None
    kind, source = extra.get("its_grammar_kind", "grammar"), extra["its_grammar"]
    method, session = extra.get("its_method", "cars"), extra.get("its_session", "")
    if kind not in KINDS:
        raise ValueError(f"its_grammar_kind: one of {', '.join(KINDS)}")
    if not isinstance(source, str) or not 0 < len(source) <= MAX_SOURCE:
        raise ValueError(f"its_grammar: a string of 1 to {MAX_SOURCE} characters")
    if method not in METHODS:
        raise ValueError(f"its_method: one of {', '.join(METHODS)}")
    if not isinstance(session, str) or len(session) > 256:
        raise ValueError("its_session: a string of at most 256 characters")
    if params.structured_outputs is not None:
        raise ValueError("its_grammar and structured_outputs exclude each other")
    for name, neutral in NEUTRAL.items():
        if getattr(params, name) != neutral and params.temperature > 0:
            raise ValueError(f"{name} cannot be combined with its_grammar; allowed: {neutral}")
    if params.top_k > 0 and params.temperature > 0:
        raise ValueError("top_k cannot be combined with its_grammar; allowed: 0")
    constraint = Constraint(kind, source, "its_grammar")
    return Wish(constraint, method, session, params.temperature, params.seed)


def checked(params: Any) -> None:
    """ValueError, in the parser's words, where a request's grammar cannot be used."""
    wish = wish_of(params)
    if wish is not None and (wrong := problem(wish.constraint)):
        raise ValueError(wrong)
