"""Train the trunk from nothing: a language model of the training conversations."""

from collections.abc import Iterator
from itertools import count
from pathlib import Path
from random import Random

import torch
from tokenizers import Tokenizer
from torch import Tensor
from torch.nn import functional as F

from benchmarks.demo_model.checks import Checker
from benchmarks.demo_model.conversations import (
    ASSISTANT,
    EASY,
    END,
    GENERAL,
    conversations,
    render,
    token_id,
    train_tokenizer,
)
from benchmarks.demo_model.descent import Batch, Descent, Progress, rate, split_parameters
from benchmarks.demo_model.files import write_directory
from benchmarks.demo_model.model import EARLY_LAYERS, LanguageModel, Shape, save

VOCABULARY = 2048
TOKENIZER_PROBLEMS = 20_000
BATCH_TOKENS = 4096
POOL = 2048  # conversations sorted by length at a time, so that a batch's rows are of like length
PROMPT_WEIGHT = 0.05  # the loss of a prompt's tokens against an answer's, whose weight is 1
STEPS = 2400
EASY_POOLS = 8  # of the first pools, which hold short conversations only
CHECKPOINT_STEPS = 200
EARLY_WEIGHT = 0.3  # of the early layers' loss
CHECK_WEIGHT = 0.5  # of the checks' loss
CHECK_EVERY = 2  # steps
UNCHECKED_STEPS = 300  # at first, when the model's second choice is noise


def weigh(ids: list[int], assistant: int, end: int) -> list[float]:
    """Return each token's weight in the loss: 1 in an answer and its end, little elsewhere."""
    weights, answering = [], False
    for token in ids:
        weights.append(1.0 if answering else PROMPT_WEIGHT)
        answering = token == assistant or (answering and token != end)
    return weights


def pad(rows: list[list[int]], tokenizer: Tokenizer) -> Batch:
    """Return ids and loss weights, both (rows, longest), padded on the right with weight 0."""
    assistant, end = token_id(tokenizer, ASSISTANT), token_id(tokenizer, END)
    longest = max(map(len, rows))
    ids = torch.zeros(len(rows), longest, dtype=torch.long)
    weights = torch.zeros(len(rows), longest)
    for index, row in enumerate(rows):
        ids[index, : len(row)] = torch.tensor(row)
        weights[index, : len(row)] = torch.tensor(weigh(row, assistant, end))
    return ids, weights


def grouped(lengths: list[int], most: int = BATCH_TOKENS) -> list[list[int]]:
    """Return the indices of rows in groups of like length, each of at most `most` tokens."""
    groups: list[list[int]] = [[]]
    for index in sorted(range(len(lengths)), key=lengths.__getitem__):
        if groups[-1] and (len(groups[-1]) + 1) * lengths[index] > most:
            groups.append([])
        groups[-1].append(index)
    return groups


def batches(tokenizer: Tokenizer, seed: int, easy_pools: int = EASY_POOLS) -> Iterator[Batch]:
    """Yield batches without end, each row one conversation from position 0, as at inference."""
    random = Random(seed)
    for pool in count():
        lessons = EASY if pool < easy_pools else GENERAL
        drawn = conversations(POOL, random.getrandbits(48), lessons)
        texts = [render(messages) for messages in drawn]
        rows = [encoding.ids for encoding in tokenizer.encode_batch(texts)]
        groups = grouped([len(row) for row in rows])
        random.shuffle(groups)
        for group in groups:
            yield pad([rows[index] for index in group], tokenizer)


def loss_of(model: LanguageModel, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
    """Return a batch's losses, in nats, and its states (rows, time - 1, hidden).

    They are the weighted mean cross-entropy of the next tokens as the last layer predicts them, and
    that of the answers' tokens as the early layers do.
    """
    ids, weights = batch
    each: list[Tensor] = []
    states = model.hidden(ids[:, :-1], each=each)
    counted, answered = weights[:, 1:] > 0, weights[:, 1:] == 1
    losses = F.cross_entropy(model.logits(states[counted]), ids[:, 1:][counted], reduction="none")
    chosen = weights[:, 1:][counted]
    soon = F.cross_entropy(model.logits(each[EARLY_LAYERS - 1][answered]), ids[:, 1:][answered])
    return (losses * chosen).sum() / chosen.sum(), soon, states


def train_trunk(out: Path, seed: int) -> None:
    """Train from nothing and write a model directory for every checkpoint, `out/step-N`."""
    tokenizer = train_tokenizer(seed, VOCABULARY, TOKENIZER_PROBLEMS)
    torch.manual_seed(seed)
    model = LanguageModel(Shape(vocab=VOCABULARY))
    checker = Checker(model.shape.hidden, tokenizer, seed)
    matrices, others = split_parameters(model)
    descent = Descent(matrices, [*others, *checker.parameters()])
    source = batches(tokenizer, seed)
    progress, checks = Progress("trunk", STEPS), Progress("checks", STEPS // CHECK_EVERY)
    for step in range(1, STEPS + 1):
        batch = next(source)
        last, early, states = loss_of(model, batch)
        loss = last + EARLY_WEIGHT * early
        if step > UNCHECKED_STEPS and step % CHECK_EVERY == 0:
            judged = checker.loss(model, batch, states.detach())
            checks.note(step // CHECK_EVERY, judged.item())
            loss = loss + CHECK_WEIGHT * judged
        descent.step(loss, rate(step - 1, STEPS))
        progress.note(step, last.item())
        if step % CHECKPOINT_STEPS == 0:
            write(out / f"step-{step}", model, tokenizer)


def write(directory: Path, model: LanguageModel, tokenizer: Tokenizer) -> None:
    """Write a whole model directory."""
    write_directory(directory, model.shape, tokenizer)
    save(model, directory)
