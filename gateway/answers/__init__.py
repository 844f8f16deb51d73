"""What a text answers, when two answers are the same, and whether shown working computes.

Pure: the standard library only, no state, linear time in the length of the text. Every text is
taken for hostile: lengths, digits, exponents and nesting are bounded before anything is computed.
"""

from gateway.answers.documents import json_key, parse_json, tool_calls_key
from gateway.answers.equations import Equation, equations
from gateway.answers.keys import (
    canonical,
    is_numeric_key,
    looks_mathematical,
    shortened,
    text_key,
)
from gateway.answers.marks import extract, last_number
from gateway.answers.quantities import Quantity, quantity

__all__ = [
    "Equation",
    "Quantity",
    "canonical",
    "equations",
    "extract",
    "is_numeric_key",
    "json_key",
    "last_number",
    "looks_mathematical",
    "parse_json",
    "quantity",
    "shortened",
    "text_key",
    "tool_calls_key",
]
