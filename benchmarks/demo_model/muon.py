"""Muon: momentum whose updates of matrices are made orthogonal, which takes fewer steps."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn

COEFFICIENTS = (
    3.4445,
    -4.7750,
    2.0315,
)  # of the quintic iteration that pulls singular values towards 1
ITERATIONS = 5


def orthogonal(stack: Tensor) -> Tensor:
    """Return (count, rows, columns) matrices with their singular values brought near 1."""
    a, b, c = COEFFICIENTS
    wide = stack.shape[1] <= stack.shape[2]
    x = stack if wide else stack.transpose(1, 2)
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
    for _ in range(ITERATIONS):
        gram = x @ x.transpose(1, 2)
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x if wide else x.transpose(1, 2)


class Muon(torch.optim.Optimizer):  # type: ignore[misc]
    """Muon in float32 over matrices, grouped by shape so that each group is one batch."""

    def __init__(
        self,
        matrices: Iterable[nn.Parameter],
        lr: float,
        momentum: float = 0.95,
        decay: float = 0.05,
    ) -> None:
        by_shape: dict[torch.Size, list[nn.Parameter]] = {}
        for matrix in matrices:
            by_shape.setdefault(matrix.shape, []).append(matrix)
        groups = [{"params": group} for group in by_shape.values()]
        super().__init__(groups, {"lr": lr, "momentum": momentum, "decay": decay})

    @torch.no_grad()  # type: ignore[untyped-decorator]
    def step(self, closure: None = None) -> None:
        """Take one step with the gradients at hand."""
        for group in self.param_groups:
            gradients = torch.stack([p.grad for p in group["params"]])
            state = self.state[group["params"][0]]
            velocity = state.setdefault("velocity", torch.zeros_like(gradients))
            velocity.lerp_(gradients, 1 - group["momentum"])
            update = orthogonal(gradients.lerp(velocity, group["momentum"]))
            rows, columns = update.shape[1:]
            scale = group["lr"] * max(1.0, rows / columns) ** 0.5
            for parameter, change in zip(group["params"], update, strict=True):
                parameter.mul_(1 - group["lr"] * group["decay"]).sub_(change, alpha=scale)
