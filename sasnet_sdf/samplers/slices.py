"""Which samples a batch has: one from each of as many equal slices as it is to hold."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch


class Slices:
    """Places in [0, count), one from each of `size` equal slices of it, at most `count`.

    In an epoch, of as many steps as the longest slice has places, every place comes once; in a slice
    that is shorter by one, one comes twice. So gradients have less noise than those of places drawn
    anew at each step. A step's places depend on the seed and the step alone: a run can go on from any.
    """

    def __init__(self, count: int, size: int, seed: int, device: str | torch.device = "cpu"):
        self.size, self._seed, self._device = min(size, count), seed, torch.device(device)
        bounds = np.arange(self.size + 1) * count // self.size
        lengths = np.diff(bounds)
        self._steps, self._epoch = int(lengths.max()), -1
        self._starts, self._lengths = self._there(bounds[:-1]), self._there(lengths)

    def __call__(self, step: int) -> Any:
        """Places (B,) int64 in order: an array or, on another device than the CPU, a tensor there."""
        epoch, number = divmod(step, self._steps)
        if epoch != self._epoch:
            random = np.random.default_rng((self._seed, epoch))
            self._epoch, self._order = epoch, random.permutation(self._steps)
            # each slice begins anywhere, so that a batch is no lattice
            self._offsets = self._there(random.integers(0, self._steps, self.size))
        return self._starts + (self._offsets + int(self._order[number])) % self._lengths

    def _there(self, numbers: np.ndarray) -> Any:
        return numbers if self._device.type == "cpu" else torch.from_numpy(numbers).to(self._device)
