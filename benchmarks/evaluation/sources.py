"""Where problems come from: JSONL files, data sets of others as they lie, or the generator."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from benchmarks.evaluation.problem import Problem
from benchmarks.problems import LANGUAGES, generate
from gateway.validation import told


def data() -> Path:
    """Where data sets of others lie: ITS_DATA, else beside the checkout."""
    beside = Path(__file__).resolve().parents[3] / "shared" / "data"
    return Path(os.environ.get("ITS_DATA") or beside)


class BadProblems(Exception):
    """The problems cannot be used; the message names file and line."""


def generated(count: int, seed: int, languages: Sequence[str]) -> list[Problem]:
    """`count` unseen problems of the demo's kind, shared evenly among `languages`."""
    unknown = [language for language in languages if language not in LANGUAGES]
    if unknown:
        raise BadProblems(f"languages: {unknown[0]!r} is none of {', '.join(LANGUAGES)}")
    found: list[Problem] = []
    for place, language in enumerate(languages):
        share = count // len(languages) + (place < count % len(languages))
        for number, each in enumerate(generate(share, seed, split="test", language=language)):
            found.append(
                Problem(
                    id=f"{language}-{seed}-{number}",
                    question=each.question,
                    answer=each.answer,
                    language=language,
                    steps=each.steps,
                )
            )
    return found


def read(names: Sequence[str]) -> list[Problem]:
    """The problems of files, in order; a name is a path, `math500`, or `mgsm:LANGUAGE`."""
    problems = [problem for name in names for problem in _numbered(name)]
    twice = [id for id, times in Counter(each.id for each in problems).items() if times > 1]
    if twice:
        raise BadProblems(f"the id {twice[0]!r} is not unique")
    if not problems:
        raise BadProblems(f"{', '.join(names)}: no problems")
    return problems


def _numbered(name: str) -> Iterator[Problem]:
    path = _path(name)
    reader = READERS.get(path.suffix, _jsonl)
    try:
        for number, each in enumerate(reader(path)):
            yield each if each.id else each.model_copy(update={"id": f"{path.stem}-{number}"})
    except (OSError, UnicodeDecodeError) as error:
        raise BadProblems(f"{path}: {error}") from None


def _path(name: str) -> Path:
    if name == "math500":
        return data() / "MATH500.json"
    if name.startswith("mgsm:"):
        return data() / "mgsm" / f"{name.removeprefix('mgsm:')}.tsv"
    return Path(name)


def _jsonl(path: Path) -> Iterator[Problem]:
    for number, line in enumerate(path.read_text().split("\n"), 1):
        if line.strip():
            try:
                yield Problem.model_validate_json(line)
            except ValidationError as error:
                raise BadProblems(f"{path}:{number}: {told(error)}") from None


def _math500(path: Path) -> Iterator[Problem]:
    """A JSON list of objects with `prompt`, `answer` and `id`."""
    try:
        listed: list[dict[str, Any]] = json.loads(path.read_text())
        for each in listed:
            yield Problem(id=each["id"], question=each["prompt"], answer=each["answer"])
    except (ValueError, KeyError, TypeError) as error:
        raise BadProblems(f"{path}: not a list of prompt, answer, id: {error}") from None


def _mgsm(path: Path) -> Iterator[Problem]:
    """Lines of question, tab, number; the file's name is the language."""
    for number, line in enumerate(path.read_text().split("\n"), 1):
        if not line.strip():
            continue
        question, tab, answer = line.partition("\t")
        if not (question and tab and answer.strip()):
            raise BadProblems(f"{path}:{number}: not a question, a tab and an answer")
        yield Problem(
            id=f"mgsm-{path.stem}-{number}",
            question=question,
            answer=answer.strip(),
            language=path.stem,
        )


READERS: dict[str, Callable[[Path], Iterator[Problem]]] = {".json": _math500, ".tsv": _mgsm}
"""By a file's suffix; any other file is JSONL."""
