"""`its-gateway calibrate`: from labelled answers to maps that a gateway reads."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from benchmarks.calibration import errors, plots
from benchmarks.calibration.fitting import Fit, fitted, told_by
from benchmarks.calibration.labelled import BadLabels, Labelled, read
from benchmarks.calibration.shares import reliability
from benchmarks.evaluation.options import positive
from gateway.calibration.maps import Calibration, Interval, Reliability, load

ABOUT = """\
Fit what labelled answers show of each verifier, by model and route: maps from its numbers to
probabilities, and how often its verdicts are right. Labels are JSONL files, such as
`GET /v1/its/feedback` gives, or folders of `its-gateway eval`. The maps go to --out, for
`its-gateway serve --calibration FILE`."""


def main(argv: Sequence[str]) -> int:
    """Fit and tell; 2 for what cannot be read, 1 where nothing is fit for use."""
    options = parser().parse_args(argv)
    try:
        labelled = read(options.labels)
        known = load(options.check) if options.check else None
    except (BadLabels, OSError, ValueError) as error:
        print(f"its-gateway calibrate: {error}", file=sys.stderr)
        return 2
    if known is not None:
        return _checked(known, labelled, options)
    return _fitted(labelled, options)


def parser() -> argparse.ArgumentParser:
    """The options of `its-gateway calibrate`."""
    made = argparse.ArgumentParser(
        prog="its-gateway calibrate",
        description=ABOUT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    made.add_argument("labels", type=Path, nargs="+", metavar="LABELS", help="file or folder")
    what = made.add_mutually_exclusive_group(required=True)
    what.add_argument("--out", type=Path, help="where the maps go")
    what.add_argument(
        "--check", type=Path, metavar="FILE", help="fit nothing: try these maps on the labels"
    )
    made.add_argument("--plots", type=Path, metavar="DIR", help="draw reliability diagrams there")
    made.add_argument(
        "--least", type=positive, default=200, help="labels below which no map is for use (200)"
    )
    made.add_argument(
        "--most-ece", type=float, default=0.05,
        help="calibration error on unseen answers above which a map is not for use (.05)",
    )  # fmt: skip
    made.add_argument("--seed", type=int, default=7, help="of the folds (7)")
    return made


def _fitted(labelled: Labelled, options: argparse.Namespace) -> int:
    fits = [
        fitted(key, of, least=options.least, most_ece=options.most_ece, seed=options.seed)
        for key, of in sorted(labelled.answers.items())
    ]
    told = (reliability(key, of) for key, of in sorted(labelled.verdicts.items()))
    verdicts = [each for each in told if each is not None]
    usable = [fit.map for fit in fits if fit.map is not None and not fit.why]
    text = json.dumps(Calibration.of(usable, verdicts).told(), indent=1, ensure_ascii=False)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    fresh = options.out.with_name(options.out.name + ".new")
    fresh.write_text(text + "\n", encoding="utf-8")
    fresh.replace(options.out)  # whole or not at all: a gateway may be about to read it
    if options.plots is not None:
        options.plots.mkdir(parents=True, exist_ok=True)
        for fit in fits:
            if fit.map is not None:
                plots.draw(fit, options.plots)
    print("\n".join([*_maps(fits), "", *_verdicts(verdicts)]))
    return 0 if usable or verdicts else 1


def _maps(fits: Sequence[Fit]) -> Iterator[str]:
    yield "| model | route | verifier | labels | right | map | ECE | if exact | Brier | for use |"
    yield "|---|---|---|---|---|---|---|---|---|---|"
    for fit in fits:
        cells = ["–"] * 4
        if fit.map is not None:
            numbers = (fit.map.ece, fit.floor, fit.map.brier)
            cells = [fit.map.kind, *(f"{each:.3f}" for each in numbers)]
        row = [*fit.key, str(fit.n), f"{fit.share:.1%}", *cells, fit.why or "yes"]
        yield f"| {' | '.join(row)} |"


def _verdicts(found: Sequence[Reliability]) -> Iterator[str]:
    yield "| model | route | verifier | completeness | soundness |"
    yield "|---|---|---|---|---|"
    for each in found:
        shares = _interval(each.completeness), _interval(each.soundness)
        yield f"| {' | '.join((*each.key, *shares))} |"


def _interval(of: Interval) -> str:
    return f"{of.share:.3f} [{of.low:.3f}, {of.high:.3f}] of {of.n}"


def _checked(known: Calibration, labelled: Labelled, options: argparse.Namespace) -> int:
    """Tell how maps do on labels that they were not fitted to; 1 where one's error is too large."""
    print("| model | route | verifier | fitted to | tried on | ECE | if exact | Brier |")
    print("|---|---|---|---|---|---|---|---|")
    worst = -1.0
    for key, answers in sorted(labelled.answers.items()):
        found = known.maps.get(key)
        if found is None:
            continue
        weights, right = np.asarray(answers.weights, float), np.asarray(answers.right, float)
        told = told_by(found, np.asarray(answers.scores, float))
        ece = errors.ece(told, right, weights)
        worst = max(worst, ece)
        numbers = ece, errors.floor(told, weights, options.seed), errors.brier(told, right, weights)
        row = [*key, str(found.n), f"{weights.sum():.0f}", *(f"{each:.3f}" for each in numbers)]
        print(f"| {' | '.join(row)} |")
    return 0 if 0 <= worst <= options.most_ece else 1
