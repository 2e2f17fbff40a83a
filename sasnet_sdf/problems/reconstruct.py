"""Reconstruction: turns a scan into a surface in the same world coordinates."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

from ..config import Config, ExtractionConfig
from ..errors import Finding, NoSurface, UnusableGeometry, UsageError, notes, texts, warning
from ..extraction import Blend, Support, blend
from ..extraction.attributes import CHUNK as CHUNK_OF_CLOUD
from ..extraction.attributes import CHUNK_OF_MESH
from ..extraction.descent import CHUNK
from ..field import Field
from ..geometry import Array, Frame, PointCloud, TriangleMesh
from ..mesh import areas, without_unused
from ..networks.registry import choose
from ..runtime.memory import MemoryPlan
from ..runtime.progress import WARNING, OnProgress, say, silent, stage, steps, timed
from ..spatial import Tree, morton_order
from ..supervision import MESH_SAMPLES, CloudTarget, MeshTarget
from ..supervision.targets import is_closed, sample_surface
from .extract import described, lattice_of, surface_of
from .loading import load, name_of, sources_of
from .problem import Run, fit, new_network, plan_of, vertices_of
from .surface import SurfaceProblem, selected


@dataclass(frozen=True)
class Reconstruction:
    """A surface, the field that it was extracted from, and the report (docs/report.md)."""

    mesh: TriangleMesh
    field: Field
    report: dict[str, Any]

    def __repr__(self) -> str:
        """A summary in five lines."""
        report = self.report
        points = report["input"].get("used_points", report["input"]["points"])
        lines = [
            "Reconstruction",
            f"  mesh: {described(self.mesh, report['extraction'])}",
            f"  from: {points:,} points in {report['seconds']['total']:.1f} s",
            f"  field: {report['model']}, gives distances in world units",
            f"  report: {len(report['warnings'])} warnings, {len(report['notes'])} notes",
        ]
        return "\n".join(lines)


def surface_of_source(
    source: Any,
    config: Config,
    on_progress: OnProgress = silent,
    check: Callable[[PointCloud | TriangleMesh], list[Finding]] = lambda _: [],
) -> Reconstruction:
    """Does what sasnet_sdf.reconstruct does with one field, with all settings in `config`.

    check: called with what was read; returns what the user should know, and may raise.
    """
    run = Run()
    device, engine = choose(config.device, config.engine)
    model = new_network(config.model, SurfaceProblem.dim, SurfaceProblem.outputs, engine, config.seed)

    with timed(run.seconds, "read"), stage("read", on_progress, "reading"):
        given, told = load(source, config)
        findings = check(given)
        check_carried(given, config.extraction.carry)
        name = name_of(source)
        found, frame = selected(given, config.supervision, name)
        geometry, findings = found.geometry, notes(told) + findings + found.findings
        tell(findings, config, name)
        model = model.to(device)
        plan = plan_of(model, config, SurfaceProblem.trial)
        _check_targets(plan, geometry, config)

    with timed(run.seconds, "supervision"), stage("supervision", on_progress):
        problem = SurfaceProblem.of(geometry, frame, config.supervision, config.seed)
        findings += problem.findings
        tell(problem.findings, config, name)
        if problem.noisy:
            config = replace(config, training=config.training.for_noisy_scan())
        lattice = lattice_of(config.extraction, frame, *problem.target.bounds)
        memory = plan.surface(CHUNK, config.extraction.faces is not None)
        plan.check_lattice(
            memory, lattice.resolution, lattice.blocks, vertices_of(problem.target, lattice.cell)
        )

    with timed(run.seconds, "training"):
        field, history = fit(problem, model, config, device, on_progress)

    with timed(run.seconds, "extraction"), stage("extraction", on_progress):
        step = steps()
        step(0.9)
        mesh, extraction = surface_of(field, config.extraction, memory, problem.target)
        covered = 1.0
        if field.support is not None:
            covered = covered_share(mesh, field.support, frame)
            late = check_coverage(covered)
            findings += late
            tell(late, config, name)
        step(0.95)
        field = field.bridged_by(mesh)
        step(1.0, "carrying colors over")
        findings += left_behind(geometry, config.extraction)
        mesh = with_attributes(mesh, geometry, problem.target, frame, config.extraction)

    report = run.report(
        field,
        config,
        device,
        history.ended_by == "cancel",
        input=_input_facts(source, given)
        | {"far_points": len(_points(given)) - len(_points(geometry))}
        | problem.facts
        | ({"normals_from": found.outside_from} if found.outside_from else {}),
        frame=frame.to_dict(),
        trim=extraction.pop("trim"),
        refinement=extraction.pop("refinement"),
        extraction=extraction | {"points_covered": covered},
        attributes=[*(["colors"] if mesh.colors is not None else []), *mesh.scalars],
        notes=texts(findings, "note") + history.notes,
        warnings=texts(findings, "warning"),
    )
    return Reconstruction(mesh, field, report)


def _check_targets(plan: MemoryPlan, geometry: PointCloud | TriangleMesh, config: Config) -> None:
    """Refuse geometry whose supervision and training would exceed the limit. Raises UsageError."""
    faces, thins = 0, isinstance(geometry, PointCloud)
    if isinstance(geometry, PointCloud):
        points = len(geometry)
    elif is_closed(geometry.faces):
        points, faces = 0, len(geometry.faces)
    else:
        points = MESH_SAMPLES
    targets = config.supervision.targets
    plan.check_targets(points, faces, targets, min(config.training.batch, targets), thins=thins)


def tell(findings: list[Finding], config: Config, name: str) -> None:
    """Report warnings as soon as they are known.

    If there are any and the settings are strict, raises UnusableGeometry with the warnings.
    """
    warnings = texts(findings, "warning")
    if config.strict and warnings:
        raise UnusableGeometry(f"{name}: {'; '.join(warnings)} (a warning without --strict)")
    for text in warnings:
        say(WARNING + text)


def _points(geometry: PointCloud | TriangleMesh) -> Array:
    if isinstance(geometry, PointCloud):
        return geometry.points
    return without_unused(geometry).vertices


def _input_facts(source: Any, geometry: PointCloud | TriangleMesh) -> dict[str, Any]:
    points = _points(geometry)
    cloud = geometry if isinstance(geometry, PointCloud) else None
    paths = [str(part) if isinstance(part, (str, Path)) else None for part in sources_of(source)]
    return {
        "path": paths if len(paths) > 1 else paths[0],
        "kind": "mesh" if cloud is None else "cloud",
        "points": len(points),
        "had_normals": geometry.normals is not None,
        "had_sensors": cloud is not None and cloud.sensors is not None,
        "had_colors": geometry.colors is not None,
        "diagonal": float(np.linalg.norm(points.max(0) - points.min(0))),
    }


FEWEST = 0.05
"""The least share of the points that must lie on a surface."""

MOST_LEFT = 0.5
"""The share of the points that a surface may miss without a warning."""

NEAR = 3.0
"""The distance from a surface, in spacings, within which a point counts as lying on it."""

SAMPLES, POINTS = 50_000, 2_000
"""Number of places on the surface, and number of points that are tested."""


def covered_share(mesh: TriangleMesh, support: Support, frame: Frame) -> float:
    """The share of the support's points that lie on a mesh in world units."""
    places, _ = sample_surface(mesh.vertices, mesh.faces, SAMPLES, np.random.default_rng(0))
    between = 2 * np.sqrt(areas(mesh.vertices, mesh.faces).sum() / SAMPLES)
    some = np.linspace(0, len(support) - 1, min(POINTS, len(support))).astype(np.int64)
    apart = KDTree(places).query(frame.to_world(support.tree.points[some]))[0]
    return float((apart <= NEAR * support.spacing[some] * frame.scale + between).mean())


