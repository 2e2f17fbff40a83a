"""Draws training targets around a surface, and batches of targets or of samples of an image or a volume."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..geometry import Array
from ..runtime.progress import steps
from ..signals import Signal
from ..spatial import morton_order

MIDDLE_SPREAD = 0.05
"""Laplace scale, in units of the cube, of the distance of the farther targets from the surface."""


class Slices:
    """Stratified indices in [0, count): one from each of `size` equal slices, at most `count`.

    The number of steps in an epoch is the length of the longest slice. Each index occurs once per epoch; in
    slices that are shorter by one, one index occurs twice. Gradients have less noise than with indices drawn
    independently at each step. The indices of a step depend only on the seed and the step, so that a run can
    be resumed at any step.
    """

    size: int

    def __init__(self, count: int, size: int, seed: int, device: str | torch.device = "cpu"):
        self.size, self._seed, self._device = min(size, count), seed, torch.device(device)
        bounds = np.arange(self.size + 1) * count // self.size
        lengths = np.diff(bounds)
        self._steps, self._epoch = int(lengths.max()), -1
        self._starts, self._lengths = self._there(bounds[:-1]), self._there(lengths)

    def __call__(self, step: int) -> Any:
        """Sorted indices (B,) int64: an array or, for a device other than the CPU, a tensor on it."""
        epoch, number = divmod(step, self._steps)
        if epoch != self._epoch:
            random = np.random.default_rng((self._seed, epoch))
            self._epoch, self._order = epoch, random.permutation(self._steps)
            # each slice begins at a random index, so that a batch is not a lattice
            self._offsets = self._there(random.integers(0, self._steps, self.size))
        return self._starts + (self._offsets + int(self._order[number])) % self._lengths

    def _there(self, numbers: NDArray[Any]) -> Any:
        return numbers if self._device.type == "cpu" else torch.from_numpy(numbers).to(self._device)


class DistanceSource(Protocol):
    """What targets are drawn from: the surface of a cloud or a mesh, in the unit cube."""

    def surface_points(self, count: int, rng: np.random.Generator) -> tuple[Array, Array]:
        """Points (count, 3), drawn evenly by area, and the spacing (count,) of the data around them."""
        ...

    def distance(self, queries: Array) -> tuple[Array, Array]:
        """Signed distances (M,) and unit gradients (M, 3) at queries (M, 3)."""
        ...


@dataclass(frozen=True)
class Pool:
    """Targets in the unit cube, in Morton order: points (M, 3), distances (M,), normals (M, 3), float32."""

    points: Tensor
    distances: Tensor
    normals: Tensor

    def __len__(self) -> int:
        return len(self.points)


def draw_pool(
    source: DistanceSource, count: int, seed: int, near_share: float = 0.7, near_spread: float = 0.5
) -> Pool:
    """Draw `count` targets: a share close to the surface, half of the others farther away, the rest anywhere.

    near_share: share of the targets close to the surface. near_spread: Laplace scale of their distance from
    the surface, in local spacings of the data.
    """
    step = steps()
    step(0.1)
    rng = np.random.default_rng(seed)
    near_count, middle_count = int(count * near_share), int(count * (1 - near_share) / 2)
    base, scale = source.surface_points(near_count, rng)
    near = base + rng.laplace(0, near_spread, base.shape) * scale[:, None]
    step(0.2)
    base, _ = source.surface_points(middle_count, rng)
    middle = base + rng.laplace(0, MIDDLE_SPREAD, base.shape)
    anywhere = rng.uniform(-1, 1, (count - near_count - middle_count, 3))
    # rounded first, so that the distances are those of the stored points
    points = _reflect(np.concatenate([near, middle, anywhere])).astype(np.float32)
    step(0.3)
    points = points[morton_order(points, 10)]
    step(1.0)
    distances, normals = source.distance(points.astype(np.float64))
    arrays = points, distances.astype(np.float32), normals.astype(np.float32)
    return Pool(*(torch.from_numpy(array) for array in arrays))


class Batches:
    """Batches of a pool: for a step, points (B, 3), distances (B,) and normals (B, 3).

    One target is drawn from each of B equal slices of the pool, so that a batch covers space evenly and is
    in spatial order, in which the hash grid reads its tables.
    """

    def __init__(self, pool: Pool, batch: int, seed: int, device: str = "cpu"):
        # interleaved, so that a target is read from one place in memory
        rows = torch.cat([pool.points, pool.distances[:, None], pool.normals], dim=1)
        self._rows = rows.to(device)
        self._slices = Slices(len(pool), batch, seed + 1, device)

    def __call__(self, step: int) -> tuple[Tensor, Tensor, Tensor]:
        if self._rows.device.type == "cpu":
            # with NumPy: PyTorch wakes all threads for a gather of this size
            rows = torch.from_numpy(self._rows.numpy().take(self._slices(step), axis=0, mode="clip"))
        else:
            rows = self._rows.index_select(0, self._slices(step))
        return rows[:, :3].contiguous(), rows[:, 3].contiguous(), rows[:, 4:]


def _reflect(points: Array) -> Array:
    """The points; those outside the cube are reflected at its faces and clamped."""
    return np.clip(np.where(np.abs(points) > 1, 2 * np.sign(points) - points, points), -1, 1)


class SignalBatches:
    """Batches of a signal: for a step, unit coordinates (B, d) and values (B, C) in [-1, 1].

    One sample is drawn from each of B equal slices of the array in memory order, so that a batch covers the
    domain evenly and is read in order, which suits memory-mapped files. A batch as large as the signal is the
    whole signal. A sample that is not finite becomes NaN. low, high: (C,) the values that are mapped to -1
    and 1. If the device is a GPU, the samples are kept on it.
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

    def _scaled(self, values: NDArray[Any]) -> NDArray[Any]:
        # in float64: values far from zero may differ only in digits that float32 lacks
        return ((values - self._low) / self._half - 1).astype(np.float32)

    def _on_device(self, values: Tensor, place: Tensor) -> tuple[Tensor, Tensor]:
        index, rest = [], place  # without unravel_index, which copies the shape to the device each time
        for length in reversed(self._signal.grid.shape):
            index.insert(0, rest % length)
            rest = rest // length
        return (torch.stack(index, 1) - self._middle) * self._scale, values.index_select(0, place)
