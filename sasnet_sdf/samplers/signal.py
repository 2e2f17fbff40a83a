"""Batches of an image's or a volume's samples."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..signals import Array, Signal


class SignalBatches(Iterator[tuple[Tensor, Tensor]]):
    """Batches of unit coordinates (B, d) and values (B, C) in [-1, 1], the same for the same seed.

    One sample is drawn from each of B equal stretches of the array, so that a batch covers the domain
    evenly and is read in order, from a file too, if the array is memory-mapped; a batch as large as
    the signal is the signal. A sample that is not finite is NaN. low, high: (C,) the values that
    become -1 and 1. On a GPU the samples are kept there.
    """

    def __init__(self, signal: Signal, low: Array, high: Array, batch: int, seed: int, device: str = "cpu"):
        self._grid, self._low = signal.grid, np.asarray(low, np.float32)
        self._range = np.where(high > low, high - low, 1).astype(np.float32)
        values = signal.values.reshape(-1, signal.channels)
        size = min(batch, len(values))
        if torch.device(device).type == "cpu":
            self._batches = self._on_cpu(values, size, np.random.default_rng(seed + 1))
        else:
            on_device = torch.from_numpy(np.ascontiguousarray(values, np.float32)).to(device)
            generator = torch.Generator(device).manual_seed(seed + 1)
            self._batches = self._on_device(on_device, size, generator)

    def __next__(self) -> tuple[Tensor, Tensor]:
        return next(self._batches)

    def _on_cpu(
        self, values: NDArray, size: int, rng: np.random.Generator
    ) -> Iterator[tuple[Tensor, Tensor]]:
        stretch = len(values) / size
        starts = np.arange(size) * stretch
        while True:
            place = (starts + rng.random(size) * stretch).astype(np.int64).clip(max=len(values) - 1)
            index = np.stack(np.unravel_index(place, self._grid.shape), 1)
            unit = self._grid.to_unit(index).astype(np.float32)
            taken = (values[place].astype(np.float32) - self._low) * (2 / self._range) - 1
            yield torch.from_numpy(unit), torch.from_numpy(taken)

    def _on_device(
        self, values: Tensor, size: int, generator: torch.Generator
    ) -> Iterator[tuple[Tensor, Tensor]]:
        def constant(array: Array) -> Tensor:
            return torch.as_tensor(np.asarray(array), dtype=torch.float32, device=values.device)

        stretch, device = len(values) / size, values.device
        starts = torch.arange(size, device=device, dtype=torch.float64) * stretch
        scale = constant(self._grid.spacing / self._grid.half)
        middle, low, span = constant(self._grid.middle), constant(self._low), constant(self._range)
        while True:
            inside = torch.rand(size, generator=generator, device=device, dtype=torch.float64)
            place = (starts + inside * stretch).long().clamp_(max=len(values) - 1)
            index = torch.stack(torch.unravel_index(place, self._grid.shape), 1)
            yield (index - middle) * scale, (values.index_select(0, place) - low) * (2 / span) - 1
