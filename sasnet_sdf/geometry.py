"""Point clouds, triangle meshes, and the frame between world units and the unit cube."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]
Indices = NDArray[np.integer]


@dataclass(frozen=True)
class PointCloud:
    """Points in world units, with attributes.

        cloud = sasnet_sdf.PointCloud(points, normals)
        result = sasnet_sdf.reconstruct(cloud, preset="fast")

    points: (N, 3) float64. normals: (N, 3) float64 of unit length, outward, or None. colors: (N, 3) uint8 or
    None. sensors: (N, 3) float64, the position in world units of the sensor that saw the point, or None.
    scalars: other attributes (N,), such as intensity, under their names in the file. notes: what the user
    should know about how the file was read, one sentence each. geographic: whether x and y are longitude and
    latitude in degrees.
    """

    points: Array
    normals: Array | None = None
    colors: NDArray[np.uint8] | None = None
    sensors: Array | None = None
    scalars: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    geographic: bool = False

    def __len__(self) -> int:
        return len(self.points)

    def select(self, keep: NDArray[Any]) -> PointCloud:
        """The points that a boolean mask or an index array keeps, attributes included."""
        rows = {n: v[keep] for n, v in vars(self).items() if isinstance(v, np.ndarray)}
        return replace(self, **rows, scalars={n: v[keep] for n, v in self.scalars.items()})


@dataclass(frozen=True)
class TriangleMesh:
    """A triangle mesh in world units; triangles run counter-clockwise seen from outside.

        mesh = sasnet_sdf.TriangleMesh(vertices, faces)
        mesh.save("surface.obj")

    vertices: (V, 3) float64. faces: (F, 3) int64. normals: (V, 3) float64 of unit length or None. colors:
    (V, 3) uint8 or None. scalars: attributes (V,) transferred from the scan. notes: what the user should know
    about how the file was read, one sentence each.
    """

    vertices: Array
    faces: NDArray[np.int64]
    normals: Array | None = None
    colors: NDArray[np.uint8] | None = None
    scalars: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def save(self, path: str | Path) -> tuple[str, ...]:
        """Write the mesh; the extension decides the format (.ply .obj .stl .off .glb).

        Returns one sentence about each attribute that the format cannot store.
        """
        from .io import write_mesh

        return write_mesh(path, self)


@dataclass(frozen=True)
class Frame:
    """The transform from the unit cube to world units: world = center + scale * unit, in float64.

        frame = sasnet_sdf.Frame.around(points)
        unit = frame.to_unit(points)  # the longest side is [-0.95, 0.95]

    center: (3,) in world units. scale: world units per unit of the cube [-1, 1]^3.
    """

    center: Array
    scale: float

    @classmethod
    def around(cls, points: Array, extent: float = 0.95) -> Frame:
        """The frame in which the longest side of the points' bounding box is [-extent, extent]."""
        low, high = points.min(0).astype(np.float64), points.max(0).astype(np.float64)
        return cls(low + (high - low) / 2, float((high - low).max()) / 2 / extent)

    def to_unit(self, points: Array) -> Array:
        """World points (N, 3) to the unit cube, float64."""
        return (np.asarray(points, np.float64) - self.center) / self.scale

    def to_world(self, points: Array) -> Array:
        """Points (N, 3) of the unit cube to world units, float64."""
        return np.asarray(points, np.float64) * self.scale + self.center

    def to_dict(self) -> dict[str, Any]:
        return {"center": [float(c) for c in self.center], "scale": float(self.scale)}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Frame:
        """The frame that `to_dict` described. Raises ValueError for invalid values."""
        center, scale = np.array(values["center"], np.float64), float(values["scale"])
        if center.shape != (3,) or not ((np.abs(center) < 1e100).all() and 0 < scale < 1e100):
            raise ValueError("its frame has no center and scale")
        return cls(center, scale)


FARTHEST = 1e100
"""Coordinates of this size or larger count as not finite: their squares come near the largest number."""


def as_places(places: Any, dim: int, name: str = "points") -> Array:
    """Coordinates (N, dim) as float64; masked entries become NaN.

    Raises ValueError for another shape, and for anything but real numbers.
    """
    found = np.asanyarray(places)
    try:
        if found.dtype.kind not in "iufbO":
            raise TypeError
        with np.errstate(invalid="ignore"):  # signaling NaNs
            numbers = found.astype(np.float64, copy=False)
    except (TypeError, ValueError) as error:
        wanted = f"real numbers of the shape (N, {dim})"
        raise ValueError(f"{name} must be {wanted}, found {found.dtype}") from error
    found = np.ma.filled(numbers, np.nan)
    if found.ndim != 2 or found.shape[1] != dim:
        raise ValueError(f"{name} must have the shape (N, {dim}), found {found.shape}")
    return found


def are_finite(places: Array) -> NDArray[np.bool_]:
    """Which places (N, d) have finite coordinates with finite squares."""
    with np.errstate(over="ignore"):  # the limit overflows in single precision
        return np.asarray((np.abs(places) < FARTHEST).all(axis=1))


def at_finite(function: Callable[[Array], tuple[Array, ...]], places: Array) -> tuple[Array, ...]:
    """The real arrays (N, ...) that a function returns for places (N, d); NaN where a place is not finite.

    The function is called only with finite places: from other places, compiled code could compute a table
    index beyond the table's end.
    """
    usable = are_finite(places)
    if usable.all():
        return function(places)
    results = []
    for found in function(places[usable]):
        result = np.full((len(places), *found.shape[1:]), np.nan, found.dtype)
        result[usable] = found
        results.append(result)
    return tuple(results)
