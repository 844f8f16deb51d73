"""The journal: whatever is cut off, what was accepted stays and nothing counts twice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchmarks.evaluation.journal import BadRun, Entry, Journal, read
from benchmarks.evaluation.problem import Problem

PROBLEMS = [Problem(id=str(n), question="1 + 1?\u2028", answer="2") for n in range(3)]
MANIFEST: dict[str, Any] = {"seed": 1, "policies": {"a": {}}}


def _entry(problem: str, error: str | None = None) -> Entry:
    key = {"policy": "a", "problem": problem}
    candidates = [{"kind": "candidate", **key, "index": n, "text": "x"} for n in range(2)]
    request = {"kind": "request", **key, "error": error}
    return Entry(request, [] if error else candidates)


def _written(folder: Path, *entries: Entry) -> bytes:
    with Journal(folder, MANIFEST, PROBLEMS) as journal:
        for entry in entries:
            journal.append(entry)
    return (folder / "journal.jsonl").read_bytes()


def test_what_was_written_is_read(tmp_path: Path) -> None:
    _written(tmp_path, _entry("0"), _entry("1", "503: gone"))
    run = read(tmp_path)
    assert run.manifest == MANIFEST
    assert run.problems == PROBLEMS
    assert [len(entry.candidates) for entry in run.entries.values()] == [2, 0]
    assert [entry.failed for entry in run.entries.values()] == [False, True]


def test_cut_at_any_byte_the_closed_requests_count_and_the_rest_is_dropped(tmp_path: Path) -> None:
    first = len(_written(tmp_path, _entry("0")))
    whole = _written(tmp_path, _entry("1"))
    assert len(whole) == 2 * first
    for end in range(len(whole) + 1):
        (tmp_path / "journal.jsonl").write_bytes(whole[:end])
        expected = ["0", "1"][: end // first]
        assert [problem for _, problem in read(tmp_path).entries] == expected
        with Journal(tmp_path, MANIFEST, PROBLEMS) as journal:
            assert [problem for _, problem in journal.done] == expected
            for problem in ["0", "1"][len(expected) :]:
                journal.append(_entry(problem))
        assert (tmp_path / "journal.jsonl").read_bytes() == whole


def test_other_settings_are_refused_and_named(tmp_path: Path) -> None:
    _written(tmp_path)
    with pytest.raises(BadRun, match="seed: 1, now 2"):
        Journal(tmp_path, {**MANIFEST, "seed": 2}, PROBLEMS)


def test_two_at_once_are_refused(tmp_path: Path) -> None:
    with (
        Journal(tmp_path, MANIFEST, PROBLEMS),
        pytest.raises(BadRun, match="another process"),
    ):
        Journal(tmp_path, MANIFEST, PROBLEMS)


@pytest.mark.parametrize("line", [b"nonsense\n", b'{"kind": "request"}\n', b"[]\n"])
def test_damage_in_the_middle_is_told(tmp_path: Path, line: bytes) -> None:
    whole = _written(tmp_path, _entry("0"))
    (tmp_path / "journal.jsonl").write_bytes(line + whole)
    with pytest.raises(BadRun, match=r"journal.jsonl:1: not a record"):
        read(tmp_path)


def test_a_request_closed_twice_is_told(tmp_path: Path) -> None:
    whole = _written(tmp_path, _entry("0"))
    (tmp_path / "journal.jsonl").write_bytes(whole + whole)
    with pytest.raises(BadRun, match="closed before"):
        read(tmp_path)


def test_no_run_is_told(tmp_path: Path) -> None:
    with pytest.raises(BadRun, match="no evaluation"):
        read(tmp_path)
