"""A summary as Markdown (pure)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from benchmarks.evaluation.journal import Json

GLOSSARY = """\
Brackets are 95% percentile intervals of a bootstrap over problems; differences are paired, problem
by problem. An interval without width means that all problems gave the same: with N problems all
right, the true share may still be as low as 1 - 3/N.

- *accuracy*: share of problems whose selected answer is right. A failed request is a wrong answer.
- *any right*: share of problems with a right answer among the candidates drawn.
- *selection gap*: any right minus accuracy; what better selection could still win.
- *selection accuracy*: of the problems with a right candidate, the share whose selected answer is
  right.
- *AUROC*: chance that a right candidate is scored above a wrong one; over all candidates that also
  rewards knowing which problems are easy, within problems only what can choose.
- *tokens*: completion tokens over all samples and judges of a request, as the server counts them.
- *seconds*: wall time of a request at the run's concurrency, seen by the client.
- *coverage@k*: unbiased chance of a right answer among k samples (Large Language Monkeys, arXiv
  2407.21787); told where every problem got the same number of samples.
- *power law*: coverage(k) = exp(a k^b), least squares on log-spaced k. *tail law*: each problem has
  a chance of its own, beta distributed among the hard ones; maximum likelihood.
- *a right answer* is one whose canonical form is that of the reference, compared by the client."""


def percent(told: Json, *, signed: bool = False) -> str:
    """A share and its interval in percent."""
    value, low, high = (told[name] for name in ("value", "low", "high"))
    if value is None:
        return "–"
    sign = "+" if signed else ""
    around = "" if low is None else f" [{100 * low:{sign}.1f}, {100 * high:{sign}.1f}]"
    return f"{100 * value:{sign}.1f}%{around}"


def amount(told: Json, *, digits: int = 0, signed: bool = False) -> str:
    """A number and its interval."""
    value, low, high = (told[name] for name in ("value", "low", "high"))
    if value is None:
        return "–"
    form = f"{'+' if signed else ''},.{digits}f"
    around = "" if low is None else f" [{low:{form}}, {high:{form}}]"
    return f"{value:{form}}{around}"


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; all columns but the first are figures."""
    lines = [list(header), ["---", *["---:"] * (len(header) - 1)], *map(list, rows)]
    return "\n".join(
        "| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines
    )


def facts(label: str, summary: Json, command: str | None, *, alone: bool) -> str:
    """What was run, so that it can be run again."""
    told = summary["settings"]
    failed = sum(each["failed"] for each in summary["policies"].values())
    versions = ", ".join(f"{name} {each}" for name, each in summary["versions"].items())
    lines = [
        *([] if alone else [f"### {label}\n"]),
        *([f"```\n{command}\n```\n"] if command else []),
        f"- {summary['problems']} problems, digest `{told['problems']}`; seed {told['seed']}"
        + ("" if told["seeded"] else "; requests were not seeded, so that no run repeats"),
        f"- server: {told['server']}; model: {told['model'] or 'the only one'}; "
        f"{told['concurrency']} problems at once",
        f"- temperature: {_or_default(told['temperature'])}; "
        f"most tokens a sample: {_or_default(told['max_tokens'])}",
        "- **the right answer was sent to the server** (`--send-reference`)"
        if told["reference_sent"]
        else "- the right answer never left the client",
        *(["- **the problems' tests were sent to the server**"] if told["tests_sent"] else []),
        f"- versions: {versions}; {summary['resamples']} resamples",
    ]
    if not summary["complete"]:
        lines.append("- **the run is not finished**: figures are of what was answered so far")
    if failed:
        lines.append(f"- **{failed} requests failed** and count as wrong; see below")
    return "\n".join(lines)


def _or_default(value: object) -> str:
    return "the server's" if value is None else str(value)


def _policies(summary: Json) -> str:
    names = ("accuracy", "any_right", "selection_gap", "selection_accuracy")
    return table(
        ["policy", "accuracy", "any right", "selection gap", "selection accuracy", "samples",
         "tokens", "prompt tokens"],
        [
            [f"`{name}`", *(percent(told[each]) for each in names),
             amount(told["samples"], digits=1), amount(told["completion_tokens"]),
             amount(told["prompt_tokens"])]
            for name, told in summary["policies"].items()
        ],
    )  # fmt: skip


def _ranking(summary: Json) -> str:
    rows = [
        [f"`{name}`", f"{told['auroc']['all']:.3f}", amount(told["auroc"]["within"], digits=3)]
        for name, told in summary["policies"].items()
        if told["auroc"]
    ]
    header = ["AUROC of the scores", "all candidates", "within problems"]
    return table(header, rows) if rows else ""


def _times(summary: Json) -> str:
    rows = []
    for name, told in summary["policies"].items():
        each = told["seconds"]
        shown = [
            amount(each[key], digits=2) if key in each else "–" for key in ("mean", "p50", "p95")
        ]
        rows.append([f"`{name}`", *shown])
    return table(["policy", "seconds, mean", "p50", "p95"], rows)


