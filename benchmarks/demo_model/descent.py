"""Gradient descent as every stage of the training does it."""

import math
import time
from collections.abc import Iterable

import torch
from torch import Tensor, nn

from benchmarks.demo_model.muon import Muon

MATRIX_RATE = 0.02  # of Muon, for the matrices within layers
OTHER_RATE = 3e-3  # of AdamW, for the embedding, the scales and the heads
FINAL_SHARE = 0.03  # of each rate, at the end of the schedule
WARM_UP_STEPS = 100
REPORT_STEPS = 50

Batch = tuple[Tensor, ...]


def rate(step: int, steps: int, warm_up: int = WARM_UP_STEPS) -> float:
    """Return the share of the peak rates at a step: a linear warm-up, then a cosine down."""
    if step < warm_up:
        return (step + 1) / warm_up
    done = (step - warm_up) / max(1, steps - warm_up)
    return FINAL_SHARE + (1 - FINAL_SHARE) * 0.5 * (1 + math.cos(math.pi * done))


class Descent:
    """Muon on the layers' matrices, AdamW on the rest, at `share` of the peak rates."""

    def __init__(
        self, matrices: Iterable[nn.Parameter], others: Iterable[nn.Parameter], share: float = 1.0
    ) -> None:
        adam = torch.optim.AdamW(
            others, lr=OTHER_RATE, betas=(0.9, 0.98), weight_decay=0.0, fused=True
        )
        self._optimizers: list[tuple[torch.optim.Optimizer, float]] = [
            (Muon(matrices, lr=MATRIX_RATE), MATRIX_RATE * share),
            (adam, OTHER_RATE * share),
        ]

    def step(self, loss: Tensor, share: float) -> float:
        """Step down the gradient of `loss` at `share` of the rates; return the loss."""
        for optimizer, _ in self._optimizers:
            optimizer.zero_grad()
        loss.backward()
        for optimizer, peak in self._optimizers:
            for group in optimizer.param_groups:
                group["lr"] = peak * share
            optimizer.step()
        return float(loss.item())


class Progress:
    """Prints the mean loss of a stage, in nats, every `REPORT_STEPS` of its `steps`."""

    def __init__(self, stage: str, steps: int) -> None:
        self._stage = stage
        self._steps = steps
        self._started = time.monotonic()
        self._total = 0.0

    def note(self, step: int, loss: float) -> None:
        """Take note of the loss of step number `step`, from 1."""
        self._total += loss
        if step % REPORT_STEPS == 0:
            spent, mean = time.monotonic() - self._started, self._total / REPORT_STEPS
            line = f"{self._stage}: step {step} of {self._steps}, loss {mean:.4f}, {spent:.0f} s"
            print(line, flush=True)
            self._total = 0.0


def split_parameters(model: nn.Module) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
    """Return the matrices within a model's layers and its other parameters, but for fixed ones."""
    matrices: list[nn.Parameter] = []
    others: list[nn.Parameter] = []
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        inner = ".layers." in name and parameter.dim() == 2
        (matrices if inner else others).append(parameter)
    return matrices, others