def check_coverage(share: float) -> list[Finding]:
    """A warning if the surface misses much of the data. Raises NoSurface if it misses almost all of it."""
    if share < FEWEST:
        raise NoSurface(
            f"only {share:.0%} of the points lie on the surface; check their normals and units, give "
            "--normals estimate, or --keep-components if it is made of many small pieces"
        )
    if share < 1 - MOST_LEFT:
        return [warning(f"only {share:.0%} of the points lie on the surface")]
    return []


def check_carried(geometry: PointCloud | TriangleMesh, names: Sequence[str]) -> None:
    """Raise UsageError if the input lacks a scalar with one of these names."""
    unknown = [name for name in names if name not in geometry.scalars]
    if unknown:
        there = f"there are: {', '.join(geometry.scalars)}" if geometry.scalars else "it has none"
        raise UsageError(f"the input has no scalar {unknown[0]!r} to carry; {there}")


def left_behind(geometry: PointCloud | TriangleMesh, config: ExtractionConfig) -> list[Finding]:
    """A note about the scalars that the surface will not have."""
    left = [name for name in geometry.scalars if name not in config.carry]
    if not left:
        return []
    some = f"the scalar {left[0]} is" if len(left) == 1 else f"{len(left)} scalars of the input are"
    return [Finding(f"{some} not on the surface; --carry NAME keeps one")]


def with_attributes(
    mesh: TriangleMesh,
    geometry: PointCloud | TriangleMesh,
    target: CloudTarget | MeshTarget,
    frame: Frame,
    config: ExtractionConfig,
) -> TriangleMesh:
    """The mesh with the input's colors, if it has any, and the requested scalars.

    For a cloud, these come from the points that the target was made from, without outliers.
    """
    values: dict[str, NDArray[Any]] = {name: geometry.scalars[name] for name in config.carry}
    colors = geometry.colors if config.colors == "auto" else None
    if colors is not None:
        values["\0colors"] = colors
    if not values:
        return mesh
    if isinstance(geometry, TriangleMesh):
        faces = np.ascontiguousarray(geometry.faces, np.int64)
        chunk = CHUNK_OF_MESH
        at = partial(Blend.of_mesh, frame.to_unit(geometry.vertices), faces)
    else:
        assert isinstance(target, CloudTarget)
        rows = _rows_of(target, frame.to_unit(geometry.points))
        values = {name: data[rows] for name, data in values.items()}
        chunk = CHUNK_OF_CLOUD
        at = partial(Blend.of_cloud, target)
    found = blend(values, at, frame.to_unit(mesh.vertices), chunk)
    if colors is not None:
        colors = np.rint(found.pop("\0colors")).astype(np.uint8)
    return replace(mesh, colors=colors, scalars=found)


def _rows_of(target: CloudTarget, points: np.ndarray) -> NDArray[np.int64]:
    """The input's row for each point of the target; points: (N, 3) the input's, in the unit cube."""
    order = morton_order(points)
    return order[Tree.of(points[order]).nearest(target.points)]
