"""Training points around a surface, their signed distances, and batches of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from ..geometry import Array
from ..progress import steps
from ..supervision.morton import morton_code, morton_order
from .slices import Slices

__all__ = ["Batches", "Pool", "draw_pool", "morton_code"]

MIDDLE_SPREAD = 0.05
"""Laplace scale of the distance of the farther targets from the surface, in units of the cube."""


class DistanceSource(Protocol):
    """What targets are drawn from: a cloud or a mesh, in the unit cube."""

    def surface_points(self, count: int, rng: np.random.Generator) -> tuple[Array, Array]: ...

    def distance(self, queries: Array) -> tuple[Array, Array]: ...


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
    """`count` targets: near_share close to the surface, half of the others farther, the rest anywhere.

    near_spread: Laplace scale of the distance of the close ones, in local spacings of the data.
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
    # what is asked is what is stored: rounded before, not after
    points = _reflect(np.concatenate([near, middle, anywhere])).astype(np.float32)
    step(0.3)
    points = points[morton_order(points, 10)]
    step(1.0)
    distances, normals = source.distance(points.astype(np.float64))
    arrays = points, distances.astype(np.float32), normals.astype(np.float32)
    return Pool(*(torch.from_numpy(array) for array in arrays))


class Batches:
    """Batches (points (B, 3), distances (B,), normals (B, 3)) of a step, the same for the same seed.

    One target is drawn from each of B equal slices of the pool: a batch covers space evenly and is
    in spatial order, so that the hash grid reads its tables in order too.
    """

    def __init__(self, pool: Pool, batch: int, seed: int, device: str = "cpu"):
        # side by side, so that a target is one place in memory
        rows = torch.cat([pool.points, pool.distances[:, None], pool.normals], dim=1)
        self._rows = rows.to(device)
        self._slices = Slices(len(pool), batch, seed + 1, device)

    def __call__(self, step: int) -> tuple[Tensor, Tensor, Tensor]:
        if self._rows.device.type == "cpu":
            # numpy's: PyTorch wakes all threads for a gather of this size
            rows = torch.from_numpy(self._rows.numpy().take(self._slices(step), axis=0, mode="clip"))
        else:
            rows = self._rows.index_select(0, self._slices(step))
        return rows[:, :3].contiguous(), rows[:, 3].contiguous(), rows[:, 4:]


def _reflect(points: Array) -> Array:
    """Points that left the cube, mirrored back at its faces and clamped."""
    return np.clip(np.where(np.abs(points) > 1, 2 * np.sign(points) - points, points), -1, 1)
