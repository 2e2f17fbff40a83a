"""Inside or outside, away from the surface: the winding number of an oriented cloud."""

from __future__ import annotations

from dataclasses import dataclass

import igl
import numpy as np

from ..geometry import Array

_VOXEL = 2.5  # spacings; coarser is faster, and must stay below the distance at which it is asked


@dataclass(frozen=True)
class WindingNumber:
    """Dipoles of the surface, one a voxel (Barill et al. 2018), and the number on the surface.

    `level` is 1/2 for a closed surface and about 0 for an open sheet.
    """

    points: Array
    normals: Array
    areas: Array
    level: float

    def inside(self, queries: Array) -> np.ndarray:
        """Whether queries (M, 3), farther than a voxel from the surface, lie inside: (M,) bool."""
        return self._number(queries) > self.level

    def _number(self, queries: Array) -> Array:
        return igl.fast_winding_number(self.points, self.normals, self.areas, queries)

    @classmethod
    def of_cloud(cls, points: Array, normals: Array, spacing: Array, offset: float) -> WindingNumber:
        """From points, outward normals (N, 3) and spacing (N,); the level is measured `offset`
        spacings to either side of the surface."""
        # a lone point far from the others would otherwise stand for a large area
        areas = np.minimum(spacing, 2 * np.median(spacing)) ** 2
        key = np.floor((points - points.min(0)) / (_VOXEL * np.median(spacing))).astype(np.int64)
        _, voxel = np.unique(key @ np.array([1 << 42, 1 << 21, 1]), return_inverse=True)
        mass = np.bincount(voxel, areas)
        centre = np.stack([np.bincount(voxel, areas * points[:, a]) for a in range(3)], 1) / mass[:, None]
        dipole = np.stack([np.bincount(voxel, areas * normals[:, a]) for a in range(3)], 1)
        strength = np.linalg.norm(dipole, axis=1)
        number = cls(centre, dipole / np.maximum(strength, 1e-300)[:, None], strength, 0.5)
        some = np.linspace(0, len(points) - 1, min(len(points), 5000)).astype(np.int64)
        step = offset * spacing[some, None] * normals[some]
        sides = np.concatenate([points[some] + step, points[some] - step])
        outer, inner = np.split(number._number(sides), 2)
        return cls(number.points, number.normals, number.areas, float(np.median(outer) + np.median(inner)) / 2)
