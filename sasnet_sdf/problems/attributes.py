"""Colors and scalars of the input, carried over to the vertices of its surface."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..config import ExtractionConfig
from ..errors import Finding, UsageError
from ..extraction import Blend, blend
from ..extraction.attributes import CHUNK, CHUNK_OF_MESH
from ..geometry import Frame, PointCloud, TriangleMesh
from ..spatial import Tree, morton_order
from ..supervision import CloudTarget, MeshTarget


def check_carried(geometry: PointCloud | TriangleMesh, names: Sequence[str]) -> None:
    """Raise UsageError where the input has no scalar of one of these names."""
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

    A cloud gives those of the points that the target was made from, without outliers.
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
        chunk = CHUNK
        at = partial(Blend.of_cloud, target)
    found = blend(values, at, frame.to_unit(mesh.vertices), chunk)
    if colors is not None:
        colors = np.rint(found.pop("\0colors")).astype(np.uint8)
    return replace(mesh, colors=colors, scalars=found)


def _rows_of(target: CloudTarget, points: np.ndarray) -> NDArray[np.int64]:
    """The row in the input of each of the target's points, by the unit coordinates of the input's (N, 3)."""
    order = morton_order(points)
    return order[Tree.of(points[order]).nearest(target.points)]
