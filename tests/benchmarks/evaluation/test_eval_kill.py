"""Kill -9 in the middle of a run, started again: as if nothing had happened."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from benchmarks.evaluation.journal import read

OPTIONS = [
    "--generate", "6", "--policy", "direct", "--policy", "four=strategy=best_of_n,budget=8",
    "--policy", "verified-16", "--concurrency", "2", "--seed", "5", "--resamples", "200", "--quiet",
]  # fmt: skip


def _command(out: Path) -> list[str]:
    return [sys.executable, "-m", "gateway", "eval", "--out", str(out), *OPTIONS]


def _without_times(told: Any) -> Any:
    if isinstance(told, dict):
        return {k: _without_times(v) for k, v in told.items() if k != "seconds"}
    return [_without_times(each) for each in told] if isinstance(told, list) else told


def _closed(folder: Path) -> int:
    path = folder / "journal.jsonl"
    return path.read_bytes().count(b'"kind": "request"') if path.exists() else 0


def _children(pid: int) -> list[int]:
    return [int(n) for n in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _gone(pid: int) -> bool:
    """Whether a process has ended, if perhaps nobody has asked how."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except FileNotFoundError:
        return True


def _until(condition: Any, seconds: float) -> bool:
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.01)
    return bool(condition())


def _killed_after(out: Path, closed: int) -> None:
    """Start the run and kill it once that many requests are closed; its gateway must go too."""
    with subprocess.Popen(_command(out), stdout=subprocess.DEVNULL) as process:
        assert _until(lambda: _closed(out) >= closed or process.poll() is not None, 60)
        assert process.poll() is None, "the run ended before it could be killed"
        gateways = _children(process.pid)
        process.kill()
    assert gateways
    assert _until(lambda: all(map(_gone, gateways)), 15)


@pytest.mark.timeout(400)
def test_a_killed_run_ends_as_an_undisturbed_one(tmp_path: Path) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    subprocess.run(_command(whole), check=True, stdout=subprocess.DEVNULL, timeout=100)
    _killed_after(broken, 2)
    done = _closed(broken)
    assert 2 <= done < 18
    with (broken / "journal.jsonl").open("ab") as torn:  # as a write that was cut in the middle
        torn.write(b'{"kind": "candidate", "policy": "four", "problem": "en-5-5", "ind')
    _killed_after(broken, done + 5)
    subprocess.run(_command(broken), check=True, stdout=subprocess.DEVNULL, timeout=100)

    records = [json.loads(line) for line in (broken / "journal.jsonl").read_text().splitlines()]
    requests = Counter(
        (each["policy"], each["problem"]) for each in records if each["kind"] == "request"
    )
    assert len(requests) == 18
    assert set(requests.values()) == {1}
    drawn = Counter(
        (each["policy"], each["problem"], each["index"])
        for each in records
        if each["kind"] == "candidate"
    )
    assert set(drawn.values()) == {1}
    one, other = (json.loads((folder / "summary.json").read_text()) for folder in (whole, broken))
    assert other["complete"]
    assert _without_times(one) == _without_times(other)
    assert _without_times(_entries(whole)) == _without_times(_entries(broken))
    before = os.stat(broken / "journal.jsonl")
    subprocess.run(_command(broken), check=True, stdout=subprocess.DEVNULL, timeout=100)
    assert os.stat(broken / "journal.jsonl").st_size == before.st_size


def _entries(folder: Path) -> dict[str, Any]:
    run = read(folder)
    return {
        f"{policy} {problem}": [entry.request, *entry.candidates]
        for (policy, problem), entry in sorted(run.entries.items())
    }
