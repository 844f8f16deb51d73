"""Measure a model on unseen problems: `python -m benchmarks.demo_model.evaluate --model DIR`."""

import argparse
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from tokenizers import Tokenizer
from torch import Tensor

from benchmarks.demo_model.conversations import END, render, token_id
from benchmarks.demo_model.model import LanguageModel, load
from benchmarks.problems import Problem, Split, generate

BUDGET = 16  # the samples of the majority vote, and the most that the verified search takes
LONGEST_ANSWER = 192  # tokens
PROBLEMS_AT_ONCE = 8
EQUATION = re.compile(r"(\d+) ([-+*/]) (\d+) = (\d+)")
ANSWER = re.compile(r"Answer: (\d+)")


@dataclass(frozen=True, slots=True)
class Sample:
    """One sampled answer: its final number, or None, and whether its own working checks."""

    answer: str | None
    verified: bool


def holds(a: int, operator: str, b: int, c: int) -> bool:
    """Return whether `a operator b = c` is a true equation."""
    if operator == "/":
        return b != 0 and b * c == a
    return c == {"+": a + b, "-": a - b, "*": a * b}[operator]


def judge(text: str) -> Sample:
    """Read one answer: verified where each line is a true equation, the last giving the answer."""
    *lines, last = text.split("\n")
    answer = ANSWER.fullmatch(last)
    if answer is None:
        return Sample(None, verified=False)
    equations = [EQUATION.fullmatch(line) for line in lines]
    true = [e is not None and holds(int(e[1]), e[2], int(e[3]), int(e[4])) for e in equations]
    follows = bool(equations) and equations[-1] is not None and equations[-1][4] == answer[1]
    return Sample(answer[1], verified=all(true) and follows)


def draw(
    states: Tensor, model: LanguageModel, generator: torch.Generator, temperature: float
) -> Tensor:
    """Return one token (rows,) drawn from states (rows, hidden), the likeliest at temperature 0."""
    logits = model.logits(states)
    if temperature == 0:
        return logits.argmax(dim=-1)
    probabilities = torch.softmax(logits / temperature, dim=-1)
    return torch.multinomial(probabilities, 1, generator=generator)[:, 0]


@torch.inference_mode()  # type: ignore[untyped-decorator]
def sample(
    model: LanguageModel,
    prompts: Sequence[list[int]],
    each: int,
    end: int,
    generator: torch.Generator,
    temperature: float,
) -> list[list[int]]:
    """Return `each` sampled token lists per prompt, in order, without their end token."""
    lengths = torch.tensor([len(p) for p in prompts]).repeat_interleave(each)
    longest, rows = int(lengths.max()), len(lengths)
    ids = torch.tensor([p + [0] * (longest - len(p)) for p in prompts]).repeat_interleave(
        each, dim=0
    )
    cache = model.empty_cache(rows, longest + LONGEST_ANSWER)
    states = model.hidden(
        ids, mask=torch.ones(longest, longest, dtype=torch.bool).tril(), cache=cache
    )
    chosen = draw(states[torch.arange(rows), lengths - 1], model, generator, temperature)
    seen = (
        torch.arange(longest)[None] < lengths[:, None]
    )  # the padding after a short prompt stays hidden
    drawn, done = [chosen], chosen == end
    while len(drawn) < LONGEST_ANSWER and not bool(done.all()):
        seen = torch.cat((seen, torch.ones(rows, 1, dtype=torch.bool)), dim=1)
        positions = (lengths + len(drawn) - 1)[:, None]
        states = model.hidden(chosen[:, None], positions, seen[:, None, None], cache)
        chosen = draw(states[:, -1], model, generator, temperature)
        drawn.append(chosen)
        done |= chosen == end
    table = torch.stack(drawn, dim=1).tolist()
    return [row[: row.index(end)] if end in row else row for row in table]


def vote(answers: Sequence[str | None]) -> str | None:
    """Return the commonest answer, the first of those that tie."""
    return Counter(answers).most_common(1)[0][0]


def search(samples: Sequence[Sample]) -> tuple[str | None, int]:
    """Return the first verified sample's answer, else the majority's, and how many it took."""
    for taken, found in enumerate(samples, start=1):
        if found.verified:
            return found.answer, taken
    return vote([s.answer for s in samples]), len(samples)


def report(problems: Sequence[Problem], samples: Sequence[Sequence[Sample]]) -> dict[str, float]:
    """Return each figure by its name, all of them shares but the mean number of samples."""
    count, each = len(problems), len(samples[0])
    truth = [p.answer for p in problems]
    right = [[s.answer == t for s in row] for t, row in zip(truth, samples, strict=True)]
    searches = [search(row[:BUDGET]) for row in samples]
    votes = [vote([s.answer for s in row[:BUDGET]]) for row in samples]
    flat = [s for row in samples for s in row]
    verified = sum(s.verified for s in flat)
    misread = sum(
        s.verified and s.answer != t for t, row in zip(truth, samples, strict=True) for s in row
    )
    return {
        "pass@1": sum(map(sum, right)) / (count * each),
        f"majority of {BUDGET}": sum(v == t for v, t in zip(votes, truth, strict=True)) / count,
        f"coverage@{BUDGET}": sum(any(row[:BUDGET]) for row in right) / count,
        f"coverage@{each}": sum(map(any, right)) / count,
        f"verified-{BUDGET}": sum(a == t for (a, _), t in zip(searches, truth, strict=True))
        / count,
        "mean samples of the verified search": sum(taken for _, taken in searches) / count,
        "verified samples": verified / len(flat),
        "verified samples that are wrong": misread / max(verified, 1),
        "samples without an answer": sum(s.answer is None for s in flat) / len(flat),
    }


def evaluate(
    directory: Path, *, count: int, each: int, seed: int, temperature: float, split: Split
) -> tuple[list[Problem], list[list[Sample]]]:
    """Sample `each` answers to each of `count` problems, the same for the same arguments."""
    model, tokenizer = load(directory), Tokenizer.from_file(str(directory / "tokenizer.json"))
    problems = list(generate(count, seed, split=split))
    prompts = [tokenizer.encode(render([("user", p.question)], prompt=True)).ids for p in problems]
    generator = torch.Generator().manual_seed(seed)
    rows: list[Sample] = []
    for first in range(0, count, PROBLEMS_AT_ONCE):
        group = prompts[first : first + PROBLEMS_AT_ONCE]
        drawn = sample(model, group, each, token_id(tokenizer, END), generator, temperature)
        rows += [judge(text) for text in tokenizer.decode_batch(drawn)]
    return problems, [rows[i * each : (i + 1) * each] for i in range(count)]


def main() -> None:
    """Read the command line and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True, help="the model directory")
    parser.add_argument("--problems", type=int, default=200)
    parser.add_argument("--samples", type=int, default=64)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--temperature", type=float, default=1.0)
    parser.add_argument("--split", choices=("train", "test"), default="test")
    arguments = parser.parse_args()
    problems, samples = evaluate(
        arguments.model,
        count=arguments.problems,
        each=arguments.samples,
        seed=arguments.seed,
        temperature=arguments.temperature,
        split=arguments.split,
    )
    for name, value in report(problems, samples).items():
        print(f"{name}: {value:.3f}")
    for steps in sorted({p.steps for p in problems}):
        rows = [(p, row) for p, row in zip(problems, samples, strict=True) if p.steps == steps]
        right = sum(s.answer == p.answer for p, row in rows for s in row)
        share = right / (len(rows) * arguments.samples)
        print(f"pass@1 at {steps} steps ({len(rows)} problems): {share:.3f}")


if __name__ == "__main__":
    main()
