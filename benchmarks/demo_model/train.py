"""Train the demo model from nothing: `python -m benchmarks.demo_model.train --out DIR`."""

import argparse
import math
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from random import Random

import torch
from tokenizers import Tokenizer
from torch import Tensor
from torch.nn import functional as F

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
from benchmarks.demo_model.files import write_directory
from benchmarks.demo_model.model import LanguageModel, Shape, save
from benchmarks.demo_model.muon import Muon

VOCABULARY = 640
TOKENIZER_PROBLEMS = 20_000
BATCH_TOKENS = 4096
POOL = 2048  # conversations sorted by length at a time, so that a batch's rows are of like length
MATRIX_RATE = 0.02  # of Muon, for the matrices within layers
OTHER_RATE = 3e-3  # of AdamW, for the embedding and the scales
FINAL_SHARE = 0.03  # of each rate, at the end of the schedule
WARM_UP_STEPS = 100
PROMPT_WEIGHT = 0.05  # the loss of a prompt's tokens against an answer's, whose weight is 1

STEPS = 2000  # that the schedule is laid out for
STOP = 1200  # where it ends: the model is to leave its samplers something to gain
EASY_POOLS = 8  # of the first pools, which hold short conversations only
REPORT_STEPS = 50
CHECKPOINT_STEPS = 200

Batch = tuple[Tensor, Tensor]


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


def batches(tokenizer: Tokenizer, seed: int) -> Iterator[Batch]:
    """Yield batches without end, each row one conversation from position 0, as at inference."""
    random = Random(seed)
    for pool in count():
        lessons = EASY if pool < EASY_POOLS else GENERAL
        drawn = conversations(POOL, random.getrandbits(48), lessons)
        texts = [render(messages) for messages in drawn]
        rows = sorted((encoding.ids for encoding in tokenizer.encode_batch(texts)), key=len)
        groups: list[list[list[int]]] = [[]]
        for row in rows:
            if groups[-1] and (len(groups[-1]) + 1) * len(row) > BATCH_TOKENS:
                groups.append([])
            groups[-1].append(row)
        random.shuffle(groups)
        for group in groups:
            yield pad(group, tokenizer)


def rate(step: int) -> float:
    """Return the share of the peak rates at a step: a linear warm-up, then a cosine down."""
    if step < WARM_UP_STEPS:
        return (step + 1) / WARM_UP_STEPS
    done = (step - WARM_UP_STEPS) / (STEPS - WARM_UP_STEPS)
    return FINAL_SHARE + (1 - FINAL_SHARE) * 0.5 * (1 + math.cos(math.pi * done))


def loss_of(model: LanguageModel, batch: Batch) -> Tensor:
    """Return the weighted mean cross-entropy of a batch's next tokens, in nats."""
    ids, weights = batch
    states = model.hidden(ids[:, :-1])
    counted = weights[:, 1:] > 0
    losses = F.cross_entropy(model.logits(states[counted]), ids[:, 1:][counted], reduction="none")
    chosen = weights[:, 1:][counted]
    return (losses * chosen).sum() / chosen.sum()


def optimizers_of(model: LanguageModel) -> list[tuple[torch.optim.Optimizer, float]]:
    """Return the optimizers, each with its peak rate."""
    inner = [p for p in model.model.layers.parameters() if p.dim() == 2]
    others = [p for name, p in model.named_parameters() if p.dim() == 1 or "embed" in name]
    adam = torch.optim.AdamW(others, lr=OTHER_RATE, betas=(0.9, 0.98), weight_decay=0.0, fused=True)
    return [(Muon(inner, lr=MATRIX_RATE), MATRIX_RATE), (adam, OTHER_RATE)]


def train(out: Path, seed: int) -> None:
    """Train from nothing and write the model's directory, checkpoints within it."""
    tokenizer = train_tokenizer(seed, VOCABULARY, TOKENIZER_PROBLEMS)
    torch.manual_seed(seed)
    model = LanguageModel(Shape(vocab=VOCABULARY))
    optimizers = optimizers_of(model)
    source = batches(tokenizer, seed)
    started, total = time.monotonic(), 0.0
    for step in range(1, STOP + 1):
        total += take_step(model, optimizers, next(source), rate(step - 1))
        if step % REPORT_STEPS == 0:
            spent = time.monotonic() - started
            mean = total / REPORT_STEPS
            print(f"step {step} of {STOP}, loss {mean:.4f}, {spent:.0f} s", flush=True)
            total = 0.0
        if step % CHECKPOINT_STEPS == 0:
            write(out / f"step-{step}", model, tokenizer)
    write(out, model, tokenizer)


def take_step(
    model: LanguageModel,
    optimizers: list[tuple[torch.optim.Optimizer, float]],
    batch: Batch,
    share: float,
) -> float:
    """Return the loss, in nats, of a step at `share` of the peak rates."""
    loss = loss_of(model, batch)
    model.zero_grad()
    loss.backward()
    for optimizer, peak in optimizers:
        for group in optimizer.param_groups:
            group["lr"] = peak * share
        optimizer.step()
    return float(loss.item())


def write(directory: Path, model: LanguageModel, tokenizer: Tokenizer) -> None:
    """Write a whole model directory."""
    write_directory(directory, model.shape, tokenizer)
    save(model, directory)


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
