"""Which samples a batch has: one from each of as many equal slices as it is to hold."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor


class Slices:
    """Places in [0, count), one drawn from each of `size` equal slices of it, at most `count`.

    A step's places depend on the seed and the step alone: a run can go on from any step.
    """

    def __init__(self, count: int, size: int, seed: int, device: str | torch.device = "cpu"):
        self.size, self._seed, self._device = min(size, count), seed, torch.device(device)
        self._last, self._length = count - 1, count / self.size
        self._starts: Any = np.arange(self.size) * self._length
        if self._device.type != "cpu":
            self._starts = torch.from_numpy(self._starts).to(self._device)
            self._generator = torch.Generator(self._device)

    def on_cpu(self, step: int) -> np.ndarray:
        """Places (B,) int64 in order."""
        inside = np.random.default_rng((self._seed, step)).random(self.size)
        return (self._starts + inside * self._length).astype(np.int64).clip(max=self._last)

    def on_device(self, step: int) -> Tensor:
        """Places (B,) int64 in order, made where they are used; others than on the CPU."""
        self._generator.manual_seed(((self._seed << 32) + step) % 2**63)
        inside = torch.rand(self.size, generator=self._generator, device=self._device, dtype=torch.float64)
        return (self._starts + inside * self._length).long().clamp_(max=self._last)
