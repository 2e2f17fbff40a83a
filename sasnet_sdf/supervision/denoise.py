"""Noise taken off a cloud: its points moved, along its normals, onto the surface that they sample.

Quadrics are fitted around the points. How wide their windows may be is chosen region by region, by
leave-one-out cross-validation at their centers; within that a window widens while the residual of its
fit is no more than the noise, so that it stops at edges. Points are weighted by the inverse of the
variance that they have at the angle from which they were seen. Every point then goes to the weighted
mean of all windows that hold it: beside an edge those on its own side of it decide (aggregation of
overlapping windows, Katkovnik et al. 2010, "From local kernel to nonlocal multiple-model image
denoising").
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..geometry import Array
from ..runtime.compiled import over_ranges
from ..runtime.progress import steps
from ..spatial import Tree
from .noise import AngularNoise, Regions
from .planes import tangent_planes
from .quadrics import BALL, TERMS, fit_quadrics, gather

NARROWEST = 1.9  # radius of a window in spacings: about 16 points; each wider one holds twice as many
WIDTHS = 5  # of windows, at low noise; more where the noise is wider than the narrow ones
DOUBT = 2.0  # standard deviations by which the residual of a fit may exceed the noise
TOLERANCE = 4.0  # standard deviations of the noise that a point may lie off a quadric
_PLANE = 2.7  # spacings: the radius of tangent planes
_SLENDER = 0.28  # the noise, in radii of a tangent plane, up to which the plane has a direction
_COARSEST = 3.0  # the most by which planes and windows are scaled up for that
_PER_MISS = 1.25  # the standard deviation of a normal distribution, in mean absolute deviations
_SURROUNDINGS, _REGION = 150, 400  # centers over which the noise is measured, and a width is chosen
_WHOLE = 3.0  # weight of the whole cloud's residuals beside those of a region
_SURE = 1.0  # standard errors by which narrower windows must be better
_EDGE = 3.0  # standard deviations of the noise at which residuals are clipped: larger ones are of edges
_AVERAGED = 7.0  # spacings: of narrower windows the next narrower is taken, since the field averages too
_TALL = 3.0  # half the height of cylindrical windows, in standard deviations of the noise
# while widths are chosen: points per center at scale 1, more where there would be too many centers
_SPARSE, _MOST_CENTERS = 4.0, 50_000


@dataclass(frozen=True)
class Denoised:
    """points (N, 3); outward unit normals (N, 3); noise, the standard deviation of the displacements
    along the normals; supported (N,): whether any surface holds the point."""

    points: Array
    normals: Array
    noise: float
    supported: np.ndarray


@dataclass(frozen=True)
class _Windows:
    """Around points `centers` (C,): feet (C, 3) and normals of tangent planes, quadrics (C, 8) over them."""

    centers: np.ndarray
    feet: Array
    normals: Array
    quadrics: Array

    @classmethod
    def around(cls, centers: np.ndarray) -> _Windows:
        return cls(centers, *(np.empty((len(centers), n)) for n in (3, 3, TERMS + 2)))


def denoise(tree: Tree, spacing: Array, facing: Array) -> Denoised:
    """The points of a tree on the surface that they sample.

    spacing (N,): distance of the nearest others. facing (N, 3): unit vectors to the side that each
    was seen from, normals or directions to sensors.
    """
    cloud = _Cloud(tree, spacing, facing)
    step = steps()
    coarse = _coarse_windows(cloud, step)
    if coarse is None:
        return Denoised(tree.points, np.full_like(tree.points, np.nan), np.inf, np.zeros(len(spacing), bool))
    step(0.8)
    limits, reached = _chosen_widths(cloud, coarse)
    step(0.9)
    owners = np.repeat(np.arange(len(limits)), np.diff(coarse.windows.centers, append=len(spacing)))
    centers = _evenly(1 / np.maximum((reached / _PLANE) ** 2, 1)[owners])
    windows, owners = _Windows.around(centers), owners[centers]
    cloud.tangent_planes(windows, coarse.scale, rounds=1)
    windows.feet[:] = tree.points[centers]  # balls around the points themselves keep more detail
    widths = _widths(coarse.scale)
    radii = np.outer(spacing[centers], widths)
    cloud.fit(windows, radii, limits[owners], BALL, coarse.variance[owners], coarse.angular)
    step(1.0)
    reach, off = widths[limits.max()] * spacing, TOLERANCE * np.sqrt(coarse.variance[owners])
    moved, turned = cloud.gather(windows, reach, off, coarse.angular)
    return Denoised(moved, turned, coarse.sigma, np.isfinite(turned[:, 0]))


@dataclass(frozen=True)
class _Cloud:
    """Points, their spacing (N,) and the sides (N, 3) that they were seen from."""

    tree: Tree
    spacing: Array
    facing: Array

    @property
    def flat(self) -> tuple[Array, Array, Array]:
        return self.tree.points.ravel(), self.tree.boxes.ravel(), self.facing.ravel()

    def tangent_planes(self, windows: _Windows, scale: float, rounds: int) -> None:
        planes = scale * _PLANE * self.spacing[windows.centers], rounds, windows.feet, windows.normals
        over_ranges(tangent_planes, len(windows.centers), *self.flat, windows.centers, *planes)

    def fit(
        self,
        windows: _Windows,
        radii: Array,
        limits: np.ndarray | None,
        tall: Array | float,
        variance: Array | float,
        angular: AngularNoise,
    ) -> Array:
        """Fit the quadrics of windows, of radii (C, W); leave-one-out residuals (C, W) at the centers."""
        count, widths = radii.shape
        limits = np.full(count, widths - 1) if limits is None else limits
        misses = np.empty((count, widths))
        planes = windows.centers, windows.feet, windows.normals
        each = (np.array(np.broadcast_to(values, count), np.float64) for values in (tall, variance))
        allowed = limits, *each, angular.terms, DOUBT
        over_ranges(fit_quadrics, count, *self.flat, *planes, radii, *allowed, windows.quadrics, misses)
        return misses

    def gather(
        self, windows: _Windows, reach: Array, off: Array, angular: AngularNoise
    ) -> tuple[Array, Array]:
        """Where windows see the points (N, 3), and their normals (N, 3)."""
        moved, turned = np.empty_like(self.tree.points), np.empty_like(self.tree.points)
        points, _, facing = self.flat
        places = Tree.of(windows.feet)
        around = windows.centers, places.points.ravel(), places.boxes.ravel(), reach
        seen = windows.normals, off, angular.terms, windows.quadrics, moved, turned
        over_ranges(gather, len(moved), points, facing, *around, *seen)
        return moved, turned


@dataclass(frozen=True)
class _Coarse:
    """Few windows, by which the noise is measured and widths are chosen.

    scale: of planes and windows. variance (C,): of the noise around the centers, and sigma, its
    typical deviation. angular: how it depends on the angle.
    """

    windows: _Windows
    regions: Regions
    scale: float
    variance: Array
    sigma: float
    angular: AngularNoise


def _coarse_windows(cloud: _Cloud, step: Callable[[float], None]) -> _Coarse | None:
    """Windows so wide that their planes have a direction in spite of the noise; None where hardly any
    window holds a surface."""
    spacing, scale, done = cloud.spacing, 1.0, 0.0
    while True:
        done += 0.6 * (0.7 - done)  # nobody knows how often the windows will be widened
        step(done)
        sparse = max(_SPARSE, len(spacing) / _MOST_CENTERS) * scale**2
        stride = min(round(sparse), max(len(spacing) // _REGION, 1))
        windows = _Windows.around(np.arange(0, len(spacing), stride))
        cloud.tangent_planes(windows, scale, rounds=2)
        radii = scale * np.outer(spacing[windows.centers], _widths(1.0))
        misses = cloud.fit(windows, radii, None, BALL, np.inf, AngularNoise())
        regions = Regions.of(cloud.tree.points[windows.centers], cloud.facing[windows.centers])
        typical = np.median(regions.means(misses, _SURROUNDINGS).min(1))
        slender = _PER_MISS * typical / (scale * _PLANE * np.median(spacing))
        if slender <= _SLENDER or scale >= _COARSEST:
            break
        scale = min(scale * max(slender / _SLENDER, 1.25), _COARSEST)
    if np.isinf(typical):
        return None
    held = np.isfinite(misses)
    width = np.where(held.mean(0) > 0.5, _means(misses, held), np.inf).argmin()
    cosines = (windows.normals * cloud.facing[windows.centers]).sum(1)
    angular = AngularNoise.of(cosines, misses[:, width])
    least = regions.means(misses, _SURROUNDINGS).min(1) / angular.deviations(cosines).mean()
    least[np.isinf(least)] = np.median(least)
    variance = np.maximum((_PER_MISS * least) ** 2, 1e-18)
    return _Coarse(windows, regions, scale, variance, float(np.sqrt(np.median(variance))), angular)


def _chosen_widths(cloud: _Cloud, coarse: _Coarse) -> tuple[np.ndarray, Array]:
    """The index (C,) of the width that windows may have, and the width that they reach, in spacings."""
    windows, widths = coarse.windows, _widths(coarse.scale)
    apart = cloud.spacing[windows.centers]
    tall = _TALL * np.sqrt(coarse.variance)
    misses = cloud.fit(windows, np.outer(apart, widths), None, tall, coarse.variance, coarse.angular)
    limits = _limits(misses, coarse.sigma, coarse.regions)
    limits = np.maximum(limits - (widths[limits] < _AVERAGED), 1)
    return limits, np.minimum(widths[limits], np.sqrt(windows.quadrics[:, TERMS + 1]) / apart)


def _widths(scale: float) -> Array:
    """Radii of windows (W,), in spacings."""
    return NARROWEST * np.sqrt(2) ** np.arange(WIDTHS + int(2 * np.log2(scale)))


def _means(values: Array, held: np.ndarray) -> Array:
    """Of the columns of values (C, W), over those that are `held` (C, W)."""
    return np.where(held, values, 0.0).sum(0) / np.maximum(held.sum(0), 1)


def _limits(misses: Array, sigma: float, regions: Regions) -> np.ndarray:
    """The index (C,) of the width with the smallest leave-one-out residuals, `misses` (C, W), in each region.

    Widths that are nearly as good differ by less than the error of a region's mean. So the whole
    cloud's mean is added, and a narrower width must be better by a standard error. The narrowest is
    never chosen: it is there for windows that stop at edges.
    """
    clipped = np.minimum(misses, _EDGE * sigma)
    clipped[:, 0] = np.where(np.isinf(misses[:, 0]), clipped[:, 1], clipped[:, 0])
    for w in range(1, misses.shape[1]):  # where a window stopped, the last residual stands
        clipped[:, w] = np.where(np.isinf(misses[:, w]), clipped[:, w - 1], clipped[:, w])
    sure = np.isfinite(misses[:, :2]).any(1)
    if not sure.any():
        return np.ones(len(misses), np.int64)
    clipped[~sure] = np.inf
    whole = clipped[sure].mean(0)
    chance = (clipped[sure] - clipped[sure, -1:]).std(0) / np.sqrt(sure.sum())
    near = regions.means(clipped, _REGION)
    near = np.where(np.isinf(near), whole, near) + _WHOLE * (whole + _SURE * chance)
    return 1 + near[:, 1:].argmin(1)


def _evenly(shares: Array) -> np.ndarray:
    """Indices of points whose density along the array follows shares (N,), from 0 to 1."""
    return np.flatnonzero(np.diff(np.floor(np.cumsum(shares)), prepend=-1.0) > 0)
