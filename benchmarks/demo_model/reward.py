"""An outcome and a process reward model: one trunk trained on graded answers, two classifiers.

Labels need no rollouts: a token is good while the answer so far follows the reference working, the
outcome is good where the final answer is right.
"""

import json
from collections.abc import Sequence
from copy import deepcopy
from pathlib import Path
from random import Random

import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.demo_model.conversations import END, token_id
from benchmarks.demo_model.descent import Descent, Progress, rate, split_parameters
from benchmarks.demo_model.files import write_directory
from benchmarks.demo_model.graded import Graded
from benchmarks.demo_model.model import LanguageModel, shape_of
from benchmarks.demo_model.surprise import Surprise
from benchmarks.demo_model.trunk import grouped

RATE_SHARE = 0.3
OUTCOME, PROCESS = "outcome_reward_model", "process_reward_model"
FORMS = {
    OUTCOME: ("LlamaForSequenceClassification", {"0": "correct"}),
    PROCESS: ("LlamaForTokenClassification", {"0": "bad", "1": "good"}),
}


class RewardModel(nn.Module):  # type: ignore[misc]
    """A trunk with two heads: the outcome at the last token, good or bad at each."""

    def __init__(self, trunk: LanguageModel) -> None:
        super().__init__()
        self.trunk = trunk
        self.outcome = nn.Linear(trunk.shape.hidden, 1, bias=False)
        self.process = nn.Linear(trunk.shape.hidden, 2)

    def forward(self, ids: Tensor, last: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return outcome logits (rows,) at `last` (rows,), (rows, time, 2) logits, and states."""
        states = self.trunk.hidden(ids)
        ends = states[torch.arange(len(ids)), last]
        return self.outcome(ends)[:, 0], self.process(states), states


def padded(answers: Sequence[Graded], end: int) -> tuple[Tensor, Tensor]:
    """Return ids (rows, longest) of prompts, answers and ends, and the places of the ends."""
    rows = [[*a.prompt, *a.ids, end] for a in answers]
    longest = max(map(len, rows))
    ids = torch.tensor([row + [0] * (longest - len(row)) for row in rows])
    return ids, torch.tensor([len(row) - 1 for row in rows])


class Lesson(nn.Module):  # type: ignore[misc]
    """What a reward model learns beside labels: how surprised its trunk was before it began."""

    def __init__(self, trunk: LanguageModel) -> None:
        super().__init__()
        self.surprise = Surprise(trunk.shape.hidden)
        self._before = deepcopy(trunk).eval().requires_grad_(False)

    def loss(self, states: Tensor, ids: Tensor, answers: Sequence[Graded]) -> Tensor:
        """Return the loss of telling the surprise at each token of the answers."""
        lengths = [len(answer.ids) + 1 for answer in answers]
        at = torch.cat(
            [
                torch.arange(length) + row * ids.shape[1] + len(answer.prompt)
                for row, (answer, length) in enumerate(zip(answers, lengths, strict=True))
            ]
        )
        with torch.no_grad():
            before = self._before.logits(self._before.hidden(ids).flatten(0, 1)[at - 1])
        nats = F.cross_entropy(before, ids.flatten()[at], reduction="none")
        return self.surprise.loss(states.flatten(0, 1)[at], nats, lengths)


def loss_of(model: RewardModel, lesson: Lesson, answers: Sequence[Graded], end: int) -> Tensor:
    """Return the loss of both heads and of the lesson on a batch."""
    ids, last = padded(answers, end)
    outcome, process, states = model(ids, last)
    right = torch.tensor([float(a.correct) for a in answers])
    labels = torch.full(ids.shape, -100)
    for row, answer in enumerate(answers):
        start = len(answer.prompt)
        good = [int(index < answer.good) for index in range(len(answer.ids))]
        labels[row, start : start + len(good)] = torch.tensor(good)
        labels[row, start + len(good)] = int(answer.correct)
    judged = F.binary_cross_entropy_with_logits(outcome, right)
    followed = F.cross_entropy(process.flatten(0, 1), labels.flatten())
    return judged + followed + lesson.loss(states, ids, answers)


def train_rewards(
    trunk: LanguageModel, tokenizer: Tokenizer, graded: Sequence[Graded], seed: int
) -> RewardModel:
    """Return a reward model trained from `trunk` in one pass over graded answers."""
    random = Random(seed)
    torch.manual_seed(seed)
    model, end = RewardModel(trunk), token_id(tokenizer, END)
    lesson = Lesson(trunk)
    matrices, others = split_parameters(model)
    descent = Descent(matrices, [*others, *lesson.surprise.parameters()], share=RATE_SHARE)
    groups = grouped([len(a.prompt) + len(a.ids) + 1 for a in graded])
    random.shuffle(groups)
    progress = Progress("rewards", len(groups))
    for step, group in enumerate(groups, start=1):
        loss = loss_of(model, lesson, [graded[i] for i in group], end)
        progress.note(step, descent.step(loss, rate(step - 1, len(groups))))
    return model


@torch.inference_mode()  # type: ignore[untyped-decorator]
def judge(
    model: RewardModel, tokenizer: Tokenizer, graded: Sequence[Graded]
) -> tuple[list[float], list[float]]:
    """Return each answer's outcome score, and the least of its step ends' P(good)."""
    end = token_id(tokenizer, END)
    outcomes, least = [0.0] * len(graded), [0.0] * len(graded)
    for group in grouped([len(a.prompt) + len(a.ids) + 1 for a in graded]):
        answers = [graded[i] for i in group]
        ids, last = padded(answers, end)
        scores, process, _ = model(ids, last)
        good = process.softmax(-1)[..., 1]
        for row, (index, answer) in enumerate(zip(group, answers, strict=True)):
            outcomes[index] = float(scores[row].sigmoid())
            ends = step_ends(tokenizer, answer)
            least[index] = min(float(good[row, len(answer.prompt) + e]) for e in ends)
    return outcomes, least


def step_ends(tokenizer: Tokenizer, answer: Graded) -> list[int]:
    """Return the places, within an answer and its end, of each line's last token and of the end."""
    names = [tokenizer.decode([token]) for token in answer.ids]
    lines = [index - 1 for index, name in enumerate(names) if index and "\n" in name]
    return [*lines, len(answer.ids)]


def save_rewards(model: RewardModel, tokenizer: Tokenizer, out: Path) -> None:
    """Write both classifiers under `out`, as Hugging Face and vLLM read them."""
    heads = {OUTCOME: model.outcome, PROCESS: model.process}
    for name, head in heads.items():
        directory = out / name
        write_directory(directory, model.trunk.shape, tokenizer)
        config = json.loads((directory / "config.json").read_text(encoding="utf-8"))
        architecture, labels = FORMS[name]
        config["architectures"] = [architecture]
        config["id2label"] = labels
        config["label2id"] = {label: int(index) for index, label in labels.items()}
        text = json.dumps(config, indent=2) + "\n"
        (directory / "config.json").write_text(text, encoding="utf-8")
        weights = {
            **model.trunk.state_dict(),
            **{f"score.{k}": v for k, v in head.state_dict().items()},
        }
        file = directory / "model.safetensors"
        half = {k: v.detach().to(torch.float16).contiguous() for k, v in weights.items()}
        save_file(half, file, metadata={"format": "pt"})
        file.chmod(0o644)


def load_rewards(out: Path) -> RewardModel:
    """Return the reward model whose two classifiers `save_rewards` wrote under `out`."""
    config = json.loads((out / OUTCOME / "config.json").read_text(encoding="utf-8"))
    model = RewardModel(LanguageModel(shape_of(config)))
    outcome, process = (load_file(out / name / "model.safetensors") for name in (OUTCOME, PROCESS))
    trunk = {k: v.float() for k, v in outcome.items() if not k.startswith("score.")}
    model.trunk.load_state_dict(trunk)
    model.outcome.weight.data = outcome["score.weight"].float()
    model.process.weight.data = process["score.weight"].float()
    model.process.bias.data = process["score.bias"].float()
    model.eval()
    return model
