"""Grammars compiled and texts judged where both may take too long: run these in a worker process.

Functions of strings alone, so that they can be sent there, over a vocabulary of single bytes, so
that no tokenizer has to be sent along. The engine is loaded where they run, and not where they are
sent from.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from gateway.grammar.constraint import Constraint, GrammarError

if TYPE_CHECKING:
    from gateway.grammar.engine import Grammar, State

SECONDS = 1.0
"""Time that a worker gets for one of these."""
TOO_LONG = f"this grammar takes more than {SECONDS:g} s, or too much memory, to compile"


def warm_up() -> None:
    """Load the engine."""
    import gateway.grammar.engine  # noqa: F401


def problem(constraint: Constraint) -> str | None:
    """What is wrong with a grammar, in the parser's words; None where it can be used."""
    try:
        _grammar(constraint)
    except GrammarError as error:
        return error.message
    return None


def satisfied(constraint: Constraint, texts: Sequence[str]) -> list[bool]:
    """Whether each text, whole, is in the grammar's language; `GrammarError` as for `Grammar`."""
    grammar = _grammar(constraint)
    return [_satisfies(grammar.start(), text.encode(errors="replace")) for text in texts]


def _grammar(constraint: Constraint) -> Grammar:
    from gateway.grammar.engine import Grammar, Vocabulary

    return Grammar(constraint, Vocabulary.of_bytes())


def _satisfies(state: State, text: bytes) -> bool:
    return all(state.take(byte) for byte in text) and state.complete
