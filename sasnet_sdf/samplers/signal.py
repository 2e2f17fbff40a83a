"""Batches of an image's or a volume's samples."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from ..signals import Array, Signal


class SignalBatches(Iterator[tuple[Tensor, Tensor]]):
    """Batches of unit coordinates (B, d) and values (B, C) in [-1, 1], the same for the same seed.

    One sample is drawn from each of B equal stretches of the array as it lies in memory, so that a
    batch covers the domain evenly and is read in order, from a file too, if the array is
    memory-mapped; a batch as large as the signal is the signal. A sample that is not finite is NaN.
    low, high: (C,) the values that become -1 and 1. On a GPU the samples are kept there.
    """

    def __init__(self, signal: Signal, low: Array, high: Array, batch: int, seed: int, device: str = "cpu"):
        self._signal, self._low = signal, np.asarray(low, np.float64)
        self._half = np.where(high > low, np.subtract(high, low), 1) / 2
        self._count = int(np.prod(signal.grid.shape))
        size = min(batch, self._count)
        if torch.device(device).type == "cpu":
            self._batches = self._on_cpu(size, np.random.default_rng(seed + 1))
        else:
            generator = torch.Generator(device).manual_seed(seed + 1)
            self._batches = self._on_device(size, generator, torch.device(device))

    def __next__(self) -> tuple[Tensor, Tensor]:
        return next(self._batches)

    def _on_cpu(self, size: int, rng: np.random.Generator) -> Iterator[tuple[Tensor, Tensor]]:
        grid, values = self._signal.grid, self._signal.values
        stretch = self._count / size
        starts = np.arange(size) * stretch
        while True:
            place = (starts + rng.random(size) * stretch).astype(np.int64).clip(max=self._count - 1)
            index = np.unravel_index(place, grid.shape, order=self._signal.order)
            unit = grid.to_unit(np.stack(index, 1)).astype(np.float32)
            yield torch.from_numpy(unit), torch.from_numpy(self._scaled(values[index]))

    def _scaled(self, values: np.ndarray) -> np.ndarray:
        # in float64: numbers far from zero differ in digits that float32 has not
        return ((values - self._low) / self._half - 1).astype(np.float32)

    def _on_device(
        self, size: int, generator: torch.Generator, device: torch.device
    ) -> Iterator[tuple[Tensor, Tensor]]:
        grid, signal = self._signal.grid, self._signal
        scaled = np.concatenate([self._scaled(slab) for slab in signal.values])
        values = torch.from_numpy(scaled.reshape(self._count, signal.channels)).to(device)
        scale, middle = (
            torch.as_tensor(part, dtype=torch.float32, device=device)
            for part in (grid.spacing / grid.half, grid.middle)
        )
        stretch = self._count / size
        starts = torch.arange(size, device=device, dtype=torch.float64) * stretch
        while True:
            inside = torch.rand(size, generator=generator, device=device, dtype=torch.float64)
            place = (starts + inside * stretch).long().clamp_(max=self._count - 1)
            index, rest = [], place  # not unravel_index, which copies the shape to the device each time
            for length in reversed(grid.shape):
                index.insert(0, rest % length)
                rest = rest // length
            yield (torch.stack(index, 1) - middle) * scale, values.index_select(0, place)
