"""Small grammars whose answers can be enumerated, each with a question for the demo model."""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass
from typing import Any

from gateway.grammar import Constraint

WHAT = "What is 12 + 30?"
STORY = "Ana has 12 apples. She buys 30 more. How many apples does Ana have now?"
IN_JSON = f"{STORY} Answer in JSON."


@dataclass(frozen=True, slots=True)
class Case:
    """A grammar by its name, and the question behind which it is sampled."""

    name: str
    question: str
    constraint: Constraint


def _choice(words: list[str]) -> Constraint:
    return Constraint("choice", json.dumps(words), "choice")


def _gbnf(text: str) -> Constraint:
    return Constraint("grammar", text, "grammar")


def _object(**values: Any) -> Constraint:
    schema = {
        "type": "object",
        "properties": {name: {"enum": list(allowed)} for name, allowed in values.items()},
        "required": list(values),
        "additionalProperties": False,
    }
    return Constraint("json", json.dumps(schema), "json")


BITS = ["".join(bits) for bits in itertools.product("01", repeat=4)]
SUMS = [f"{a} + {b} = {a + b}" for a in (10, 12, 13) for b in (20, 30, 31)]
CASES = (
    Case("zeros or one", WHAT, _gbnf('root ::= "00000" | "1" [01]{4}')),
    Case("even parity", WHAT, _choice([word for word in BITS if word.count("1") % 2 == 0])),
    Case("palindromes", WHAT, _choice([word for word in BITS if word == word[::-1]])),
    Case("numbers", WHAT, Constraint("regex", "[1-9][0-9]?", "regex")),
    Case("arithmetic", WHAT, Constraint("regex", r"1[0-3] \+ [23]0 = [1-5][02]", "regex")),
    Case("true arithmetic", WHAT, _choice(SUMS)),
    Case("wrong arithmetic", WHAT, _choice([f"{sum_}1" for sum_ in SUMS] + ["0"])),
    Case("nested", WHAT, _gbnf('root ::= "7" | "(" a ")"\na ::= "7" | "(" b ")"\nb ::= "7"')),
    Case("words", STORY, _choice(["apples", "apple pie", "Ana", "Answer", "no"])),
    Case("object", IN_JSON, _object(answer=(40, 42, 43))),
    # On one line: with the white space of JSON in two enums, too many answers to enumerate.
    Case("two enums", IN_JSON, _gbnf(
        'root ::= "{\\"answer\\": " ("18" | "42") ", \\"unit\\": \\"" ("apples" | "pears") "\\"}"'
    )),
    Case("list", IN_JSON, _gbnf('root ::= "[" ([1-4] (", " [1-4])?)? "]"')),
    Case("deep dead end", STORY, _choice(["12 + 30 = 42\nAnswer: 5", "x", "y", "42 apples"])),
    Case("steps", IN_JSON, _gbnf(
        'root ::= "{\\"steps\\": [\\"12 + 30 = " [0-9] [0-9] "\\"], \\"answer\\": " [2-4] "}"'
    )),
)  # fmt: skip
