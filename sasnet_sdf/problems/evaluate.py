"""Measures how well a surface, or the field that it was extracted from, agrees with a reference."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from .. import __version__
from ..config import Config
from ..errors import UnusableGeometry, UsageError
from ..field import Field
from ..geometry import Array, Frame, PointCloud, TriangleMesh
from ..metrics import (
    UNIT,
    Points,
    Triangles,
    field_figures,
    frame_around,
    legacy_chamfer,
    mesh_figures,
    overlap,
    surface_figures,
)
from ..runtime.memory import SurfaceMemory
from ..runtime.progress import OnProgress, silent, stage, steps
from .extract import surface_of
from .loading import load
from .problem import Report
from .settings import make_config

FEWEST, MOST = 100, 50_000_000
"""The allowed range of the number of samples."""

OF_A_MESH = ("iou", "iou_uniform", "chamfer_legacy", "chamfer_legacy_floor")
OF_A_FIELD = tuple(
    f"{name}_error_{place}" for place in ("near", "far") for name in ("sdf", "sign", "eikonal")
)
"""Figures that are None if the reference does not allow them."""


class DistanceAndGradient(Protocol):
    """A field in world units: distances (N,) and gradients (N, 3) at points (N, 3)."""

    def distance(self, points: Array) -> Array: ...
    def gradient(self, points: Array) -> Array: ...


class Evaluation(Report):
    """How well a surface agrees with a reference: a mapping of the figures of docs/evaluate.md.

    Lengths are in 1e-4 of the diagonal of the reference's bounding box. A figure is None if the reference
    does not allow it, such as the IoU with an open mesh.
    """

    @property
    def error(self) -> float:
        """The average of the mean distances from surface to reference and from reference to surface."""
        return self["error"]

    @property
    def hausdorff(self) -> float:
        """The largest distance from a sample of either surface to the other one."""
        return self["hausdorff"]

    @property
    def normal_consistency(self) -> float | None:
        """The mean absolute cosine of the angle between the normals, from 0 to 1."""
        return self["normal_consistency"]

    def __repr__(self) -> str:
        figures = (f"  {name}: {self[name]}" for name in ("error", "hausdorff", "normal_consistency", "iou"))
        return "\n".join(["Evaluation", *figures])


def evaluated(
    source: str | Path | TriangleMesh | Field,
    reference: str | Path | TriangleMesh | PointCloud | Array,
    *,
    field: DistanceAndGradient | None = None,
    samples: int = 200_000,
    seed: int = 0,
    resolution: int | None = None,
    on_progress: OnProgress = silent,
) -> Evaluation:
    """Does what sasnet_sdf.evaluate does, for a mesh or a field in one file."""
    config = make_config(seed=seed, resolution=resolution)
    if not FEWEST <= samples <= MOST:
        raise UsageError(f"samples must lie between {FEWEST} and {MOST}, found {samples}")
    with stage("read", on_progress, "reading"):
        truth, facts, truth_notes = _reference(reference, config)
    mesh, extracted, notes = _measured(source, resolution, config, on_progress)
    field = field or extracted

    with stage("evaluation", on_progress, "measuring"):
        if isinstance(truth, PointCloud):
            frame = frame_around(truth.points)
            shape = Points.of(truth, frame)
        else:
            frame = frame_around(truth.vertices)
            shape = _triangles(truth, frame, _name(reference, "the reference"))
        closed = facts["boundary_edges"] == 0
        step = steps()
        step(0.6)
        figures = _against(_triangles(mesh, frame, _name(source)), shape, closed, samples, seed)
        step(1.0)
        if field is not None:
            figures |= _of_field(field, frame, shape, closed, samples, seed)
    report = {
        "version": __version__,
        "reference": "mesh" if isinstance(truth, TriangleMesh) else "cloud",
        "reference_closed": closed,
        "reference_area": facts["area"],
        "reference_volume": facts["volume"],
        "diagonal": frame.scale,
        "samples": samples,
        "seed": seed,
        **figures,
        **mesh_figures(mesh),
        "notes": [*notes, *(f"the reference: {note}" for note in truth_notes)],
    }
    return Evaluation(report)


def _against(
    mesh: Triangles, reference: Triangles | Points, closed: bool, samples: int, seed: int
) -> dict[str, Any]:
    """The figures of a mesh against its reference, both in the reference's frame."""
    step = steps()
    step(0.4)
    figures = surface_figures(mesh, reference, samples, _generator(seed, 0))
    figures |= dict.fromkeys(("spacing", *OF_A_MESH))
    if isinstance(reference, Points):
        return figures | {"spacing": reference.spacing() * UNIT}
    step(0.6)
    if closed:
        figures |= overlap(mesh, reference, samples, _generator(seed, 1))
    step(1.0)
    # by default 300,000 samples, as in published evaluations with this figure
    return figures | legacy_chamfer(mesh, reference, samples * 3 // 2, _generator(seed, 2))


def _of_field(
    field: DistanceAndGradient,
    frame: Frame,
    reference: Triangles | Points,
    closed: bool,
    samples: int,
    seed: int,
) -> dict[str, Any]:
    """The figures of a field; None if the reference has no inside."""
    if isinstance(reference, Points) or not closed:
        return dict.fromkeys(OF_A_FIELD)

    def distance(points: Array) -> Array:
        return field.distance(frame.to_world(points)) / frame.scale

    def gradient(points: Array) -> Array:
        return field.gradient(frame.to_world(points))

    return field_figures(distance, gradient, reference, samples, _generator(seed, 3))


def _generator(seed: int, figure: int) -> np.random.Generator:
    """A generator for one kind of figure, so that the figure does not depend on which others are computed."""
    return np.random.default_rng([seed, figure])


def _measured(
    source: Any, resolution: int | None, config: Config, on_progress: OnProgress
) -> tuple[TriangleMesh, Field | None, list[str]]:
    """The mesh, the field that it was extracted from (if any), and notes."""
    field = source if isinstance(source, Field) else None
    if isinstance(source, (str, Path)) and Path(source).suffix.lower() == ".sasnet":
        field = Field.load(source)
    if field is not None:
        with stage("extraction", on_progress):
            return surface_of(field, config.extraction, SurfaceMemory())[0], field, []
    if resolution is not None:
        raise UsageError("resolution is for the surface of a model: a mesh has its own")
    mesh, notes = load(source, config)
    if isinstance(mesh, TriangleMesh):
        return mesh, None, notes
    raise UnusableGeometry(
        f"{_name(source)}: holds points without faces; give a mesh or a model (a cloud can be the reference)"
    )


def _reference(source: Any, config: Config) -> tuple[PointCloud | TriangleMesh, dict[str, Any], list[str]]:
    """The reference (oriented outward if watertight), facts about it as a mesh, and notes."""
    truth, notes = load(source, config)
    if isinstance(truth, PointCloud):
        return truth, dict.fromkeys(("boundary_edges", "area", "volume")), notes
    facts = mesh_figures(truth)
    if (facts["volume"] or 0) < 0:
        truth = replace(truth, faces=np.ascontiguousarray(truth.faces[:, ::-1]))
        facts["volume"] *= -1
        notes = [*notes, "the mesh was inside out and has been turned"]
    return truth, facts, notes


def _triangles(mesh: TriangleMesh, frame: Frame, name: str) -> Triangles:
    triangles = Triangles.of(mesh, frame)
    if not len(triangles.faces):
        raise UnusableGeometry(f"{name}: none of its {len(mesh.faces)} triangles has an area")
    return triangles


def _name(source: Any, otherwise: str = "the mesh") -> str:
    return str(source) if isinstance(source, (str, Path)) else otherwise
