"""Grammars, and sampling from a model's distribution *given* one (pure).

Light to import: what needs NumPy or the grammar engine lies in modules of its own (`trie`, `walk`,
`awrs`, `store`; `engine`), for backends and for the vLLM plugin.
"""

from gateway.grammar.constraint import (
    REJECTED,
    Constraint,
    GrammarError,
    constraint_of,
    tools_constraint,
)
from gateway.grammar.weights import chain, effective, normalised, resampled

__all__ = [
    "REJECTED",
    "Constraint",
    "GrammarError",
    "chain",
    "constraint_of",
    "effective",
    "normalised",
    "resampled",
    "tools_constraint",
]
