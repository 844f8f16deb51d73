"""Tokens of the arithmetic that a text shows, whatever dress it wears: prose, Markdown or TeX."""

from __future__ import annotations

import re
from collections.abc import Iterator
from fractions import Fraction

from gateway.answers.arithmetic import Token

MAX_DIGITS = 40

WIDE = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)}
"""Full-width forms of Chinese and Japanese typing, to their ASCII characters."""

_REWRITES = (
    (re.compile(r"\{,\}"), ","),
    (re.compile(r"\\(?:left|right|displaystyle)(?![A-Za-z])"), ""),
    (re.compile(r"\\(?:text|mathrm|textbf|mathbf|mbox)\{([^{}]{0,80})\}"), r" \1 "),
    (re.compile(r"\^\{?\\circ\}?|°"), " "),
    (re.compile(r"\^\{(-?\d{1,3})\}"), r"^\1"),
    (re.compile(r"\\[dt]?frac(\d)(\d)"), r"((\1)/(\2))"),
    (re.compile(r"\\[dt]?frac\{([^{}]{1,80})\}\{([^{}]{1,80})\}"), r"((\1)/(\2))"),
    (re.compile(r"\\[dt]?frac\{([^{}]{1,80})\}\{([^{}]{1,80})\}"), r"((\1)/(\2))"),
    (re.compile(r"\\(?:boxed|fbox)\{([^{}]{0,80})\}"), r" \1 "),
    (re.compile(r"\\times(?![A-Za-z])|\\cdot(?![A-Za-z])|[×·∙⋅✕]"), "*"),
    (re.compile(r"\\div(?![A-Za-z])|÷"), "/"),
    (re.compile(r"\\approx(?![A-Za-z])|≈|≃"), "≈"),
    (re.compile(r"\\[,;:! ]|\\(?:quad|qquad)(?![A-Za-z])|&"), " "),
    (re.compile(r"\\([$%])"), r"\1"),
    (re.compile(r"\\[()\[\]]"), "\n"),
    (re.compile(r"[−﹣－]|(?<=\d)[–](?=\d)| – "), "-"),
    (re.compile(r"(?<=[\d)])\*\*(?=[-(\d])|(?<=[\d)] )\*\*(?= [-(\d])"), "^"),
    (re.compile(r"\*\*|__|`"), " "),
)
_TOKEN = re.compile(
    r"(?P<mixed>\d{1,3}[ ]\d{1,2}/\d{1,2}(?![\d/.]))"
    r"|(?P<number>(?:\d{1,3}(?:,\d{3})+(?![\d,])|\d+)(?:\.\d+)?|\.\d+)"
    r"|(?P<relation>(?<![<>!:=])=(?![=>])|≈)"
    r"|(?P<op>[-+*/^()%])"
    r"|(?P<word>\\?[^\W\d_]+)"
    r"|(?P<space>\s+)"
    r"|(?P<money>[$€£¢])"
    r"|(?P<other>.)"
)
_BULLET = re.compile(r"\s{0,20}(?:[-*•+]|\d{1,3}[.)]|[#>]{1,6})\s+")


def lines(text: str) -> Iterator[str]:
    """The lines of `text` in plain arithmetic notation, a line that begins with `=` joined on."""
    text = text.translate(WIDE)
    for pattern, replacement in _REWRITES:
        text = pattern.sub(replacement, text)
    held: list[str] = []
    for line in text.replace("\\\\", "\n").split("\n"):
        line = line.strip()
        if line and not line.startswith(("=", "≈")):
            yield _unbulleted(" ".join(held))
            held = []
        held.append(line)
    yield _unbulleted(" ".join(held))


def _unbulleted(line: str) -> str:
    bullet = _BULLET.match(line)
    return line[bullet.end() :] if bullet else line


def tokenize(line: str) -> list[Token]:
    """All tokens of a line; spaces only show as a token that is not glued."""
    tokens: list[Token] = []
    glued = False
    for match in _TOKEN.finditer(line):
        kind = match.lastgroup or "other"
        if kind == "space":
            glued = False
            continue
        tokens.append(_token(kind, match[0], glued))
        glued = True
    return tokens


def _token(kind: str, text: str, glued: bool) -> Token:
    if kind == "mixed":
        whole, _, part = text.partition(" ")
        above, below = map(int, part.split("/"))
        value = int(whole) + (Fraction(above, below) if below else Fraction(0))
        return Token("number", text, glued, value)
    if kind != "number":
        return Token(kind, text, glued)
    if len(text) > MAX_DIGITS:
        return Token("other", text, glued)
    digits = text.replace(",", "")
    return Token(kind, text, glued, Fraction(digits), len(digits.partition(".")[2]))
