"""Train the demo's models from nothing: `python -m benchmarks.demo_model.train --out DIR`.

Stages, each from its seed: the trunk; the base model, a checkpoint of the trunk taught to evaluate
itself on its own answers; and two reward models, the whole trunk trained on the same answers.
"""

import argparse
from pathlib import Path

import torch
from tokenizers import Tokenizer

from benchmarks.demo_model.graded import asked, grade
from benchmarks.demo_model.heads import add_idle_heads
from benchmarks.demo_model.model import LanguageModel, load
from benchmarks.demo_model.reward import OUTCOME, PROCESS, save_rewards, train_rewards
from benchmarks.demo_model.self_evaluation import teach
from benchmarks.demo_model.trunk import STEPS, train_trunk, write

BASE_STEP = 1600  # the checkpoint that becomes the base: it leaves its samplers something to gain
ANSWERED = 3200  # training problems that the base answers
EACH = 8  # answers to each
BASE = "model"


def train(out: Path, seed: int) -> None:
    """Run all stages and write `out/model` and the reward models beside it."""
    trunk = out / "trunk"
    train_trunk(trunk, seed)
    base, tokenizer = read(trunk / f"step-{BASE_STEP}")
    problems = asked(ANSWERED, seed + 1, split="train")
    print(f"answering {len(problems)} problems {EACH} times", flush=True)
    graded = grade(base, tokenizer, problems, EACH, seed)
    share = sum(answer.correct for answer in graded) / len(graded)
    print(f"{len(graded)} answers, {share:.3f} of them right", flush=True)
    base.train()
    teach(base, tokenizer, graded, seed)
    write(out / BASE, base, tokenizer)
    whole, _ = read(trunk / f"step-{STEPS}")
    whole.train()
    save_rewards(train_rewards(whole, tokenizer, graded, seed), tokenizer, out)
    for name in (BASE, OUTCOME, PROCESS):
        add_idle_heads(out / name)


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
