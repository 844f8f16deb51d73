"""Grammars that take long, or much, or never end; and sound ones made unsound by a seed."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator


def _deep(depth: int) -> str:
    return '{"items":' * depth + "{}" + "}" * depth


HOSTILE = {
    "left recursion": ("grammar", 'start: start "a" | start start | "b"'),
    "no end": ("grammar", 'start: "a" start'),
    "nested stars": ("regex", "(((a*)*)*)*b"),
    "overlapping stars": ("regex", "(a|aa)*" * 200),
    "counted": ("regex", "((a{0,1000}){0,1000}){0,1000}"),
    "exponential automaton": ("regex", ".*a.{40}"),
    "many of them": ("regex", "(.*a.*){60}"),
    "unicode": ("regex", r"\p{L}{1,5000}"),
    "large choice": ("grammar", "start: " + " | ".join(f'"{i}"' for i in range(45_000))),
    "large regex": ("regex", "|".join(f"a{i}" for i in range(60_000))),
    "large line": ("grammar", "x" * 500_000),
    "brackets": ("regex", "(" * 250_000 + ")" * 250_000),
    "deep rule": ("grammar", "start: " + "(" * 200_000 + '"a"' + ")" * 200_000),
    "deep schema": ("json", _deep(40_000)),
    "large schema": (
        "json",
        json.dumps({"type": "object", "properties": {f"p{i}": {} for i in range(15_000)}}),
    ),
    "long array": ("json", '{"type": "array", "minItems": 1000000, "items": {}}'),
    "long string": ("json", '{"type": "string", "maxLength": 100000000}'),
    "catastrophic pattern": ("json", '{"type": "string", "pattern": "^(a+)+$"}'),
    "circle": ("json", '{"$defs": {"a": {"$ref": "#/$defs/a"}}, "$ref": "#/$defs/a"}'),
    "tree": (
        "json",
        '{"$defs": {"t": {"type": "array", "items": {"$ref": "#/$defs/t"}}}, "$ref": "#/$defs/t"}',
    ),
    "anything": ("json", "{}"),
    "contradiction": ("json", '{"type": "string", "minLength": 9, "maxLength": 3}'),
    "a megabyte": ("grammar", 'start: "' + "x" * 1_000_000 + '"'),
    "binary": ("grammar", "\x00\x01\ufffd" * 1000),
    "many rules": (
        "grammar",
        "start: r0\n" + "".join(f"r{i}: r{i + 1} r{i + 1}\n" for i in range(20_000)),
    ),
}

SOUND = (
    ("grammar", 'start: expr\nexpr: expr "+" NUM | NUM\nNUM: /[0-9]+/'),
    ("grammar", 'root ::= "a" (root | "b"){1,3} [x-z]*'),
    ("regex", r"(\d{1,3}\.){3}\d{1,3}|[a-f]+?(?i:x)"),
    ("json", '{"type":"array","items":{"anyOf":[{"type":"string","pattern":"a+"},{}]}}'),
)


def fuzzed(count: int, seed: int) -> Iterator[tuple[str, str]]:
    """`count` kinds and sources: sound ones with characters changed, cut and repeated."""
    rng = random.Random(seed)
    for _ in range(count):
        kind, source = rng.choice(SOUND)
        text = list(source)
        for _ in range(rng.randrange(1, 6)):
            at = rng.randrange(len(text) or 1)
            text[at : at + rng.randrange(3)] = rng.choices(
                "()[]{}|*+?\\/\"':,\n0a9&~$^", k=rng.randrange(4)
            )
        yield kind, "".join(text) * rng.choice([1, 1, 1, 50])
