"""Muon: momentum whose update is made orthogonal, for the matrices of hidden layers."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

MOMENTUM = 0.95
COEFFICIENTS = (3.4445, -4.7750, 2.0315)
ITERATIONS = 5


class Muon:
    """Muon (Jordan et al. 2024) over parameters (..., width, width), in float32.

    An update is the rate times nearly the orthogonal matrix that is closest to the momentum: all of
    its directions are learnt at one pace, where Adam's updates follow the few strongest. PyTorch's
    own (torch.optim.Muon) takes one matrix at a time and computes in bfloat16, which CPUs are slow
    at. `param_groups` are dicts of `params`, `lr`, which may be a tensor.
    """

    def __init__(self, param_groups: list[dict[str, Any]]):
        self.param_groups = param_groups
        self.moments = {p: (torch.zeros_like(p),) for group in param_groups for p in group["params"]}

    @torch.no_grad()
    def step(self) -> None:
        """One update from the gradients that the parameters have."""
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                momentum = self.moments[parameter][0].mul_(MOMENTUM).add_(parameter.grad)
                update = orthogonal(parameter.grad + MOMENTUM * momentum)  # Nesterov's
                parameter.sub_(update * group["lr"])

    def zero_grad(self) -> None:
        """Drop the gradients."""
        for parameter in self.moments:
            parameter.grad = None


def orthogonal(matrices: Tensor) -> Tensor:
    """Matrices (..., n, n) with the same singular vectors, and singular values of .7 to 1.2 or nearly so.

    A Newton-Schulz iteration of fifth order, by Jordan's coefficients: they let singular values that
    are a thousandth of the largest grow to about one, rather than come to one exactly.
    """
    a, b, c = COEFFICIENTS
    x = matrices / matrices.norm(dim=(-2, -1), keepdim=True).clamp_min(1e-30)
    for _ in range(ITERATIONS):
        square = x @ x.mT
        x = a * x + (b * square + c * square @ square) @ x
    return x
