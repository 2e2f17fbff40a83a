"""The problem of a surface: selects points, derives the distance that they imply, and draws targets."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import KDTree
from torch import Tensor

from ..config import SupervisionConfig, TrainingConfig
from ..errors import Finding, UsageError, notes
from ..extraction import Support
from ..field import Field
from ..geometry import Array, Frame, PointCloud, TriangleMesh
from ..mesh import without_unused
from ..networks.network import Network
from ..plausibility import Examined, examined
from ..runtime.progress import steps
from ..supervision import CloudTarget, MeshTarget, prepare
from ..training import Task
from ..training.losses import DistanceTask, distance_error
from ..training.samplers import Batches, Pool, draw_pool
from .problem import Problem

HELD_OUT = 50_000
"""Number of targets that no network is trained on, used to compare learning rates."""


@dataclass(frozen=True)
class SurfaceProblem(Problem[Field]):
    """A cloud or a mesh in its frame, the distance that it implies, and targets drawn from that.

    facts: facts about the geometry, for the report. findings: what the user should know about it.
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


INNER = 0.005
"""Share of the points that lie beyond each side of the inner box."""

WIDER = 1.5
"""Size of the wider box relative to the inner box; only points outside the wider box may be far away."""

FEW = 0.01
"""Largest share of the points that may be omitted as far away."""

VOXELS = 32
"""Voxels across the wider box; points are connected where no two voxels in a row between them are empty."""

GROUP = 100
"""Number of connected points that form an object of their own, however far it is from the rest."""


def selected(
    geometry: PointCloud | TriangleMesh, supervision: SupervisionConfig, name: str
) -> tuple[Examined, Frame]:
    """The part of the geometry that is used, after examination, and the frame around it.

    Raises UsageError if the geometry lacks an attribute that the settings name, UnusableGeometry if it is
    implausible.
    """
    geometry, frame, far = framed(with_normals(geometry, supervision.normals, name))
    found = examined(geometry, frame, supervision, name)
    return replace(found, findings=notes(far) + found.findings), frame


def with_normals(geometry: PointCloud | TriangleMesh, source: str, name: str) -> PointCloud | TriangleMesh:
    """The geometry with only those orientation attributes that `source` names.

    auto: all. file: its normals. sensors: the positions that it was seen from. estimate: none. A mesh is
    oriented by its faces. Raises UsageError if the geometry lacks the attribute.
    """
    if isinstance(geometry, TriangleMesh):
        if source in ("sensors", "estimate"):
            raise UsageError(f"{name} is a mesh, oriented by its faces: omit --normals {source}")
        return geometry
    if source == "file" and geometry.normals is None:
        raise UsageError(f"{name} has no usable normals: omit --normals file")
    if source == "sensors" and geometry.sensors is None:
        raise UsageError(f"{name} does not say where its sensors stood: omit --normals sensors")
    return replace(
        geometry,
        normals=geometry.normals if source in ("auto", "file") else None,
        sensors=geometry.sensors if source in ("auto", "sensors") else None,
    )


def framed(geometry: PointCloud | TriangleMesh) -> tuple[PointCloud | TriangleMesh, Frame, list[str]]:
    """The geometry without points far from all others, the frame around it, and a note on omitted points."""
    if isinstance(geometry, TriangleMesh):
        return geometry, Frame.around(without_unused(geometry).vertices), []
    far = far_points(geometry.points)
    if not far.any():
        return geometry, Frame.around(geometry.points), []
    rest = geometry.select(~far)
    note = f"{int(far.sum()):,} of {len(far):,} points lie far from all others and were left out"
    return rest, Frame.around(rest.points), [note]


def far_points(points: Array) -> NDArray[np.bool_]:
    """Whether each point (N,) is so far from the others that including it in the frame would cost resolution.

    Such points lie outside the box of the inner 99 % (in every direction), widened by half. They are not
    connected to the points inside, as an antenna is, and do not form a large group. They are less than a
    hundredth of all points, and removing them shortens the longest side by at least a third. If any of this
    does not hold, no point is far.
    """
    nobody = np.zeros(len(points), np.bool_)
    low, high = np.quantile(points, [INNER, 1 - INNER], axis=0)
    center, half = (low + high) / 2, WIDER * (high - low) / 2
    half = np.maximum(half, half.max() / VOXELS)
    outside = (np.abs(points - center) > half).any(1)
    if not outside.any():
        return nobody
    group = _groups(np.floor((points - center) / (2 * half.max() / VOXELS)))
    size = np.bincount(group)
    size[group[~outside]] = len(points)
    far = outside & (size[group] < GROUP)
    if far.sum() > FEW * len(points) or not far.any():
        return nobody
    shorter = (np.ptp(points[~far], axis=0).max() * WIDER) <= np.ptp(points, axis=0).max()
    return far if shorter else nobody


def _groups(voxels: Array) -> NDArray[np.int32]:
    """The group number (N,) of each point, from the integer coordinates (N, 3) of its voxel."""
    taken, number = np.unique(voxels, axis=0, return_inverse=True)
    pairs = KDTree(taken).query_pairs(2, p=np.inf, output_type="ndarray")
    graph = coo_array((np.ones(len(pairs), np.int8), tuple(pairs.T)), shape=(len(taken),) * 2)
    return connected_components(graph, directed=False)[1][number.reshape(-1)]
