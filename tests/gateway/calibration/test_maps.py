"""Maps as files and as functions, and what a gateway makes of a bad file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.calibration.maps import Calibration, Map, load

PLAIN: dict[str, Any] = {
    "model": "m", "route": "r", "verifier": "agreement", "n": 400, "ece": 0.02, "brier": 0.1,
}  # fmt: skip


def isotonic(**more: Any) -> Map:
    fields = {**PLAIN, "kind": "isotonic", "xs": (0.0, 0.5, 1.0), "ys": (0.1, 0.6, 0.9), **more}
    return Map.model_validate(fields)


def test_an_isotonic_map_is_straight_between_its_knots_and_level_outside() -> None:
    told = [isotonic().probability(x) for x in (-5.0, 0.0, 0.25, 0.5, 0.75, 1.0, 9.0)]
    assert told == pytest.approx([0.1, 0.1, 0.35, 0.6, 0.75, 0.9, 0.9])


def test_an_isotonic_map_of_one_knot_is_level() -> None:
    only = isotonic(xs=(0.5,), ys=(0.7,))
    assert [only.probability(x) for x in (0.0, 0.5, 1.0)] == [0.7, 0.7, 0.7]


def test_a_platt_map_is_a_logistic_curve_and_never_overflows() -> None:
    curve = Map.model_validate({**PLAIN, "kind": "platt", "ys": (2.0, -1.0)})
    assert curve.probability(0.5) == pytest.approx(0.5)
    assert curve.probability(1.0) == pytest.approx(0.7310586)
    assert curve.probability(-1e9) < 1e-300
    assert curve.probability(1e9) == 1.0


@given(st.floats(allow_nan=False, allow_infinity=False), st.floats(allow_nan=False))
def test_maps_never_fall(one: float, other: float) -> None:
    low, high = sorted((one, other))
    assert 0.1 <= isotonic().probability(low) <= isotonic().probability(high) <= 0.9


@pytest.mark.parametrize(
    "wrong",
    [
        {"xs": (0.0, 0.0, 1.0)},
        {"xs": (0.0, 1.0)},
        {"ys": (0.6, 0.1, 0.9)},
        {"ys": (0.1, 0.6, 1.5)},
        {"xs": (0.0, float("nan"), 1.0)},
        {"kind": "platt"},
        {"n": 0},
        {"ece": 2.0},
    ],
)
def test_a_map_that_is_no_map_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"isotonic|platt|xs|n|ece"):
        isotonic(**wrong)


def test_of_several_maps_the_sharpest_on_unseen_answers_is_believed() -> None:
    dull, sharp = isotonic(verifier="agreement", brier=0.2), isotonic(verifier="math", brier=0.1)
    known = Calibration.of([dull, sharp], [])
    assert known.best("m", "r", {"agreement": 0.5, "math": 1.0}) is sharp
    assert known.best("m", "r", {"agreement": 0.5}) is dull
    assert known.best("m", "other", {"agreement": 0.5}) is None
    assert known.best("other", "r", {"agreement": 0.5}) is None


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "calibration.json"
    known = Calibration.of([isotonic()], [])
    path.write_text(json.dumps(known.told()))
    assert load(path) == known


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("", "Invalid JSON"),
        ("[]", "object"),
        ('{"version": 2, "maps": [], "reliabilities": []}', "version"),
        ('{"version": 1, "maps": [{"model": "m"}], "reliabilities": []}', "maps.0"),
        ('{"version": 1, "maps": [], "reliabilities": [], "more": 1}', "more"),
    ],
)
def test_a_file_that_cannot_be_read_says_where(tmp_path: Path, text: str, names: str) -> None:
    path = tmp_path / "calibration.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=names):
        load(path)
