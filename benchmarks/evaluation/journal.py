"""A run's folder: its manifest, its problems, and a journal that survives any end of the process.

All records of a request, candidates first and the closing one last, are appended by one write. A
request counts once its closing record is whole; what lies behind the last closing record is the
beginning of a request that was cut off, and is dropped when the run goes on.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from benchmarks.evaluation.problem import Problem

Json = dict[str, Any]
Key = tuple[str, str]
"""Policy and problem."""

MANIFEST, PROBLEMS, JOURNAL = "manifest.json", "problems.jsonl", "journal.jsonl"


class BadRun(Exception):
    """The folder is not that of this run, or not of any; the message says why."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A request that was closed, with its candidates in the order they were drawn."""

    request: Json
    candidates: Sequence[Json]

    @property
    def key(self) -> Key:
        return self.request["policy"], self.request["problem"]

    @property
    def failed(self) -> bool:
        return self.request["error"] is not None


@dataclass(frozen=True, slots=True)
class Run:
    """What lies in a run's folder."""

    folder: Path
    manifest: Json
    problems: Sequence[Problem]
    entries: Mapping[Key, Entry]


class Journal:
    """Appends to a run's folder, which only one process may do at a time."""

    def __init__(self, folder: Path, manifest: Json, problems: Sequence[Problem]):
        """Begin the run or go on with it; `BadRun` where its settings differ from `manifest`."""
        folder.mkdir(parents=True, exist_ok=True)
        self._file = (folder / JOURNAL).open("ab", buffering=0)
        try:
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise BadRun(f"{folder}: another process is writing there") from None
            _begin(folder, manifest, problems)
            entries, end = _scan(folder / JOURNAL)
            self._file.truncate(end)
        except BaseException:
            self._file.close()
            raise
        self.done: dict[Key, Entry] = entries

    def forget_failed(self) -> None:
        """Take requests that failed for not done: what they come to now counts instead."""
        self.done = {key: entry for key, entry in self.done.items() if not entry.failed}

    def append(self, entry: Entry) -> None:
        """Put a closed request on record."""
        lines = b"".join(_line(each) for each in (*entry.candidates, entry.request))
        rest = memoryview(lines)
        while rest:
            rest = rest[self._file.write(rest) :]
        self.done[entry.key] = entry

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        os.fsync(self._file.fileno())
        self._file.close()


def read(folder: Path) -> Run:
    """What lies in `folder`, also while a run goes on there; `BadRun` where that is no run."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text())
        lines = (folder / PROBLEMS).read_text().split("\n")
        problems = [Problem.model_validate_json(line) for line in lines if line]
        entries, _ = _scan(folder / JOURNAL)
    except (OSError, ValueError) as error:
        raise BadRun(f"{folder}: no evaluation lies there: {error}") from None
    return Run(folder, manifest, problems, entries)


def _begin(folder: Path, manifest: Json, problems: Sequence[Problem]) -> None:
    path = folder / MANIFEST
    if path.exists():
        before = json.loads(path.read_text())
        told = json.loads(json.dumps(manifest))
        names = [k for k in {**before, **told} if before.get(k) != told.get(k)]
        if names:
            differs = "; ".join(f"{k}: {before.get(k)!r}, now {told.get(k)!r}" for k in names)
            raise BadRun(f"{folder} holds a run with other settings: {differs[:1000]}")
        return
    _replace(folder / PROBLEMS, "".join(f"{each.model_dump_json()}\n" for each in problems))
    # Last, and in one go: with a manifest, a run is begun.
    _replace(path, json.dumps(manifest, indent=2, ensure_ascii=False) + "\n")


def _replace(path: Path, text: str) -> None:
    fresh = path.with_suffix(".new")
    fresh.write_text(text)
    fresh.replace(path)


def _line(record: Json) -> bytes:
    return json.dumps(record, ensure_ascii=False, allow_nan=False).encode(errors="replace") + b"\n"


def _scan(path: Path) -> tuple[dict[Key, Entry], int]:
    """The closed requests of a journal, less their texts, and where the last ends in bytes."""
    entries: dict[Key, Entry] = {}
    end = place = 0
    open_candidates: list[Json] = []
    for number, line in enumerate(_lines(path), 1):
        place += len(line)
        if not line.endswith(b"\n"):
            break
        record = _record(line, path, number)
        record.pop("text", None)
        if record["kind"] == "candidate":
            open_candidates.append(record)
            continue
        entry = Entry(record, open_candidates)
        if any(_key(each) != entry.key for each in open_candidates):
            raise BadRun(f"{path}:{number}: candidates of another request")
        if entry.key in entries and not entries[entry.key].failed:
            raise BadRun(f"{path}:{number}: {entry.key} was closed before")
        entries[entry.key] = entry
        open_candidates, end = [], place
    return entries, end


def _lines(path: Path) -> Iterator[bytes]:
    if path.exists():
        with path.open("rb") as file:
            yield from file


def _record(line: bytes, path: Path, number: int) -> Json:
    try:
        record: Json = json.loads(line)
        _ = record["kind"], _key(record)
    except (ValueError, KeyError, TypeError):
        raise BadRun(f"{path}:{number}: not a record of an evaluation") from None
    return record


def _key(record: Json) -> Key:
    return record["policy"], record["problem"]
