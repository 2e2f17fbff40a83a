"""Linear layers whose numbers come from a generator, so that a seed says all of a network."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def uniform(bound: float, *shape: int, generator: torch.Generator) -> nn.Parameter:
    """Numbers drawn evenly from [-bound, bound]."""
    return nn.Parameter(torch.empty(shape).uniform_(-bound, bound, generator=generator))


class Linear(nn.Module):
    """y = W x + b over the last axis, weight (outputs, inputs) from U(-bound, bound).

    The biases are from U(-1 / sqrt(inputs), 1 / sqrt(inputs)), PyTorch's default, which is also the
    weights' where no bound is given.
    """

    def __init__(self, inputs: int, outputs: int, generator: torch.Generator, bound: float | None = None):
        super().__init__()
        default = inputs**-0.5
        self.weight = uniform(default if bound is None else bound, outputs, inputs, generator=generator)
        self.bias = uniform(default, outputs, generator=generator)

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.linear(x, self.weight, self.bias)


class ComplexLinear(nn.Module):
    """The same of complex numbers, whose real and imaginary parts are drawn alike; they are kept side by
    side in real parameters (..., 2), so that optimisers and files need not know."""

    def __init__(self, inputs: int, outputs: int, generator: torch.Generator):
        super().__init__()
        default = inputs**-0.5
        self.weight = uniform(default, outputs, inputs, 2, generator=generator)
        self.bias = uniform(default, outputs, 2, generator=generator)

    def forward(self, x: Tensor) -> Tensor:
        weight, bias = torch.view_as_complex(self.weight), torch.view_as_complex(self.bias)
        return nn.functional.linear(x, weight, bias)


def hidden(width: int, count: int, generator: torch.Generator, bound: float | None = None) -> nn.ModuleList:
    """`count` layers from `width` numbers to as many."""
    return nn.ModuleList([Linear(width, width, generator, bound) for _ in range(count)])
