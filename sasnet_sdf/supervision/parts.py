"""The supervision of a part of a cloud that is too large to be prepared as a whole.

The steps are those of `prepare_cloud`. Three facts that only the whole cloud tells are given: whether it is
noisy, which side is outside where the part does not say, and what lies inside far from the part. Points are
cleaned once, each by the part that it lies in; then each part gathers the cleaned points around it. So two
parts see the same points on both sides of their border.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from ..geometry import Array, PointCloud
from ..runtime.progress import steps
from ..spatial import Tree, morton_order
from .cloud import (
    CANDIDATES,
    FIT,
    NOISY_FIT,
    WIDE,
    Neighbors,
    cleaned,
    denoised,
    noise_in_spacings,
    oriented,
    target_of,
)
from .orientation import WindingNumber, surfels_of
from .targets import CloudTarget

_CONNECTED = 3.0
"""Distance, in spacings, up to which neighbors belong to one piece of a surface."""

_ROW = "\0row"


@dataclass(frozen=True)
class Surroundings:
    """The thinned cloud of the whole scan, in world units or in the unit cube of a part.

    points, normals: (N, 3), normals outward, of unit length. spacing: (N,) the distance between neighbors.
    """

    points: Array
    normals: Array
    spacing: Array

    def outside(self, low: Array, high: Array) -> NDArray[np.bool_]:
        """Which points (N,) lie outside the box from low to high (3,)."""
        return np.asarray(((self.points < low) | (self.points > high)).any(1))


@dataclass(frozen=True)
class CleanPart:
    """The points of a part without outliers and noise.

    points: (M, 3) in the unit cube. normals: (M, 3) outward. rows: (M,) the row of each point in the input.
    noise: the standard deviation of the noise that was removed, in the unit cube; None if none was. spacing:
    the median one, in the unit cube.
    """

    points: Array
    normals: Array
    rows: NDArray[np.int64]
    noise: float | None
    spacing: float


def measured(cloud: PointCloud) -> tuple[float, float]:
    """The noise of a cloud in spacings, and the median spacing in the unit cube that its points are in.

    Raises UnusableGeometry if too few points are left.
    """
    cloud, near, _, _ = cleaned(cloud, steps())
    return noise_in_spacings(cloud, near), float(np.median(near.spacing))


def clean_part(cloud: PointCloud, *, noisy: bool, whole: PointCloud | None) -> CleanPart:
    """The points of a cloud in the unit cube: outliers removed, oriented and, if noisy, denoised.

    whole: points and outward normals of the whole, in the same unit cube; they decide which side is outside
    where the cloud has neither normals nor sensors. Raises UnusableGeometry if too few points are left.
    """
    step = steps()
    cloud = replace(cloud, scalars={_ROW: np.arange(len(cloud))})
    cloud, near, _, _ = cleaned(cloud, step)
    planes = sigma = None
    if cloud.normals is None and cloud.sensors is None:
        step(0.4, "estimating normals")
        normals, _ = oriented(cloud, near, None)
        if whole is not None:
            normals = _turned_like(whole, cloud.points, normals, near)
        cloud = replace(cloud, normals=normals)
    if noisy:
        step(0.9, "denoising")
        cloud, planes, sigma, _ = denoised(cloud, near.tree, near.spacing)
        near = Neighbors.of(cloud) if sigma is not None else near
    step(1.0, "orienting normals")
    normals, _ = oriented(cloud, near, planes)
    return CleanPart(cloud.points, normals, cloud.scalars[_ROW], sigma, float(np.median(near.spacing)))


def _turned_like(whole: PointCloud, points: Array, normals: Array, near: Neighbors) -> Array:
    """The normals (N, 3), each connected piece of the surface turned to the side that the whole's face."""
    assert whole.normals is not None
    close = near.distances <= _CONNECTED * near.spacing[:, None]
    alike = close & (np.einsum("nj,nkj->nk", normals, normals[near.lists]) > 0)
    starts, column = np.nonzero(alike)
    graph = coo_array(
        (np.ones(len(starts), np.int8), (starts, near.lists[starts, column])), (len(points),) * 2
    )
    piece = connected_components(graph, directed=False)[1]
    order = _in_cube_order(whole.points)
    nearest = order[Tree.of(np.ascontiguousarray(whole.points[order])).nearest(points)]
    votes = np.bincount(piece, (normals * whole.normals[nearest]).sum(1))
    return np.where(votes[piece, None] < 0, -normals, normals)


def target_of_part(
    points: Array, normals: Array, *, noise: float, noisy: bool, far: Surroundings
) -> CloudTarget:
    """The signed distance that the cleaned points of a part imply; far from them, the whole decides the sign.

    points, normals: (N, 3) in the unit cube, outward. noise: of the whole cloud before it was denoised, in
    spacings. far: in the same unit cube, the points of the whole that lie outside this part. Raises
    UnusableGeometry for too few points.
    """
    order = morton_order(points)
    cloud = PointCloud(points[order], normals[order])
    fit = NOISY_FIT if noisy else FIT
    near = Neighbors.of(cloud, max(CANDIDATES, fit))
    width = WIDE * near.distances[:, min(fit, near.distances.shape[1]) - 1].astype(np.float64)
    assert cloud.normals is not None
    surfels = surfels_of(near.tree.points, cloud.normals)
    target = target_of(near, surfels, width, noise, noisy=noisy, exact=False)
    if not len(far.points):
        return target
    all_points = np.concatenate([near.tree.points, far.points])
    rows = np.concatenate([surfels.reshape(-1, 6), np.concatenate([far.points, far.normals], 1)])
    areas = [np.minimum(s, 2 * np.median(s)) ** 2 for s in (near.spacing, far.spacing)]
    order = _in_cube_order(all_points)
    winding = WindingNumber.of_areas(
        Tree.of(np.ascontiguousarray(all_points[order])), rows[order].ravel(), np.concatenate(areas)[order]
    )
    return replace(target, winding=winding.leveled(surfels, near.spacing))


def _in_cube_order(points: Array) -> NDArray[np.int64]:
    """The order (N,) of points (N, 3) along a Z-curve of the cube around all of them."""
    return morton_order(points / max(float(np.abs(points).max()), 1.0))
