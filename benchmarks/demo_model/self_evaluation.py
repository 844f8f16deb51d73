"""Teach the base model to say whether it would do better if it started over.

Adaptive Inference-Time Compute (arXiv 2410.02725, section 3): after an answer, whole or cut, the
user asks SELF_EVALUATION; "No" where the answer wins or ties against another draw, else "Yes".
"""

from collections import defaultdict
from collections.abc import Sequence
from random import Random

import torch
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.demo_model.conversations import NO, YES, token_id
from benchmarks.demo_model.descent import Descent, Progress, rate, split_parameters
from benchmarks.demo_model.graded import Graded
from benchmarks.demo_model.model import LanguageModel
from benchmarks.demo_model.surprise import Surprise
from benchmarks.demo_model.trunk import batches, grouped, loss_of
from benchmarks.demo_model.turn import question

RATE_SHARE = 0.3
CUT_SHARE = 0.5  # of the answers, cut at random so that the model can judge while it writes
OWN_WEIGHT = 0.5  # of the loss on its own answers' tokens, which holds the model where it is
SURPRISE_WEIGHT = 1.0  # of the loss of another, that says how surprised it is so far
STEPS_WEIGHT = 0.5  # of the loss of a head, dropped afterwards, that says how far the steps hold
KEEP_EVERY = 16  # steps, one of which is a batch of the trunk's conversations


def better_shares(graded: Sequence[Graded]) -> list[float]:
    """Return for each answer the chance that another draw for its problem beats it, in [0, 1]."""
    groups: dict[int, list[bool]] = defaultdict(list)
    for answer in graded:
        groups[answer.group].append(answer.correct)
    return [
        0.0 if a.correct else sum(groups[a.group]) / max(1, len(groups[a.group]) - 1)
        for a in graded
    ]


def row_of(answer: Graded, keep: int, turn: Sequence[int]) -> list[int]:
    """Return the ids of an answer's first `keep` tokens, judged: the last state says the word."""
    return [*answer.prompt, *answer.ids[:keep], *turn]


class Judged(nn.Module):  # type: ignore[misc]
    """The base model, and two heads of training alone: whether the steps hold, how surprising."""

    def __init__(self, base: LanguageModel, tokenizer: Tokenizer) -> None:
        super().__init__()
        self.base = base
        self.follows = nn.Linear(base.shape.hidden, 1)
        self.surprise = Surprise(base.shape.hidden)
        self.words = [token_id(tokenizer, YES), token_id(tokenizer, NO)]

    def loss(
        self,
        answers: Sequence[Graded],
        better: Sequence[float],
        keep: Sequence[int],
        turn: list[int],
    ) -> Tensor:
        """Return the loss of judging `answers`, of saying them again, and of following them."""
        rows = [row_of(a, k, turn) for a, k in zip(answers, keep, strict=True)]
        longest = max(map(len, rows))
        ids = torch.tensor([row + [0] * (longest - len(row)) for row in rows])
        states = self.base.hidden(ids)
        last = torch.tensor([len(row) - 1 for row in rows])
        judged = F.log_softmax(self.base.logits(states[torch.arange(len(rows)), last]), dim=-1)
        target = torch.tensor(better)
        said = -(target * judged[:, self.words[0]] + (1 - target) * judged[:, self.words[1]])
        at, good = _tokens(answers, keep, longest)
        flat = states.flatten(0, 1)
        own = F.cross_entropy(self.base.logits(flat[at - 1]), ids.flatten()[at], reduction="none")
        followed = self.follows(flat[at])[:, 0]
        steps = F.binary_cross_entropy_with_logits(followed, good)
        surprise = self.surprise.loss(flat[at], own, keep)
        return (
            said.mean()
            + OWN_WEIGHT * own.mean()
            + STEPS_WEIGHT * steps
            + SURPRISE_WEIGHT * surprise
        )


def _tokens(answers: Sequence[Graded], keep: Sequence[int], longest: int) -> tuple[Tensor, Tensor]:
    """Return flat places of the answers' kept tokens, and 1.0 where each still follows, else 0."""
    places: list[int] = []
    good: list[float] = []
    for row, (answer, kept) in enumerate(zip(answers, keep, strict=True)):
        start = row * longest + len(answer.prompt)
        places += range(start, start + kept)
        good += [float(index < answer.good) for index in range(kept)]
    return torch.tensor(places), torch.tensor(good)


def teach(base: LanguageModel, tokenizer: Tokenizer, graded: Sequence[Graded], seed: int) -> None:
    """Teach `base`, in place, in one pass over its own graded answers."""
    random = Random(seed)
    torch.manual_seed(seed)
    judged, turn = Judged(base, tokenizer), question(tokenizer)
    descent = Descent(*split_parameters(judged), share=RATE_SHARE)
    better = better_shares(graded)
    keep = [
        random.randint(1, len(a.ids)) if a.ids and random.random() < CUT_SHARE else len(a.ids)
        for a in graded
    ]
    kept = [index for index, answer in enumerate(graded) if answer.ids]
    groups = grouped([len(graded[i].prompt) + keep[i] + len(turn) for i in kept])
    random.shuffle(groups)
    gold = batches(tokenizer, seed + 1, easy_pools=0)
    progress = Progress("self-evaluation", len(groups))
    for step, group in enumerate(groups, start=1):
        chosen = [kept[index] for index in group]
        loss = judged.loss(
            [graded[i] for i in chosen],
            [better[i] for i in chosen],
            [keep[i] for i in chosen],
            turn,
        )
        if step % KEEP_EVERY == 0:
            loss = loss + loss_of(base, next(gold))[0]
        progress.note(step, descent.step(loss, rate(step - 1, len(groups))))


@torch.inference_mode()  # type: ignore[untyped-decorator]
def judge(
    base: LanguageModel, tokenizer: Tokenizer, graded: Sequence[Graded], share: float
) -> list[float]:
    """Return P("No") / (P("No") + P("Yes")) after the first `share` of each answer's tokens."""
    turn = question(tokenizer)
    words = [token_id(tokenizer, YES), token_id(tokenizer, NO)]
    rows = [row_of(a, max(1, round(share * len(a.ids))), turn) for a in graded]
    scores = [0.0] * len(rows)
    for group in grouped([len(row) for row in rows]):
        longest = max(len(rows[i]) for i in group)
        ids = torch.tensor([rows[i] + [0] * (longest - len(rows[i])) for i in group])
        last = torch.tensor([len(rows[i]) - 1 for i in group])
        logits = base.logits(base.hidden(ids)[torch.arange(len(group)), last])
        for index, value in zip(group, logits[:, words].softmax(-1)[:, 1].tolist(), strict=True):
            scores[index] = value
    return scores
