"""The report: gains by language, evidence at equal tokens, error curves and what they split."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from benchmarks.evaluation.bootstrap import Estimate, Resamples
from benchmarks.evaluation.coverage import Floats
from benchmarks.multilingual.measuring import Language
from benchmarks.multilingual.policies import AUTO, EVIDENCE, FIVE, GREEDY, ONE, SIZES, at
from benchmarks.scaling.equal import Measured, against
from strategies.fairness import Objective, split

RESAMPLES = 2000
WANTED = 6.8
"""Points over one sample, on average over languages (arXiv 2506.20544)."""
WEAK = 3
"""So many languages, those of least accuracy with one sample, are called weak."""
Found = Mapping[str, Language]


def written(found: Found, command: str, problems: int, seed: int, weights: str) -> str:
    """The report as Markdown."""
    weak = sorted(found, key=lambda code: float(np.mean(found[code].told[ONE].right)))[:WEAK]
    parts = [
        "# Multilingual selection on the demo's model",
        f"`{command}`: {problems} unseen problems a language, seed {seed}, the model's weights "
        f"{weights} (the beginning of their SHA-256); 95% intervals by "
        f"{RESAMPLES} resamples of problems. Accuracy in %, one answer a problem. All policies see "
        "the same draws where they ask for the same. Unless told, one candidate is greedy and the "
        f"others of {FIVE} are at temperature 0.8 with min-p 0.1.",
        _gains(found, seed),
        "## All policies\n\n" + _all(found),
        "## Evidence at equal tokens\n\n" + _evidence(found, weak, seed),
        "## Error curves\n\n" + _curves(found),
    ]
    return "\n\n".join(parts) + "\n"


def _gains(found: Found, seed: int) -> str:
    rows, gains, over_greedy = [], [], []
    for code, language in found.items():
        one, greedy, auto = (np.array(language.told[name].right) for name in (ONE, GREEDY, AUTO))
        gains.append(100 * (auto - one))
        over_greedy.append(100 * (auto - greedy))
        gain, over = (_mean(each, seed) for each in (gains[-1], over_greedy[-1]))
        rows.append([code, *map(_percent, (one, greedy, auto)), _points(gain), _points(over)])
    # Each language has as many problems, so that the mean over problems is that over languages.
    mean, over = (_mean(np.concatenate(each), seed) for each in (gains, over_greedy))
    better = sum(gain.mean() > 0 for gain in gains)
    verdict = (
        f"**{_points(mean)} points on average** over one sample (wanted: at least +{WANTED}); "
        f"better in {better} of {len(found)} languages. Over the greedy answer alone: "
        f"{_points(over)}; that is selection's part, the rest is the greedy candidate's."
    )
    header = ["language", "one sample", GREEDY, f"`auto`, n={FIVE}", "gain", "over greedy"]
    table = _table(header, rows)
    return f"## Gain over one sample\n\n{verdict}\n\n{table}"


def _all(found: Found) -> str:
    names = list(next(iter(found.values())).told)
    rows = []
    for name in names:
        each = [np.array(language.told[name].right) for language in found.values()]
        tokens = np.mean([np.mean(language.told[name].tokens) for language in found.values()])
        rows.append([name, *map(_percent, each), _percent(np.concatenate(each)), f"{tokens:.0f}"])
    return _table(["policy", *found, "all", "tokens"], rows)


def _evidence(found: Found, weak: Sequence[str], seed: int) -> str:
    wished = sum(language.wished for language in found.values())
    obeyed = sum(language.obeyed for language in found.values())
    text = (
        f"Of {wished} answers that were asked for in another language, {obeyed} are in it. "
        "`evidence of a perfect translation` is the model's answer to the same question told in "
        "English (Chinese for English) by the generator, as no model here "
        f"translates. Weak are {', '.join(weak)}. The difference is that to the same choice "
        "without evidence, at the number of candidates that costs as many tokens."
    )
    rows = []
    for name, (curve, _) in EVIDENCE.items():
        for label, codes in (("weak", weak), ("all", list(found))):
            told = _against(found, name, curve, codes, seed)
            verdict = "wins" if told.low > 0 else "loses" if told.high < 0 else "undecided"
            rows.append([name, curve, label, _points(told), verdict])
    return f"{text}\n\n" + _table(["policy", "against", "languages", "points", ""], rows)


def _against(found: Found, name: str, curve: str, codes: Sequence[str], seed: int) -> Estimate:
    sizes = SIZES if curve == "agreement" else (3, FIVE, 8)
    points = [_pooled(found, at(curve, n), codes) for n in sizes]
    policy = _pooled(found, name, codes)
    told = against(policy, curve, points, Resamples(len(policy.right), seed, RESAMPLES)).difference
    return Estimate(100 * told.value, 100 * told.low, 100 * told.high)


def _pooled(found: Found, name: str, codes: Sequence[str]) -> Measured:
    parts = [found[code].told[name].measured(name) for code in codes]
    return Measured(
        name,
        right=np.concatenate([part.right for part in parts]),
        tokens=np.concatenate([part.tokens for part in parts]),
        seconds=np.concatenate([part.seconds for part in parts]),
        samples=np.concatenate([part.samples for part in parts]),
    )


def _curves(found: Found) -> str:
    """Errors at 1, 2, 3, … candidates, those between the measured interpolated, and their split."""
    most = max(SIZES)
    curves = {}
    for code, language in found.items():
        measured = [1 - float(np.mean(language.told["greedy"].right))] + [
            1 - float(np.mean(language.told[at("agreement", n)].right)) for n in SIZES
        ]
        sizes = range(1, most + 1)
        curves[code] = [round(float(e), 3) for e in np.interp(sizes, [1, *SIZES], measured)]
    lines = [f"{code} = {curve}" for code, curve in curves.items()]
    objectives: tuple[Objective, ...] = ("sum", "worst")
    splits = [
        f"`split={objective}` at {FIVE} on average: "
        + ", ".join(f"{code} {n}" for code, n in split(curves, FIVE, objective).items())
        for objective in objectives
    ]
    text = (
        "Of `agreement`; `curves` of the strategy takes them. What is split here is measured on "
        "the same problems, and so says nothing of how much it brings."
    )
    return "\n\n".join([text, "```toml\n" + "\n".join(lines) + "\n```", *splits])


def _mean(values: Floats, seed: int) -> Estimate:
    return Resamples(len(values), seed, RESAMPLES).mean(values)


def _percent(right: Floats) -> str:
    return f"{100 * float(np.mean(right)):.1f}"


def _points(told: Estimate) -> str:
    return f"{told.value:+.1f} [{told.low:+.1f}, {told.high:+.1f}]"


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
