"""Train the demo's models from nothing: `python -m benchmarks.demo_model.train --out DIR`.

Stages, each from its seed: the trunk; the base model, a checkpoint of the trunk taught to evaluate
itself on its own answers; and two reward models, the base taught to compare each token with what it
expected and then to judge answers of its own.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import torch
from tokenizers import Tokenizer

from benchmarks.demo_model.graded import Asked, Graded, asked, grade
from benchmarks.demo_model.heads import add_idle_heads
from benchmarks.demo_model.model import LanguageModel, load
from benchmarks.demo_model.reward import save_rewards, train_rewards
from benchmarks.demo_model.self_evaluation import teach
from benchmarks.demo_model.trunk import train_trunk, write

BASE_STEP = 1600  # the checkpoint that becomes the base: it leaves its samplers something to gain
ANSWERED = 3200  # training problems that the base answers
EACH = 8  # answers to each
JUDGED, EACH_JUDGED = 1200, 4  # problems and answers that the reward models learn from
BASE = "model"


def train(out: Path, seed: int) -> None:
    """Run all stages and write `out/model` and the reward models beside it."""
    trunk = out / "trunk"
    train_trunk(trunk, seed)
    base, tokenizer = read(trunk / f"step-{BASE_STEP}")
    graded = answer(base, tokenizer, asked(ANSWERED, seed + 1, split="train"), EACH, seed)
    base.train()
    teach(base, tokenizer, graded, seed)
    write(out / BASE, base, tokenizer)
    add_idle_heads(out / BASE)
    base, _ = read(out / BASE)  # with idle heads, which the reward models put to use
    problems = asked(JUDGED, seed + 2, split="train")
    judged = answer(base, tokenizer, problems, EACH_JUDGED, seed + 2)
    save_rewards(train_rewards(base, tokenizer, judged, seed), tokenizer, out)


def answer(
    base: LanguageModel, tokenizer: Tokenizer, problems: Sequence[Asked], each: int, seed: int
) -> list[Graded]:
    """Return the base's own answers, `each` to every problem."""
    print(f"answering {len(problems)} problems {each} times", flush=True)
    graded = grade(base, tokenizer, problems, each, seed)
    share = sum(answer.correct for answer in graded) / len(graded)
    print(f"{len(graded)} answers, {share:.3f} of them right", flush=True)
    return graded


def read(directory: Path) -> tuple[LanguageModel, Tokenizer]:
    """Return the model and the tokenizer of a directory that training wrote."""
    return load(directory), Tokenizer.from_file(str(directory / "tokenizer.json"))


def main() -> None:
    """Read the command line and train."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="the directory to write")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.use_deterministic_algorithms(True)
    train(arguments.out, arguments.seed)


if __name__ == "__main__":
    main()
