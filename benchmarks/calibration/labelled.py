"""Labelled answers from JSONL: lines of their own, or the journal of an evaluation."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from benchmarks.evaluation.journal import JOURNAL
from gateway.calibration.maps import ANY, Key
from gateway.validation import told

Json = Mapping[str, Any]


class BadLabels(Exception):
    """The labels cannot be used; the message names file and line."""


class Line(BaseModel):
    """One labelled answer (`score`), one labelled candidate (`passed`), or both, `count` times.

    A score is of an answer as it was selected; verdicts are of candidates as they were drawn.
    """

    model_config = ConfigDict(strict=True, extra="forbid")

    model: str = Field(min_length=1)
    route: str = Field(ANY, min_length=1)
    verifier: str = Field(min_length=1)
    right: bool
    score: Annotated[float, Field(allow_inf_nan=False)] | None = None
    passed: bool | None = None
    request: str | None = Field(None, description="Candidates of one request depend on each other.")
    count: int = Field(1, ge=1)

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.score is None and self.passed is None:
            raise ValueError("a line has a score, or passed, or both")
        return self


@dataclass(slots=True)
class Answers:
    """Numbers and labels of selected answers, row by row, each row `weights` times."""

    scores: list[float] = field(default_factory=list)
    right: list[bool] = field(default_factory=list)
    weights: list[int] = field(default_factory=list)
    groups: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Verdicts:
    """Counts by request: (passed, right) -> candidates."""

    by_request: dict[str, dict[tuple[bool, bool], int]] = field(default_factory=dict)


@dataclass(slots=True)
class Labelled:
    """All that was labelled, by model, route and verifier."""

    answers: dict[Key, Answers] = field(default_factory=lambda: defaultdict(Answers))
    verdicts: dict[Key, Verdicts] = field(default_factory=lambda: defaultdict(Verdicts))

    def add(self, line: Line, where: str) -> None:
        """Count `line`; without a request of its own it stands alone."""
        request = line.request if line.request is not None else where
        if line.count > 1 and line.request is None and line.passed is not None:
            for number in range(line.count):  # each stands alone
                alone = line.model_copy(update={"count": 1, "score": None})
                self.add(alone, f"{where}#{number}")
            line = line.model_copy(update={"passed": None})
        if line.score is not None:
            of = self.answers[line.model, line.route, line.verifier]
            of.scores.append(line.score)
            of.right.append(line.right)
            of.weights.append(line.count)
            of.groups.append(request)
        if line.passed is not None:
            # A verdict does not depend on what a route made of it: all routes count together too.
            for route in {line.route, ANY}:
                verdicts = self.verdicts[line.model, route, line.verifier].by_request
                cell = verdicts.setdefault(request, {})
                key = line.passed, line.right
                cell[key] = cell.get(key, 0) + line.count


def read(paths: Sequence[Path]) -> Labelled:
    """The labels in files and in folders of evaluations; `BadLabels` names file and line."""
    labelled = Labelled()
    for path in paths:
        file = path / JOURNAL if path.is_dir() else path
        try:
            with file.open(encoding="utf-8") as opened:
                _read(opened, str(file), labelled)
        except (OSError, UnicodeDecodeError) as error:
            raise BadLabels(f"{file}: {error}") from None
    if not (labelled.answers or labelled.verdicts):
        raise BadLabels(f"{', '.join(map(str, paths))}: nothing is labelled there")
    return labelled


def _read(lines: Iterable[str], name: str, labelled: Labelled) -> None:
    drawn: list[Json] = []
    for number, text in enumerate(lines, 1):
        if not text.strip():
            continue
        where = f"{name}:{number}"
        record = _object(text, where)
        if record.get("kind") == "candidate":
            drawn.append(record)
            continue
        told = [record] if "kind" not in record else list(_of_journal(record, drawn))
        drawn = []
        for each in told:
            labelled.add(_line(each, where), where)


def _object(text: str, where: str) -> dict[str, Any]:
    try:
        record = json.loads(text)
    except ValueError as error:
        raise BadLabels(f"{where}: {error}") from None
    if not isinstance(record, dict):
        raise BadLabels(f"{where}: not a JSON object")
    return record


def _line(record: Json, where: str) -> Line:
    try:
        return Line.model_validate(record)
    except ValidationError as error:
        raise BadLabels(f"{where}: {told(error)}") from None


def _of_journal(request: Json, drawn: Sequence[Json]) -> Iterator[Json]:
    """An evaluation's request and its candidates as labels; nothing where it failed."""
    if request.get("error") is not None or not request.get("signals"):
        return
    name = f"{request['policy']}/{request['problem']}"
    of = {"model": request["model"], "route": request["route"], "request": name}
    if not request["degraded"] and request["stop"] not in ("budget", "deadline"):
        for verifier, score in request["signals"].items():
            yield {**of, "verifier": verifier, "score": score, "right": request["correct"]}
    verdicts = any(each["passed"] is not None for each in drawn)
    if verdicts and request.get("verifier") and len(drawn) == request["samples"]:
        for each in drawn:
            told = {"passed": bool(each["passed"]), "right": each["correct"]}
            yield {**of, "verifier": request["verifier"], **told}
