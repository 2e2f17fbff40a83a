"""The problem of a surface: geometry in its frame, the distance that it implies, and targets."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from ..config import SupervisionConfig, TrainingConfig
from ..errors import Finding
from ..extraction import Support
from ..field import Field
from ..geometry import Frame, PointCloud, TriangleMesh
from ..networks.network import Network
from ..runtime.progress import steps
from ..supervision import CloudTarget, MeshTarget, prepare
from ..training import Task
from ..training.losses import DistanceTask, distance_error
from ..training.samplers import Batches, Pool, draw_pool
from .problem import Problem

HELD_OUT = 50_000
"""Targets that no network is trained on, by which rates are compared."""


@dataclass(frozen=True)
class SurfaceProblem(Problem[Field]):
    """A cloud or a mesh in its frame, the distance that it implies, and targets drawn from that.

    facts: what was found in the geometry, for the report. findings: what the user should know of it.
    """

    geometry: PointCloud | TriangleMesh
    frame: Frame
    target: CloudTarget | MeshTarget
    pool: Pool
    facts: dict[str, Any]
    findings: list[Finding]
    dim = 3
    outputs = 1

    @classmethod
    def of(
        cls, geometry: PointCloud | TriangleMesh, frame: Frame, supervision: SupervisionConfig, seed: int
    ) -> SurfaceProblem:
        """Prepare the geometry and draw the targets."""
        step = steps()
        step(0.8)
        target, facts = prepare(geometry, frame)
        step(1.0, "drawing targets")
        findings = facts.pop("findings", [])
        if facts.get("noise") is not None:
            supervision = supervision.for_noisy_scan()
        near = supervision.near_share, supervision.near_spread
        pool = draw_pool(target, supervision.targets, seed, *near)
        return cls(geometry, frame, target, pool, facts, findings)

    @property
    def noisy(self) -> bool:
        """Whether noise was removed from the points."""
        return self.facts.get("noise") is not None

    @property
    def support(self) -> Support:
        """Where the data are, in the unit cube."""
        return Support.of(self.target, scanned=isinstance(self.geometry, PointCloud))

    def task(self, model: Network[Any], training: TrainingConfig, seed: int, device: str) -> Task:
        return DistanceTask(model, Batches(self.pool, training.batch, seed, device), training)

    @staticmethod
    def trial(model: Network[Any], training: TrainingConfig, points: Tensor) -> Tensor:
        count = len(points)
        some = max(1, round(training.eikonal_batch / training.batch * count))
        part = replace(training, batch=count, eikonal_batch=some)
        task = DistanceTask(model, lambda _: (points, torch.zeros(count), points), part)
        return task.loss(*task.draw(0))

    def contents(self) -> Iterable[NDArray[Any]]:
        return (part.numpy() for part in (self.pool.points, self.pool.distances, self.pool.normals))

    def result(self, model: Network[Any], facts: dict[str, Any]) -> Field:
        return Field(model, self.frame, *self.target.bounds, facts, self.support)

    def held_out_error(self, seed: int) -> Callable[[Field], float]:
        held_out = draw_pool(self.target, HELD_OUT, seed + 1)

        def error_of(field: Field) -> float:
            values = torch.from_numpy(field.unit_distance(held_out.points.numpy()))
            return float(distance_error(values, held_out.distances).mean())

        return error_of
