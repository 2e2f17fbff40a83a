"""Cleaning geometry after reading, or refusing it; a note names everything that is left out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import UnreadableInput, UnusableGeometry
from ..geometry import Array, PointCloud, TriangleMesh
from ..mesh import welded, without_unused
from ..runtime.progress import steps
from .columns import finite

FEWEST = 10
FEW = 0.05
"""The share of points without a usable normal or sensor up to which those points are left out."""
NARROWEST = 0.01
"""The width of a scan over its distance, below which a sensor at 0 0 0 is taken as an unset value."""
OF_EIGHT_BITS = 0.02
"""The largest deviation from 1 of the length of a unit normal after rounding to 256 steps."""
ON_A_LINE = 1e-6
"""The ratio of second to first extent up to which points lie on a line: just above float32 rounding."""


def validated(
    geometry: PointCloud | TriangleMesh, path: str | Path
) -> tuple[PointCloud | TriangleMesh, list[str]]:
    """The geometry without unusable parts, and a sentence about each thing that was left out.

    The reader's sentences come first.

    A cloud then has finite points, unit normals and finite sensors; a mesh has finite, welded vertices that
    are all used, and faces with three different vertices. Raises UnusableGeometry where too little is left
    for a surface, UnreadableInput where faces refer to vertices that do not exist.
    """
    notes = [*geometry.notes]
    if isinstance(geometry, TriangleMesh):
        mesh = _usable_mesh(geometry, path, notes)
        _check_extent(mesh.vertices, path)
        return mesh, notes
    cloud = _usable_cloud(geometry, path, notes)
    if len(cloud) < FEWEST:
        raise UnusableGeometry(f"{path}: usable points: {len(cloud)}; at least {FEWEST} are needed")
    _check_extent(cloud.points, path)
    return cloud, notes


def _usable_cloud(cloud: PointCloud, path: str | Path, notes: list[str]) -> PointCloud:
    total = len(cloud)
    usable = finite(cloud.points)
    if total and not usable.any():
        raise UnusableGeometry(f"{path}: none of its {total} points is finite; export it again")
    if not usable.all():
        notes.append(f"{total - usable.sum()} of {total} points are not finite and were left out")
        cloud = cloud.select(usable)
    if cloud.normals is not None:
        encoded = are_encoded(cloud.normals)
        if encoded:
            notes.append("the normals are stored as n/2 + 1/2, from 0 to 1, and were decoded")
        normals = unit_normals(cloud.normals, encoded)
        cloud = _without_gaps(replace(cloud, normals=normals), "normals", notes)
    if cloud.sensors is not None:
        cloud = _without_empty_sensors(cloud, notes)
    if cloud.sensors is not None:
        cloud = _without_gaps(cloud, "sensors", notes)
    return cloud


def _without_empty_sensors(cloud: PointCloud, notes: list[str]) -> PointCloud:
    """The cloud, without sensors if all are 0 0 0 and the cloud is too far away for this to be plausible."""
    if cloud.sensors is None or cloud.sensors.any() or not len(cloud):
        return cloud
    low, high = cloud.points.min(0), cloud.points.max(0)
    with np.errstate(over="ignore"):
        distance = float(np.linalg.norm(np.maximum(0, np.maximum(low, -high))))
        if np.linalg.norm(high - low) >= NARROWEST * distance:
            return cloud
    notes.append(f"the sensor at 0 0 0 is {distance:.3g} away from the points and was ignored")
    return replace(cloud, sensors=None)


def _without_gaps(cloud: PointCloud, attribute: str, notes: list[str]) -> PointCloud:
    """Leave out points without a finite value of the attribute, or the attribute if there are many."""
    usable = finite(getattr(cloud, attribute))
    missing, total = int((~usable).sum()), len(cloud)
    if not missing:
        return cloud
    if missing > FEW * total:
        notes.append(f"{missing} of {total} {attribute} are zero or not finite: all {attribute} were ignored")
        return replace(cloud, **{attribute: None})
    notes.append(f"{missing} of {total} points were left out: their {attribute} are zero or not finite")
    return cloud.select(usable)


def are_encoded(normals: Array) -> bool:
    """Whether normals (N, 3) are stored like colors, as n / 2 + 1 / 2."""
    with np.errstate(all="ignore"):
        length = np.linalg.norm(2 * normals - 1, axis=1)
        if not len(normals) or normals.min() < 0 or not (np.abs(length - 1) < OF_EIGHT_BITS).all():
            return False
        return not (np.abs(np.linalg.norm(normals, axis=1) - 1) < OF_EIGHT_BITS).all()


def unit_normals(normals: Array, encoded: bool = False) -> Array:
    """Unit normals (N, 3), decoded where `are_encoded`; NaN where the length is zero or not finite."""
    with np.errstate(all="ignore"):
        normals = 2 * normals - 1 if encoded else normals
        # divide by the largest component first, so that squares neither overflow nor underflow
        normals = normals / np.abs(normals).max(axis=1, keepdims=True, initial=0)
        return normals / np.linalg.norm(normals, axis=1, keepdims=True)


def _usable_mesh(mesh: TriangleMesh, path: str | Path, notes: list[str]) -> TriangleMesh:
    count, total = len(mesh.vertices), len(mesh.faces)
    if not total:
        raise UnusableGeometry(f"{path}: a mesh without faces")
    if mesh.faces.min() < 0 or mesh.faces.max() >= count:
        outside = mesh.faces[(mesh.faces < 0) | (mesh.faces >= count)][0]
        raise UnreadableInput(f"{path}: a face names vertex {outside} (from 0), there are {count}")
    step = steps()
    step(0.3)
    whole = finite(mesh.vertices)[mesh.faces].all(axis=1)
    mesh = without_unused(replace(mesh, faces=mesh.faces[whole]))
    if not whole.all():
        notes.append(f"{total - whole.sum()} of {total} faces have vertices that are not finite: left out")
    step(0.8)
    mesh = welded(mesh)
    step(1.0)
    a, b, c = mesh.faces.T
    # A face with three different but collinear vertices is kept: a closed mesh would be open without it.
    whole = (a != b) & (b != c) & (c != a)
    if not whole.all():
        notes.append(f"{(~whole).sum()} of {total} faces are degenerate and were left out")
        mesh = without_unused(replace(mesh, faces=mesh.faces[whole]))
    if not len(mesh.faces):
        raise UnusableGeometry(f"{path}: has no face that is finite and has an area, of {total}")
    if mesh.normals is not None:
        normals = unit_normals(mesh.normals)
        mesh = replace(mesh, normals=normals if np.isfinite(normals).all() else None)
    return mesh


def _check_extent(points: Array, path: str | Path) -> None:
    """Refuse finite points that coincide, lie on a line, or are too large to be squared in float64."""
    with np.errstate(over="ignore"):
        extent = float((points.max(axis=0) - points.min(axis=0)).max())
    largest = float(np.abs(points).max())
    if extent <= 4 * np.finfo(np.float64).eps * largest:
        raise UnusableGeometry(f"{path}: all its {len(points)} points are equal")
    if not (extent > 1e-100 and largest < 1e100):
        raise UnusableGeometry(f"{path}: its coordinates (up to {largest:.3g}) are not those of a scan")
    _, second, first = _extents(points / extent)
    if second <= ON_A_LINE * first:
        raise UnusableGeometry(f"{path}: all its {len(points)} points lie on one line")


def _extents(points: Array) -> NDArray[Any]:
    """The extents of points (N, 3) along their principal axes, ascending."""
    centered = points - points.mean(axis=0)
    return np.sqrt(np.maximum(np.linalg.eigvalsh(centered.T @ centered), 0))
