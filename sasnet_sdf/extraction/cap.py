"""A field whose solid ends inside the lattice: its surface is closed whatever it does at the border."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..geometry import Array
from .descent import GradientField, ValueField
from .lattice import Lattice

INSET = 1.5
"""Cells between the lattice's border and the walls; no lattice point then lies on a wall."""

BESIDE = 0.01
"""Cells from a wall within which a vertex counts as on it: Newton steps onto a plane are exact."""


@dataclass(frozen=True)
class Capped:
    """The intersection of a field's solid with the box from low (3,) to high (3,)."""

    field: ValueField
    field_with_gradient: GradientField
    low: Array
    high: Array
    cell: float

    @classmethod
    def inside(cls, lattice: Lattice, field: ValueField, field_with_gradient: GradientField) -> Capped:
        """Walls inside the lattice's border."""
        low, high = lattice.points(np.array([[INSET] * 3, np.array(lattice.shape) - INSET]))
        return cls(field, field_with_gradient, low, high, lattice.cell)

    def at_walls(self, vertices: Array) -> NDArray[np.bool_]:
        """Which vertices (V, 3) of the capped field's surface lie on a wall."""
        return self._walls(vertices).max(1) >= -BESIDE * self.cell

    def distance(self, points: Array) -> Array:
        """Values (N,) at points (N, 3)."""
        return np.maximum(np.asarray(self.field(points)).reshape(-1), self._walls(points).max(1))

    def gradient(self, points: Array) -> tuple[Array, Array]:
        """Values (N,) and gradients (N, 3) at points (N, 3)."""
        values, gradients = self.field_with_gradient(points)
        values, gradients = np.asarray(values, np.float64).reshape(-1), np.array(gradients, np.float64)
        walls = self._walls(points)
        nearest, beyond = walls.argmax(1), walls.max(1) > values
        gradients[beyond] = np.concatenate([-np.eye(3), np.eye(3)])[nearest[beyond]]
        return np.maximum(values, walls.max(1)), gradients

    def _walls(self, points: Array) -> Array:
        """Signed distances (N, 6) from the planes of the walls, negative inside."""
        return np.concatenate([self.low - points, points - self.high], 1)
