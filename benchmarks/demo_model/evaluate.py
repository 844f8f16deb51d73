"""Measure trained models on unseen problems: `python -m benchmarks.demo_model.evaluate`.

Accuracy and coverage by language and number of steps, and how well self-evaluation and the reward
models tell right answers from wrong ones.
"""

import argparse
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import torch
from tokenizers import Tokenizer

from benchmarks.demo_model import reward, self_evaluation
from benchmarks.demo_model.graded import Asked, Graded, grade
from benchmarks.demo_model.model import LanguageModel
from benchmarks.demo_model.train import BASE, read
from benchmarks.evaluation.ranking import auroc
from benchmarks.problems import LANGUAGES, Split, generate


def problems_of(count: int, seed: int, split: Split) -> list[Asked]:
    """Return `count` problems, the languages in turn."""
    share = -(-count // len(LANGUAGES))
    drawn = [list(generate(share, seed, split=split, language=code)) for code in LANGUAGES]
    return [Asked(p, as_json=False) for row in zip(*drawn, strict=True) for p in row][:count]


def by_problem(graded: Iterable[Graded]) -> dict[int, list[bool]]:
    """Return each problem's answers, right or not, by its number."""
    found: dict[int, list[bool]] = {}
    for answer in graded:
        found.setdefault(answer.group, []).append(answer.correct)
    return found


def print_accuracy(problems: Sequence[Asked], graded: Sequence[Graded], each: int) -> None:
    """Print pass@1 and coverage, overall, by language and by number of steps."""
    rows = by_problem(graded)

    def line(name: str, belongs: Callable[[Asked], bool]) -> None:
        chosen = [rows[i] for i, p in enumerate(problems) if belongs(p)]
        alone = sum(map(sum, chosen)) / (len(chosen) * each)
        covered = sum(map(any, chosen)) / len(chosen)
        print(f"{name}: pass@1 {alone:.3f}, coverage@{each} {covered:.3f}, {len(chosen)} problems")

    line("all", lambda _: True)
    for code in LANGUAGES:
        line(code, lambda p, code=code: p.problem.language == code)  # type: ignore[misc]
    for steps in sorted({p.problem.steps for p in problems}):
        line(f"{steps} steps", lambda p, steps=steps: p.problem.steps == steps)  # type: ignore[misc]


def print_auroc(
    base: LanguageModel, rewards: reward.RewardModel, tokenizer: Tokenizer, graded: Sequence[Graded]
) -> None:
    """Print the AUROC of each way to tell right answers, over all answers."""
    right = [answer.correct for answer in graded]
    outcomes, least = reward.judge(rewards, tokenizer, graded)
    figures = {
        "self-evaluation, full answers": self_evaluation.judge(base, tokenizer, graded, 1.0),
        "self-evaluation, half answers": self_evaluation.judge(base, tokenizer, graded, 0.5),
        "outcome reward model": outcomes,
        "process reward model, minimum": least,
    }
    for name, scores in figures.items():
        print(f"AUROC of {name}: {auroc(scores, right):.3f}")


def main() -> None:
    """Read the command line and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", type=Path, required=True, help="what training wrote")
    parser.add_argument("--problems", type=int, default=500)
    parser.add_argument("--samples", type=int, default=64)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--split", choices=("train", "test"), default="test")
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    base, tokenizer = read(arguments.models / BASE)
    problems = problems_of(arguments.problems, arguments.seed, arguments.split)
    graded = grade(base, tokenizer, problems, arguments.samples, arguments.seed)
    print_accuracy(problems, graded, arguments.samples)
    print_auroc(base, reward.load_rewards(arguments.models), tokenizer, graded)


if __name__ == "__main__":
    main()
