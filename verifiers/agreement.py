"""Self-consistency as a verifier (Wang et al., arXiv 2203.11171): votes over equal answers."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Annotated, Literal

from pydantic import Field

from gateway import Candidate, Score, Session, answers, verifier
from verifiers import symbolic

MAX_FORMS = 12
"""Different formulas that are compared with each other, those with most votes first."""
SECONDS = 2.0
"""Time limit of one symbolic comparison."""

Mode = Literal["auto", "marked", "number", "text", "json"]


@dataclass(frozen=True, slots=True)
class _Vote:
    """One candidate's key; `formula` is its answer where a symbolic comparison may merge it."""

    key: str | None
    formula: str | None = None
    reason: str = ""


@verifier(preload=("verifiers.symbolic:warm_up",))
async def agreement(
    session: Session,
    candidates: Sequence[Candidate],
    *,
    answer: Annotated[
        Mode,
        Field(
            description="What is compared: `marked` the marked final answer, `number` its number "
            "(or the last number of the text), `text` the whole text, `json` the text as JSON. "
            "`auto` takes tool calls where there are some, JSON where the request asks for it, "
            "the marked answer, and the whole text if no candidate marks one."
        ),
    ] = "auto",
) -> list[Score]:
    """Score each candidate by the share of the votes, in [0, 1], that its answer gets.

    Answers count as equal when they mean the same, not when they are spelled the same: numbers are
    compared exactly, JSON and tool calls by content, formulas by math-verify in a worker process
    (the most voted 12 of them). A number with a unit joins the same number without
    one where the candidates use no second unit with it. `key` names the class. A candidate
    with nothing to compare, or one that was cut before it marked an answer, is not judged
    and has no vote.
    """
    votes = _votes(session, candidates, answer)
    counts = Counter(vote.key for vote in votes if vote.key is not None)
    names = _merged_units(counts) if len(counts) > 1 else {key: key for key in counts}
    formulas = _formulas(votes, names)
    if len(formulas) > 1:
        names = await _merged_formulas(session, formulas, counts, names)
    sizes: Counter[str] = Counter()
    for key, count in counts.items():
        sizes[names[key]] += count
    total = counts.total()
    return [
        Score(math.nan, reason=vote.reason)
        if vote.key is None
        else Score(sizes[names[vote.key]] / total, key=names[vote.key])
        for vote in votes
    ]


def _votes(session: Session, candidates: Sequence[Candidate], mode: Mode) -> list[_Vote]:
    if mode == "auto":
        return _auto(session, candidates)
    read = {"marked": _marked, "number": _number, "text": _text, "json": _json}[mode]
    return [read(candidate) for candidate in candidates]


def _auto(session: Session, candidates: Sequence[Candidate]) -> list[_Vote]:
    if _wants_json(session.request.fields):
        return [_tools(c) if c.tool_calls else _json(c) for c in candidates]
    votes = [_tools(c) if c.tool_calls else _marked(c) for c in candidates]
    plain = [vote for vote, c in zip(votes, candidates, strict=True) if not c.tool_calls]
    if any(vote.key is not None for vote in plain):
        return votes
    return [_tools(c) if c.tool_calls else _text(c) for c in candidates]


def _wants_json(fields: Mapping[str, object]) -> bool:
    wanted = fields.get("response_format")
    return isinstance(wanted, Mapping) and wanted.get("type") in ("json_object", "json_schema")


def _marked(candidate: Candidate) -> _Vote:
    marked = answers.extract(candidate.text)
    key = answers.canonical(marked) if marked else None
    return _Vote(key, marked) if key else _Vote(None, reason="no marked answer")


def _number(candidate: Candidate) -> _Vote:
    marked = answers.extract(candidate.text)
    if marked is None and candidate.finish_reason != "length":
        marked = answers.last_number(candidate.text)
    found = answers.quantity(marked) if marked else None
    return _Vote(found.key) if found else _Vote(None, reason="no number")


def _text(candidate: Candidate) -> _Vote:
    if candidate.finish_reason == "length":
        return _Vote(None, reason="cut by its length limit")
    key = answers.text_key(candidate.text)
    return _Vote(key) if key else _Vote(None, reason="empty")


def _json(candidate: Candidate) -> _Vote:
    key = answers.json_key(candidate.text, fenced=True)
    return _Vote(answers.shortened(key)) if key else _Vote(None, reason="not JSON")


def _tools(candidate: Candidate) -> _Vote:
    if candidate.finish_reason == "length":
        return _Vote(None, reason="cut by its length limit")
    return _Vote(answers.shortened(answers.tool_calls_key(candidate.tool_calls)))


def _order(key: str) -> tuple[bool, int, str]:
    """Which key names a merged class: a bare number before all else, then the shortest."""
    return (not answers.is_numeric_key(key), len(key), key)


def _merged_units(counts: Iterable[str]) -> dict[str, str]:
    """Each key's class, where `18` takes in `18 eggs` unless there is `18 boxes` too."""
    names = {key: key for key in counts}
    dressed: dict[str, list[str]] = defaultdict(list)
    for key in names:
        number, _, unit = key.partition(" ") if " " in key else (key.rstrip("%"), "", key[-1:])
        if number != key and unit and number in names and answers.is_numeric_key(number):
            dressed[number].append(key)
    for number, keys in dressed.items():
        if len(keys) == 1:
            names[keys[0]] = number
    return names


def _formulas(votes: Iterable[_Vote], names: Mapping[str, str]) -> dict[str, str]:
    """A spelling for each class that symbolic comparison could merge; fewer than two: none."""
    spellings: dict[str, set[str]] = defaultdict(set)
    for vote in votes:
        if vote.key is not None and vote.formula is not None:
            spellings[names[vote.key]].add(vote.formula)
    if len(spellings) < 2 or all(map(answers.is_numeric_key, spellings)):
        return {}
    shortest = {key: min(all_, key=lambda s: (len(s), s)) for key, all_ in spellings.items()}
    if all(answers.quantity(text) for text in shortest.values()):
        return {}
    return {key: text for key, text in shortest.items() if answers.looks_mathematical(text)}


async def _merged_formulas(
    session: Session, formulas: Mapping[str, str], counts: Counter[str], names: dict[str, str]
) -> dict[str, str]:
    """`names` after comparing each pair of `formulas`, in an order that their own is not part of.

    A formula whose comparison does not end is left out of the others, so that one hostile
    candidate costs at most one time limit.
    """
    sizes: Counter[str] = Counter()
    for key, count in counts.items():
        sizes[names[key]] += count
    chosen = sorted(formulas, key=lambda key: (-sizes[key], _order(key)))[:MAX_FORMS]
    parents = {key: key for key in chosen}
    exact = {key for key in chosen if answers.quantity(formulas[key])}
    hopeless: set[str] = set()
    for left, right in combinations(chosen, 2):
        if {left, right} <= exact or parents[left] == parents[right] or hopeless & {left, right}:
            continue
        try:
            pair = sorted((formulas[left], formulas[right]))  # in either order it is one question
            same = await session.compute(symbolic.equal, *pair, seconds=SECONDS)
        except TimeoutError:
            hopeless.add(right)  # the one with fewer votes
            continue
        if same:
            first, second = sorted((parents[left], parents[right]), key=_order)
            parents = {key: first if name == second else name for key, name in parents.items()}
    return {key: parents.get(name, name) for key, name in names.items()}
