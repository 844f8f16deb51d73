"""Recorded answers as they lie in files: which problems there are, and how one is found."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, NonNegativeInt, TypeAdapter, ValidationError

LONGEST_MESSAGE = 65_536
"""Characters of a message that is searched for a problem's text."""


@dataclass(frozen=True, slots=True)
class Problem:
    """A problem by its label (`math500/17`), with every recorded answer and its token count.

    `text` is None where the set's texts are not there. An answer is None where nothing was
    recorded but its cost.
    """

    label: str
    text: str | None
    answers: tuple[tuple[str | None, int], ...]


class Recording:
    """One model's recorded answers to one set of problems, by their labels (`NAME/NUMBER`).

    `model` is the name it is served by.
    """

    def __init__(self, model: str, name: str, problems: Mapping[str, Problem]):
        self.model = model
        self.problems = problems
        self._label = re.compile(rf"(?<![\w/]){re.escape(name)}/\d{{1,9}}(?![\w/])")

    def find(self, message: str) -> Problem | None:
        """The problem whose text `message` contains, else whose label; the last where several do.

        White space need not be the same. None where there is none, or beyond 65,536 characters.
        """
        if len(message) > LONGEST_MESSAGE:
            return None
        message = _plain(message)
        found = [
            (place + len(each.text), len(each.text), each)
            for each in self.problems.values()
            if each.text and (place := message.rfind(each.text)) >= 0
        ]
        if found:
            return max(found, key=lambda hit: hit[:2])[2]
        known = [label for label in self._label.findall(message) if label in self.problems]
        return self.problems[known[-1]] if known else None

    @property
    def allowed(self) -> str:
        """How a problem can be named, for an error's text."""
        first, *_, last = [*self.problems] * 2
        named = any(problem.text for problem in self.problems.values())
        text = "the text of a problem, or its label" if named else "the label of a problem"
        return f"{text}, {first} to {last}"


class _Line(BaseModel):
    """One line of a recording; its other fields can be computed from these."""

    problem_num: NonNegativeInt
    all_answers: list[tuple[str | None, NonNegativeInt]]


class _Text(BaseModel):
    prompt: str


_TEXTS = TypeAdapter(list[_Text])


def load(path: Path) -> list[Recording]:
    """The recordings of a `SET_MODEL.jsonl`, or of all in a folder, by name.

    A set's texts are taken from `SET.json` (a list of objects with `prompt`, in the order of
    `problem_num`) beside the file or one folder up, whatever its case. ValueError where a file does
    not hold what it should, or a folder holds none; OSError where it cannot be read.
    """
    files = sorted(path.glob("*.jsonl")) if path.is_dir() else [path]
    if not files:
        raise ValueError(f"{path}: no *.jsonl in this folder")
    return [_recording(file) for file in files]


def _recording(file: Path) -> Recording:
    name = file.stem.partition("_")[0]
    texts = _texts(file, name)
    problems = {}
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
        record = _line(line, f"{file}:{number}")
        label, place = f"{name}/{record.problem_num}", record.problem_num
        if label in problems or not record.all_answers:
            raise ValueError(f"{file}:{number}: no answers, or {label} for the second time")
        if texts and place >= len(texts):
            raise ValueError(f"{file}:{number}: {label} has no text in {name}.json")
        answers = tuple((answer or None, tokens) for answer, tokens in record.all_answers)
        problems[label] = Problem(label, texts[place] if texts else None, answers)
    if not problems:
        raise ValueError(f"{file}: no problems")
    return Recording(file.stem, name, problems)


def _line(line: str, where: str) -> _Line:
    try:
        return _Line.model_validate_json(line)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise ValueError(f"{where}: {place}: {first['msg']}") from None


def _texts(file: Path, name: str) -> list[str]:
    for folder in (file.parent, file.parent.parent):
        for other in sorted(folder.glob("*.json")):
            if other.stem.casefold() == name.casefold():
                return [_plain(each.prompt) for each in _parsed(other)]
    return []


def _parsed(file: Path) -> list[_Text]:
    try:
        raw: Any = json.loads(file.read_text(encoding="utf-8"))
        return _TEXTS.validate_python(raw)
    except ValueError as error:
        raise ValueError(f"{file}: not a list of objects with `prompt`") from error


def _plain(text: str) -> str:
    return " ".join(text.split())
