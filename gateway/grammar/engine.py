"""Which tokens a grammar allows next, by llguidance; compiling may take long: see `checking`."""

from __future__ import annotations

import json
from collections.abc import Collection

import numpy as np
from llguidance import LLMatcher, LLParserLimits, LLTokenizer, TokenizerWrapper, grammar_from

from gateway.grammar.constraint import Constraint, GrammarError
from gateway.grammar.integers import bounded
from gateway.grammar.trie import Mask

WHITESPACE = r"( |\n {0,8})?"
"""Between the parts of a JSON text: none, one space, or a new line and its indentation.

So JSON on one line and JSON indented by two for four levels are in the grammar as models write it,
and a model that wanders off into white space, as poor ones do, is back after nine characters.
"""
LONGEST_MESSAGE = 300


def limits() -> LLParserLimits:
    """What one grammar may take: a step some 20 ms, its automata some 40 MB."""
    return LLParserLimits(
        initial_lexer_fuel=1_000_000,
        step_lexer_fuel=200_000,
        step_max_items=50_000,
        max_lexer_states=20_000,
        max_grammar_size=200_000,
        precompute_large_lexemes=False,
        verbose_errors=False,
    )


class Vocabulary:
    """A model's tokens: `size` of them, of which `ends`, one at least, end an answer."""

    def __init__(self, tokens: LLTokenizer, size: int, ends: Collection[int]) -> None:
        self.tokens = tokens
        self.size = size
        self.ends = np.array(sorted(ends), np.int64)

    @classmethod
    def of_json(cls, tokenizer: str, size: int, ends: Collection[int]) -> Vocabulary:
        """By the text of a Hugging Face tokenizer.json; about a second for a large one."""
        # Without slices: they pay for large vocabularies and simple grammars, and cost memory.
        slices: list[str] | None = [] if size < 1 << 14 else None
        return cls(LLTokenizer(tokenizer, size, min(ends), slices), size, ends)

    @classmethod
    def of_bytes(cls) -> Vocabulary:
        """A token for each byte, and one more that ends the text."""
        return cls(LLTokenizer(TokenizerWrapper(_Bytes()), 257, 256, []), 257, [256])


class _Bytes:
    eos_token_id = 256
    bos_token_id = None
    special_token_ids = (256,)
    tokens = (*(bytes([byte]) for byte in range(256)), b"<end>")

    def __call__(self, text: bytes | str) -> list[int]:
        return list(text if isinstance(text, bytes) else text.encode())


class Grammar:
    """A compiled grammar over a vocabulary; `GrammarError` where it is none, or allows nothing."""

    def __init__(self, constraint: Constraint, vocabulary: Vocabulary) -> None:
        self.vocabulary = vocabulary
        text = serialised(constraint)
        self._fresh = LLMatcher(vocabulary.tokens, text, limits=limits(), log_level=0)
        if error := self._fresh.get_error():
            raise GrammarError(f"{constraint.param}: {told(error)}", constraint.param)
        if not self.start().allowed().any():
            message = f"{constraint.param}: nothing satisfies this grammar"
            raise GrammarError(message, constraint.param)

    def start(self) -> State:
        """The beginning of an answer."""
        return State(self._fresh.deep_copy(), self.vocabulary)


class State:
    """An answer so far; may be copied, and belongs to one thread at a time."""

    def __init__(self, matcher: LLMatcher, vocabulary: Vocabulary) -> None:
        self._matcher = matcher
        self._vocabulary = vocabulary

    def copy(self) -> State:
        return State(self._matcher.deep_copy(), self._vocabulary)

    @property
    def complete(self) -> bool:
        """Whether the answer may end here."""
        return bool(self._matcher.is_accepting()) and not self._matcher.is_error()

    def allowed(self) -> Mask:
        """The tokens that may follow [vocab], those that end the answer included where it may.

        None at all where the grammar's automata outgrew their limits.
        """
        bits = np.frombuffer(self._matcher.compute_bitmask(), np.uint8)
        mask = np.unpackbits(bits, count=self._vocabulary.size, bitorder="little").view(np.bool_)
        if self._matcher.is_error():
            mask[:] = False
        # The engine offers the end also where it has nothing else to offer.
        mask[self._vocabulary.ends] = self.complete
        return mask

    def take(self, token: int) -> bool:
        """Go on with a token that does not end the answer; False where it is not allowed."""
        return bool(self._matcher.consume_token(token))


def serialised(constraint: Constraint) -> str:
    """llguidance's own form of a grammar; `GrammarError` where it cannot be converted."""
    try:
        if constraint.kind == "json":
            return LLMatcher.grammar_from_json_schema(
                bounded(constraint.source), overrides={"whitespace_pattern": WHITESPACE}
            )
        if constraint.kind == "choice":
            words = " | ".join(json.dumps(word) for word in json.loads(constraint.source))
            return LLMatcher.grammar_from_lark(f"start: {words}")
        return grammar_from("regex" if constraint.kind == "regex" else "grammar", constraint.source)
    except ValueError as error:
        raise GrammarError(f"{constraint.param}: {told(str(error))}", constraint.param) from None


def told(error: str) -> str:
    """The parser's message with its position, without its own state and in bounded length."""
    for mark in ("\n<", "<non-verbose/>", "<state>", "<backtrace>"):
        error = error.split(mark)[0]
    if error.strip() == "NoExtensionBias":
        return "nothing satisfies this grammar"
    lines = [line[:LONGEST_MESSAGE].rstrip() for line in error.splitlines() if line.strip()]
    return "\n".join(lines)[: 2 * LONGEST_MESSAGE]
