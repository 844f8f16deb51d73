"""An outcome and a process reward model: one trunk trained on graded answers, two classifiers.

Labels need no rollouts: a token is good while the answer so far follows the reference working, the
outcome is good where the final answer is right.
"""

import json
from collections.abc import Iterable, Sequence
from copy import deepcopy
from itertools import islice
from pathlib import Path
from random import Random

import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.demo_model.comparing import Lesson
from benchmarks.demo_model.conversations import END, token_id
from benchmarks.demo_model.descent import Descent, Progress, rate, split_parameters
from benchmarks.demo_model.files import write_directory
from benchmarks.demo_model.graded import Graded
from benchmarks.demo_model.looking_back import look_back
from benchmarks.demo_model.model import LanguageModel, shape_of
from benchmarks.demo_model.spoiled import spoiled
from benchmarks.demo_model.trunk import grouped

RATE_SHARE = 0.5
FIXED_LAYERS = 4  # of the base, which read and predict; those above learn to compare
BATCH_TOKENS = 2048
WARM_UP_STEPS = 20
SPOILED_STEPS = 150  # on gold answers with digits replaced, before the base's own
SEEN = 8  # batches of such answers that the set weights are fitted to
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

    def forward(self, ids: Tensor, last: Tensor) -> tuple[Tensor, Tensor]:
        """Return outcome logits (rows,) at `last` (rows,) and process logits (rows, time, 2)."""
        states = self.trunk.hidden(ids)
        return self.read(states, last)

    def read(self, states: Tensor, last: Tensor) -> tuple[Tensor, Tensor]:
        """Return both heads' logits of last states (rows, time, hidden)."""
        ends = states[torch.arange(len(states)), last]
        return self.outcome(ends)[:, 0], self.process(states)


def padded(answers: Sequence[Graded], end: int) -> tuple[Tensor, Tensor]:
    """Return ids (rows, longest) of prompts, answers and ends, and the places of the ends."""
    rows = [[*a.prompt, *a.ids, end] for a in answers]
    longest = max(map(len, rows))
    ids = torch.tensor([row + [0] * (longest - len(row)) for row in rows])
    return ids, torch.tensor([len(row) - 1 for row in rows])


def labels_of(answers: Sequence[Graded], ids: Tensor) -> Tensor:
    """Return (rows, time) labels: 1 good, 0 bad, -100 for what is no part of an answer."""
    labels = torch.full(ids.shape, -100)
    for row, answer in enumerate(answers):
        start = len(answer.prompt)
        good = [int(index < answer.good) for index in range(len(answer.ids))]
        labels[row, start : start + len(good)] = torch.tensor(good)
        labels[row, start + len(good)] = int(answer.correct)
    return labels


def loss_of(model: RewardModel, lesson: Lesson, answers: Sequence[Graded], end: int) -> Tensor:
    """Return the loss of both heads and of the lesson on a batch."""
    ids, last = padded(answers, end)
    labels = labels_of(answers, ids)
    each: list[Tensor] = []
    outcome, process = model.read(model.trunk.hidden(ids, each=each), last)
    right = torch.tensor([float(a.correct) for a in answers])
    judged = F.binary_cross_entropy_with_logits(outcome, right)
    followed = F.cross_entropy(process.flatten(0, 1), labels.flatten())
    return judged + followed + lesson.loss(each, ids, labels >= 0)


def train_rewards(
    base: LanguageModel, tokenizer: Tokenizer, graded: Sequence[Graded], seed: int
) -> RewardModel:
    """Return a reward model that continues from `base`, itself left as it is.

    It learns to compare on gold answers with digits replaced, then to judge in one pass over
    `graded`, the base's own answers.
    """
    torch.manual_seed(seed)
    model, lesson = RewardModel(deepcopy(base).train()), Lesson(base)
    model.trunk.model.embed_tokens.requires_grad_(False)
    model.trunk.model.layers[:FIXED_LAYERS].requires_grad_(False)
    ids, answered = together(islice(spoiled(tokenizer, seed + 3), SEEN))
    lesson.expected.weight.data = look_back(
        model.trunk, FIXED_LAYERS, ids, answered, lesson.teacher(ids, answered)[0]
    )
    compare(model, lesson, tokenizer, seed)
    learn_to_judge(model, lesson, tokenizer, graded, seed)
    return model


def together(batches: Iterable[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
    """Return several batches as one, padded on the right to the longest."""
    drawn = list(batches)
    longest = max(ids.shape[1] for ids, _ in drawn)
    ids = torch.cat([F.pad(ids, (0, longest - ids.shape[1])) for ids, _ in drawn])
    return ids, torch.cat([F.pad(at, (0, longest - at.shape[1])) for _, at in drawn])


def compare(model: RewardModel, lesson: Lesson, tokenizer: Tokenizer, seed: int) -> None:
    """Teach `model` the lesson alone, on gold answers with digits replaced."""
    descent, source = _descent(model, lesson), spoiled(tokenizer, seed + 2)
    progress = Progress("comparing", SPOILED_STEPS)
    for step in range(1, SPOILED_STEPS + 1):
        ids, answered = next(source)
        each: list[Tensor] = []
        model.trunk.hidden(ids, each=each)
        loss = lesson.loss(each, ids, answered)
        progress.note(step, descent.step(loss, rate(step - 1, SPOILED_STEPS, WARM_UP_STEPS)))


def learn_to_judge(
    model: RewardModel, lesson: Lesson, tokenizer: Tokenizer, graded: Sequence[Graded], seed: int
) -> None:
    """Teach `model` labels and the lesson in one pass over the base's own answers."""
    descent, end = _descent(model, lesson), token_id(tokenizer, END)
    groups = grouped([len(a.prompt) + len(a.ids) + 1 for a in graded], BATCH_TOKENS)
    Random(seed).shuffle(groups)
    progress = Progress("rewards", len(groups))
    for step, group in enumerate(groups, start=1):
        loss = loss_of(model, lesson, [graded[i] for i in group], end)
        progress.note(step, descent.step(loss, rate(step - 1, len(groups), WARM_UP_STEPS)))


def _descent(model: RewardModel, lesson: Lesson) -> Descent:
    matrices, others = split_parameters(model)
    return Descent(matrices, [*others, *lesson.heads()], share=RATE_SHARE)


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
        scores, process = model(ids, last)
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
