"""`its-gateway scaling` as its user runs it, on a few problems."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.scaling.table import strategies
from gateway.registry import load

COMMAND = [sys.executable, "-m", "gateway", "scaling"]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Four problems of one recording: three in four answers are right."""
    (tmp_path / "recorded").mkdir()
    lines = [
        {
            "problem_num": number,
            "gold_answer": "1",
            "all_answers": [[str(int(j % 4 > 0)), 10 + j] for j in range(20)],
        }
        for number in range(4)
    ]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (tmp_path / "recorded" / "sums_small.jsonl").write_text(text)
    return tmp_path


@pytest.mark.timeout(300)  # two whole runs
def test_every_strategy_is_in_the_report_and_a_second_run_goes_on(
    tmp_path: Path, data: Path
) -> None:
    out, work = tmp_path / "out", tmp_path / "work"
    flags = ["--quick", "--problems", "2", "--budgets", "1,2", "--recorded", "sums_small,absent"]
    command = [*COMMAND, *flags, "--out", str(out), "--work", str(work)]
    environment = {**os.environ, "ITS_DATA": str(data)}
    pages = []
    for _ in range(2):
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=145, env=environment, check=False
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout.strip() == str(out / "report.md")
        assert "not run: absent" in done.stderr
        pages.append((out / "report.md").read_text())
    told, again = ([line for line in page.splitlines() if " seconds" not in line] for page in pages)
    assert told == again
    for name in strategies(load("strategy", "strategies", "its_gateway.strategies")):
        beds = [line for line in told if line.startswith(f"- `{name}` ")]
        assert len(beds) == 2, name
        assert all("repeated sampling" in bed or "could not be run" in bed for bed in beds)
    assert sum(line.startswith("| `best_of_n-agreement-2` |") for line in told) == 2
    pictures = {path.name for path in out.glob("*.png")}
    assert pictures == {"demo-tokens.png", "demo-seconds.png", "sums_small-tokens.png"}


def test_a_bad_budget_is_refused() -> None:
    done = subprocess.run(
        [*COMMAND, "--budgets", "2,0"], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 2
    assert "budgets" in done.stderr
