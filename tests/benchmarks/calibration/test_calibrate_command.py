"""`its-gateway calibrate` on files: what it reads, refuses, writes and says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.calibration.command import main
from gateway.calibration.maps import load

OF = {"model": "m", "route": "r", "verifier": "v"}


def write(path: Path, *records: Any) -> str:
    path.write_text("".join(json.dumps(each) + "\n" for each in records))
    return str(path)


def clear(**more: Any) -> list[dict[str, Any]]:
    shares = ((0.25, 20, 80), (0.5, 60, 40), (1.0, 190, 10))
    return [
        {**OF, "score": score, "right": right, "count": count, **more}
        for score, yes, no in shares
        for right, count in ((True, yes), (False, no))
    ]


def test_maps_are_written_told_and_drawn(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    labels, out = write(tmp_path / "labels.jsonl", *clear()), tmp_path / "new" / "maps.json"
    assert main([labels, "--out", str(out), "--plots", str(tmp_path / "plots")]) == 0
    found = load(out).maps["m", "r", "v"]
    assert found.n == 400
    told = [found.probability(x) for x in (0.25, 0.5, 1.0)]
    assert told == pytest.approx([0.2, 0.6, 0.95], abs=0.03)
    assert [path.suffix for path in (tmp_path / "plots").iterdir()] == [".png"]
    assert "| m | r | v | 400 |" in capsys.readouterr().out


def test_maps_are_tried_on_labels_that_they_were_not_fitted_to(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    labels, out = write(tmp_path / "labels.jsonl", *clear()), str(tmp_path / "maps.json")
    assert main([labels, "--out", out]) == 0
    assert main([labels, "--check", out]) == 0
    turned = write(
        tmp_path / "turned.jsonl", *({**each, "right": not each["right"]} for each in clear())
    )
    capsys.readouterr()
    assert main([turned, "--check", out]) == 1, "maps that do not hold are found out"
    assert "| m | r | v | 400 | 400 |" in capsys.readouterr().out
    other = write(tmp_path / "other.jsonl", *clear(model="other"))
    assert main([other, "--check", out]) == 1, "nothing was tried"


def test_what_is_not_for_use_is_not_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    labels, out = write(tmp_path / "labels.jsonl", *clear()), tmp_path / "maps.json"
    assert main([labels, "--out", str(out), "--least", "1000"]) == 1
    assert load(out).maps == {}
    assert "needs 1000 labels" in capsys.readouterr().out


def test_verdicts_become_completeness_and_soundness_of_all_routes_too(tmp_path: Path) -> None:
    counts = {(True, True): 90, (False, True): 10, (True, False): 25, (False, False): 75}
    records = [
        {**OF, "route": route, "passed": passed, "right": right, "count": count}
        for route in ("r", "s")
        for (passed, right), count in counts.items()
    ]
    out = tmp_path / "maps.json"
    assert main([write(tmp_path / "labels.jsonl", *records), "--out", str(out)]) == 0
    known = load(out)
    pooled, own = known.reliability("m", "v"), known.reliability("m", "v", "r")
    assert pooled is not None
    assert own is not None
    assert (pooled.completeness.share, pooled.soundness.share, pooled.n) == (0.9, 0.75, 400)
    assert own.completeness.low < 0.9 < own.completeness.high
    assert own.completeness.low == pytest.approx(0.826, abs=0.002), "Wilson's, of 100"
    assert pooled.completeness.low > own.completeness.low, "more labels, a narrower interval"


def journal(problem: str, *, signals: float, correct: bool, **more: Any) -> list[dict[str, Any]]:
    key = {"policy": "p", "problem": problem}
    request = {
        "kind": "request", **key, "error": None, "model": "m", "route": "r", "verifier": "v",
        "signals": {"v": signals}, "correct": correct, "samples": 2, "degraded": [],
        "stop": "complete", **more,
    }  # fmt: skip
    drawn = [
        {"kind": "candidate", **key, "passed": correct, "correct": correct},
        {"kind": "candidate", **key, "passed": True, "correct": False},
    ]
    return [*drawn, request]


def test_the_journal_of_an_evaluation_is_labelled_already(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    records = [
        each
        for number in range(300)
        for each in journal(str(number), signals=number % 2, correct=number % 10 < 3)
    ]
    cut = journal("cut", signals=1.0, correct=True, stop="deadline")
    failed = {"kind": "request", "policy": "p", "problem": "x", "error": "503: no", "attempts": 5}
    write(folder / "journal.jsonl", *records, *cut, failed)
    out = tmp_path / "maps.json"
    assert main([str(folder), "--out", str(out), "--most-ece", "0.1"]) == 0
    known = load(out)
    assert known.maps["m", "r", "v"].n == 300, "what was cut short or failed is left out"
    verdicts = known.reliability("m", "v")
    assert verdicts is not None
    assert verdicts.completeness.share == 1.0
    assert verdicts.n == 602


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "nothing is labelled"),
        ("{", ":1: "),
        ("[]", ":1: not a JSON object"),
        ('{"model": "m"}', ":1: "),
        (json.dumps({**OF, "right": True}), "a line has a score"),
        (json.dumps({**OF, "right": "yes", "score": 1.0}), ":1: right"),
        (json.dumps({**OF, "right": True, "score": "1"}), ":1: score"),
        ('{"model": "m", "verifier": "v", "right": true, "score": NaN}', ":1: score"),
        (json.dumps({**OF, "right": True, "score": 1.0, "count": 0}), ":1: count"),
        (json.dumps({**OF, "right": True, "score": 1.0, "more": 1}), ":1: more"),
    ],
)
def test_bad_labels_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, says: str
) -> None:
    path = tmp_path / "labels.jsonl"
    path.write_text(text)
    out = tmp_path / "maps.json"
    assert main([str(path), "--out", str(out)]) == 2
    assert says in capsys.readouterr().err
    assert not out.exists()


def test_files_that_are_not_there_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(tmp_path / "none.jsonl"), "--out", str(tmp_path / "maps.json")]) == 2
    assert "none.jsonl" in capsys.readouterr().err
    labels = write(tmp_path / "labels.jsonl", *clear())
    assert main([labels, "--check", str(tmp_path / "none.json")]) == 2
