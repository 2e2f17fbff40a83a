"""The loss of an image or a volume."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor


class SignalTask:
    """The mean squared error of batches of unit coordinates (B, d) and values (B, C); NaN is left away."""

    def __init__(self, model: Any, batches: Callable[[int], tuple[Tensor, Tensor]]):
        self.model, self.batches = model, batches
        # tiny-cuda-nn takes memory and streams of its own
        self.recordable = model.engine == "torch"

    def draw(self, step: int) -> tuple[Tensor, ...]:
        return self.batches(step)

    def loss(self, points: Tensor, target: Tensor) -> Tensor:
        # a network of several scales learns them all
        every = getattr(self.model, "every_scale", lambda x: [self.model(x)])(points)
        known = torch.isfinite(target)
        target = torch.where(known, target, 0.0)
        # by samples first: sums of more than 32,768 numbers are rounded by the number of PyTorch's threads
        squares = [((values - target) * known).square().sum(-1).sum() for values in every]
        return torch.stack(squares).mean() / known.sum().clamp(min=1)
