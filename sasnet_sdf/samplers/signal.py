"""Batches of an image's or a volume's samples."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ..signals import Array, Signal
from .slices import Slices


class SignalBatches:
    """Batches of unit coordinates (B, d) and values (B, C) in [-1, 1] of a step, the same for the same seed.

    One sample is drawn from each of B equal stretches of the array as it lies in memory, so that a
    batch covers the domain evenly and is read in order, from a file too, if the array is
    memory-mapped; a batch as large as the signal is the signal. A sample that is not finite is NaN.
    low, high: (C,) the values that become -1 and 1. On a GPU the samples are kept there.
    """

    def __init__(self, signal: Signal, low: Array, high: Array, batch: int, seed: int, device: str = "cpu"):
        self._signal, self._low = signal, np.asarray(low, np.float64)
        self._half = np.where(high > low, np.subtract(high, low), 1) / 2
        count = int(np.prod(signal.grid.shape))
        self._slices = Slices(count, batch, seed + 1, device)
        self._kept: Tensor | None = None
        if torch.device(device).type != "cpu":
            scaled = np.concatenate([self._scaled(slab) for slab in signal.values])
            self._kept = torch.from_numpy(scaled.reshape(count, signal.channels)).to(device)
            grid = signal.grid
            self._scale, self._middle = (
                torch.as_tensor(part, dtype=torch.float32, device=device)
                for part in (grid.spacing / grid.half, grid.middle)
            )

    def __call__(self, step: int) -> tuple[Tensor, Tensor]:
        if self._kept is not None:
            return self._on_device(self._kept, self._slices(step))
        grid, signal = self._signal.grid, self._signal
        index = np.unravel_index(self._slices(step), grid.shape, order=signal.order)
        unit = grid.to_unit(np.stack(index, 1)).astype(np.float32)
        return torch.from_numpy(unit), torch.from_numpy(self._scaled(signal.values[index]))

    def _scaled(self, values: np.ndarray) -> np.ndarray:
        # in float64: numbers far from zero differ in digits that float32 has not
        return ((values - self._low) / self._half - 1).astype(np.float32)

    def _on_device(self, values: Tensor, place: Tensor) -> tuple[Tensor, Tensor]:
        index, rest = [], place  # not unravel_index, which copies the shape to the device each time
        for length in reversed(self._signal.grid.shape):
            index.insert(0, rest % length)
            rest = rest // length
        return (torch.stack(index, 1) - self._middle) * self._scale, values.index_select(0, place)
