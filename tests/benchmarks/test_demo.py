"""`its-gateway demo` as its user runs it, on a few problems."""

from __future__ import annotations

import json
import subprocess
import sys

from benchmarks.demo.policies import POLICIES


def test_demo_ends_with_one_json_object() -> None:
    command = [sys.executable, "-m", "gateway", "demo", "--once", "--json"]
    done = subprocess.run(
        [*command, "--problems", "3", "--seed", "1"],
        capture_output=True, text=True, timeout=110, check=True,
    )  # fmt: skip
    told = json.loads(done.stdout.splitlines()[-1])
    rows = {row["name"]: row for row in told["policies"]}
    assert tuple(rows) == POLICIES
    for row in rows.values():
        assert set(row) == {"name", "accuracy", "samples_mean", "tokens_mean", "p50_ms"}
        assert 0 <= row["accuracy"] <= 1
        assert row["tokens_mean"] > row["samples_mean"] > 0
    means = [rows[name]["samples_mean"] for name in POLICIES[:4]]
    assert means == [1, 4, 16, 64]
    assert rows["verified-16"]["samples_mean"] <= 16
    assert list(told["coverage"]) == ["1", "4", "16", "64"]
    covered = list(told["coverage"].values())
    assert covered == sorted(covered)
