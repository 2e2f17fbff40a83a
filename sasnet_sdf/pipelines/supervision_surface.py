"""The surface of the supervision itself: the best result to expect of a network that is trained on it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from ..config import ExtractionConfig
from ..extraction import Support
from ..geometry import Array, Frame, PointCloud, TriangleMesh
from ..supervision import CloudTarget, MeshTarget
from .extract import surface_of
from .fitting import Problem
from .poisson import is_poisson

SUPERVISION = "supervision"
"""Its name in a list of models to compare."""


def no_network(words: str) -> bool:
    """Whether a model's name stands for a surface that is made without a network.

    Raises UsageError for an invalid Poisson depth.
    """
    return words == SUPERVISION or is_poisson(words)


@dataclass(frozen=True)
class DataField:
    """The signed distance that the data imply, as a field to extract a surface from."""

    target: CloudTarget | MeshTarget
    frame: Frame
    support: Support

    @property
    def low(self) -> Array:
        return self.target.bounds[0]

    @property
    def high(self) -> Array:
        return self.target.bounds[1]

    def unit_distance(self, points: Array) -> Array:
        """Values (N,) at points (N, 3) of the unit cube."""
        return self.target.distance(points)[0]

    def unit_gradient(self, points: Array) -> tuple[Array, Array]:
        """Values (N,) and gradients (N, 3)."""
        return self.target.distance(points)


def supervision_surface(
    problem: Problem, config: ExtractionConfig, max_memory: int | None
) -> tuple[dict[str, Any], TriangleMesh]:
    """The table row of the supervision, and its surface in world units on the networks' lattice."""
    support = Support.of(problem.target, scanned=isinstance(problem.geometry, PointCloud))
    start = time.perf_counter()
    mesh, _ = surface_of(DataField(problem.target, problem.frame, support), config, max_memory)
    return {"seconds": time.perf_counter() - start, "engine": "compiled", "settings": {}}, mesh
