"""Finds steps in depths that a sensor rounded, and smooths the points along their rays.

Neighboring pixels of a depth image then have exactly equal depths, as if there were no noise. The steps may
grow with the distance, as those of disparities do. They need not be known: they are found as the gaps between
the depths that occur.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.ndimage import percentile_filter, uniform_filter1d
from scipy.spatial import KDTree

from ..geometry import Array, Indices, PointCloud
from .depth_surface import corrections
from .planes import fit_planes

_EQUAL = 3e-6  # units of the cube: the spread of equal depths after single precision and a rotated axis
_FLAT = 1e-6  # largest distance of a point on a terrace from the plane of its neighbors
_ONE_AXIS = 0.999  # least cosine of the angle between terraces that face the same direction
_AXIS = 1 - 1e-7  # cosine of the angle to a coordinate axis from which on the direction is that axis
_TERRACES = 0.05  # least share of points on terraces
_FEWEST_LEVELS, _POINTS_A_LEVEL = 8, 16  # least number of levels, and of points per level on average
_MOSTLY = 0.75  # least share of a point's neighbors on its level for it to be on a terrace
_HELD = 0.25  # least share of levels that have terraces: in a box sampled on a grid, two levels have
_AROUND, _LOW = 15, 30  # gaps whose percentile is the local step: sparse depths may skip some levels
_UNEVEN = 0.3  # largest median deviation of gaps from the step: floors and roofs at any height exceed it
_PROBES, _BESIDE = 4000, 8  # points, and their neighbors in the image
_LINES = 0.1  # least ratio of the sides of a neighborhood: contours and scan lines have less
_NEXT = 0.25  # least share of the neighbors on other levels that are one level off: others are jumps
_STEEP = 10.0  # largest depth of a step in pixels: real stairs are deeper
_USUAL = 0.02, 0.98  # quantiles of the steps that are reported
_NEAREST = 0.02  # rays diverge if the nearest depth is at least this share of the farthest


@dataclass(frozen=True)
class Unstepped:
    """The cloud with its points moved along their rays; and the smallest and largest step, in its units."""

    cloud: PointCloud
    steps: tuple[float, float]


def without_steps(cloud: PointCloud, lists: Indices) -> Unstepped | None:
    """The cloud without depth steps; None if it has no such steps.

    Depths are distances along the direction that terraces face, or from a single sensor. cloud: in the unit
    cube. lists: (N, k) the nearest neighbors of each point.
    """
    one = cloud.sensors is not None and not np.ptp(cloud.sensors, axis=0).any()
    sensor = cloud.sensors[0] if cloud.sensors is not None and one else None
    axis = _facing(cloud.points, lists)
    if axis is not None and (found := _along(axis, cloud, sensor, lists)) is not None:
        return found
    return None if sensor is None else _from(sensor, cloud, lists)


def _facing(points: Array, lists: Indices) -> Array | None:
    """The normal (3,) of most exactly flat neighborhoods; None if too few have the same one."""
    normals, residuals = fit_planes(points, lists[:, :_BESIDE])
    flat = normals[residuals < _FLAT]
    if len(flat) < _TERRACES * len(points):
        return None
    some = flat[:: max(len(flat) // 256, 1)]
    most = some[(np.abs(some @ some.T) > _ONE_AXIS).sum(0).argmax()]
    cosines = flat @ most
    alike = np.abs(cosines) > _ONE_AXIS
    if alike.sum() < _TERRACES * len(points):
        return None
    axis = (flat[alike] * np.sign(cosines[alike, None])).mean(0)
    axis /= np.linalg.norm(axis)
    largest = np.abs(axis).argmax()
    return np.eye(3)[largest] if abs(axis[largest]) > _AXIS else axis


def _along(axis: Array, cloud: PointCloud, sensor: Array | None, lists: Indices) -> Unstepped | None:
    """Smooth distances from the image plane, along rays from the sensor, or parallel ones without it."""
    depths = cloud.points @ axis
    across = np.linalg.svd(axis[None])[2][1:]
    if sensor is not None:
        ahead = depths - sensor @ axis
        if ahead.mean() < 0:
            axis, ahead = -axis, -ahead
        if ahead.min() > _NEAREST * ahead.max():
            rays = (cloud.points - sensor) / ahead[:, None]
            return _smoothed(cloud, ahead, rays, rays @ across.T, ahead, lists)
    rays = np.broadcast_to(axis, cloud.points.shape)
    return _smoothed(cloud, depths, rays, cloud.points @ across.T, np.ones(1), lists)


def _from(sensor: Array, cloud: PointCloud, lists: Indices) -> Unstepped | None:
    """Smooth distances from the sensor, which saw all points in one half space."""
    rays = cloud.points - sensor
    depths = np.linalg.norm(rays, axis=1)
    if depths.min() <= _NEAREST * depths.max():
        return None
    rays /= depths[:, None]
    middle = rays.mean(0)
    ahead = rays @ middle / max(np.linalg.norm(middle), 1e-300)
    if ahead.min() < _NEAREST:
        return None
    across = np.linalg.svd(middle[None])[2][1:]
    return _smoothed(cloud, depths, rays, rays @ across.T / ahead[:, None], depths, lists)


def _smoothed(
    cloud: PointCloud, depths: Array, rays: Array, image: Array, width: Array, lists: Indices
) -> Unstepped | None:
    """Smooth depths (N,) along rays (N, 3); None if they are not rounded.

    image: (N, 2) positions of the points in the image. width: (N,) or (1,) the ratio of a length across the
    rays to the same length in the image.
    """
    level, values = _levels(depths)
    if len(values) < _FEWEST_LEVELS or len(depths) < _POINTS_A_LEVEL * len(values):
        return None
    low = percentile_filter(np.diff(values), _LOW, _AROUND, mode="nearest")
    step = uniform_filter1d(low, _AROUND, mode="nearest")  # at each gap (L - 1,): some levels may be missing
    terraces = (level[lists[:, :_BESIDE]] == level[:, None]).mean(1) >= _MOSTLY
    held = len(np.unique(level[terraces])) / len(values)
    if held < _HELD or np.median(np.abs(np.log(np.diff(values) / step))) > _UNEVEN:
        return None
    pixel = _pixel(image, level)
    size = np.append(step, step[-1])[level]
    if pixel is None or np.median(size / width) / pixel > _STEEP:
        return None
    # in units of steps: if depths come from disparities, planes remain planes
    positions = np.append(0, np.cumsum(np.diff(values) / step))
    stepped = positions[level]
    moved = stepped + corrections(np.column_stack([image / pixel, stepped]))
    change = np.interp(moved, positions, values) - values[level]
    low, high = np.quantile(size, _USUAL)
    return Unstepped(replace(cloud, points=cloud.points + change[:, None] * rays), (float(low), float(high)))


def _levels(depths: Array) -> tuple[Indices, Array]:
    """The level (N,) of each depth, and the depths (L,) of the levels."""
    order = depths.argsort(kind="stable")
    ascending = depths[order]
    above = np.append(0, np.cumsum(np.diff(ascending) > _EQUAL))
    level = np.empty(len(depths), np.int64)
    level[order] = above
    return level, np.bincount(above, ascending) / np.bincount(above)


def _pixel(image: Array, level: Indices) -> float | None:
    """The distance between neighbors in the image (N, 2).

    None if they lie on lines, or few of them are on consecutive levels.
    """
    some = np.linspace(0, len(image) - 1, min(_PROBES, len(image))).astype(np.int64)
    distances, near = KDTree(image).query(image[some], _BESIDE + 1)
    pixel = float(np.median(distances[:, 1:5].mean(1)))
    offsets = image[near] - image[some, None]
    offsets -= offsets.mean(1, keepdims=True)
    spread = np.linalg.svd(offsets, compute_uv=False)
    apart = np.abs(level[near] - level[some, None])
    lines = np.median(spread[:, 1] / np.maximum(spread[:, 0], 1e-300)) < _LINES
    beside = 0 < _NEXT * (apart > 0).sum() <= (apart == 1).sum()
    return pixel if beside and not lines and pixel > 0 else None