def _differences(summary: Json) -> str:
    rows = [
        [f"`{each['policy']}` − `{each['against']}`", str(each["problems"]),
         percent(each["accuracy"], signed=True), percent(each["any_right"], signed=True),
         amount(each["completion_tokens"], signed=True)]
        for each in summary["differences"]
        if each["problems"]
    ]  # fmt: skip
    return (
        table(["difference", "problems", "accuracy", "any right", "tokens"], rows) if rows else ""
    )


def _coverage(summary: Json) -> str:
    curves = {n: t["coverage"] for n, t in summary["policies"].items() if t["coverage"]}
    ks = sorted(
        {
            k
            for each in curves.values()
            for k in each["k"]
            if k & (k - 1) == 0 or k == each["samples"]
        }
    )
    rows = []
    for name, each in curves.items():
        at = {
            k: {"value": value, "low": low, "high": high}
            for k, value, low, high in zip(
                *(each[part] for part in ("k", "value", "low", "high")), strict=True
            )
        }
        rows.append([f"`{name}`", *(percent(at[k]) if k in at else "" for k in ks)])
    return table(["coverage", *(f"@{k}" for k in ks)], rows) if rows else ""


def _forecast(summary: Json) -> str:
    rows = []
    for name, told in summary["policies"].items():
        each = told["forecast"]
        if each is None:
            continue
        measured = "–" if each["measured"] is None else percent(each["measured"])
        for law, title in (("power_law", "power"), ("tail_law", "tail")):
            fit = each[law]
            error = percent(fit["error"], signed=True) if "error" in fit else "–"
            rows.append([f"`{name}`", title, f"{each['from']}", f"{each['to']}",
                         _parameters(fit), percent(fit["forecast"]), measured, error])  # fmt: skip
    header = ["policy", "law", "samples used", "k", "parameters", "forecast", "measured", "error"]
    return table(header, rows) if rows else ""


def _parameters(fit: Json) -> str:
    names = [name for name in ("a", "b", "weight", "alpha", "beta") if name in fit]
    return ", ".join(
        f"{name} {'–' if (value := fit[name]['value']) is None else f'{value:.3f}'}"
        for name in names
    )


def _grouped(key: str, title: str) -> Callable[[Json], str]:
    def text(summary: Json) -> str:
        rows = [
            [group, f"`{name}`", str(each["problems"]), percent(each["accuracy"]),
             percent(each["any_right"]), percent(each["selection_gap"]),
             amount(each["completion_tokens"])]
            for name, told in summary["policies"].items()
            for group, each in told[key].items()
        ]  # fmt: skip
        rows.sort(key=lambda row: row[0])
        header = [title, "policy", "problems", "accuracy", "any right", "selection gap", "tokens"]
        return table(header, rows) if rows else ""

    return text


def _ends(summary: Json) -> str:
    rows = [
        [f"`{name}`", str(told["failed"]), _counted(told["stops"]), _counted(told["degraded"])]
        for name, told in summary["policies"].items()
    ]
    text = table(["policy", "failed", "stopped because", "not done as asked"], rows)
    errors = [
        f"- `{name}`, {times} times: {error}"
        for name, told in summary["policies"].items()
        for error, times in told["errors"].items()
    ]
    return text + ("\n\n" + "\n".join(errors) if errors else "")


def _counted(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {times}" for name, times in counts.items()) or "–"


def agreement(compared: Sequence[Json]) -> str:
    """Each policy of a later run against the same policy of the first."""
    rows = [
        [f"`{each['policy']}`", f"{each['run']} − {each['against']}", str(each["problems"]),
         percent(each["accuracy"], signed=True), percent(each["any_right"], signed=True),
         amount(each["completion_tokens"], signed=True), _verdict(each["agrees"])]
        for each in compared
        if each["problems"]
    ]  # fmt: skip
    header = ["policy", "difference", "problems", "accuracy", "any right", "tokens", "agree?"]
    if not rows:
        return "The runs have no policy on the same problems in common."
    note = (
        "Runs agree in a figure where the interval of the paired difference contains 0; of twenty "
        "true agreements, one is called a difference by chance."
    )
    return f"{table(header, rows)}\n\n{note}"


def _verdict(agrees: Mapping[str, bool | None]) -> str:
    apart = [name.replace("_", " ") for name, holds in agrees.items() if holds is False]
    return "yes" if not apart else f"no: {', '.join(apart)}"


SECTIONS: dict[str, Callable[[Json], str]] = {
    "Policies": _policies,
    "Scores": _ranking,
    "Wall time": _times,
    "Differences": _differences,
    "Coverage": _coverage,
    "Forecast": _forecast,
    "By language": _grouped("by_language", "language"),
    "By number of steps": _grouped("by_steps", "steps"),
    "How requests ended": _ends,
}
"""Title -> its text, which is empty where there is nothing to tell."""
