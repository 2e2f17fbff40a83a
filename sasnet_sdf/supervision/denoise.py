"""Noise taken off a cloud: its points moved, along its normals, onto the surface that they sample.

Quadrics are fitted around the points. How wide their windows may be is chosen region by region, by
leave-one-out cross-validation at their centers; within that a window widens while the residual of its
fit is no more than the noise, so that it stops at edges. Every point then
goes to the weighted mean of all windows that hold it: beside an edge those on its own side of it decide
(aggregation of overlapping windows, Katkovnik et al. 2010, "From local kernel to nonlocal multiple-model
image denoising").
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..geometry import Array
from ..progress import steps
from ..threads import over_ranges
from .quadrics import BALL, TERMS, fit_quadrics, gather, tangent_planes
from .regions import Regions
from .tree import Tree

NARROWEST = 1.9  # radius of a window in spacings: about 16 points; each wider one holds twice as many
WIDTHS = 5  # of windows, at low noise; more where the noise is wider than the narrow ones
DOUBT = 3.0  # standard deviations by which the residual of a fit may exceed the noise
TOLERANCE = 4.0  # standard deviations of the noise that a point may lie off a quadric
_PLANE = 2.7  # spacings: the radius of tangent planes
_SLENDER = 0.25  # the noise, in radii of a tangent plane, up to which the plane has a direction
_COARSEST = 3.0  # the most by which planes and windows are scaled up for that
_PER_MISS = 1.25  # the standard deviation of a normal distribution, in mean absolute deviations
_SURROUNDINGS, _REGION = 150, 400  # centers over which the noise is measured, and a width is chosen
_WHOLE = 3.0  # weight of the whole cloud's residuals beside those of a region
_SURE = 1.0  # standard errors by which narrower windows must be better
_EDGE = 3.0  # standard deviations of the noise at which residuals are clipped: larger ones are of edges
_AVERAGED = 7.0  # spacings: of narrower windows the next narrower is taken, since the field averages too
_TALL = 3.0  # half the height of cylindrical windows, in standard deviations of the noise
_SPARSE = 4.0  # points per center while widths are chosen, at scale 1


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
    cloud = tree.points.ravel(), tree.boxes.ravel(), facing.ravel()
    scale, done, step = 1.0, 0.0, steps()
    while True:
        done += 0.6 * (0.7 - done)  # nobody knows how often the windows will be widened
        step(done)
        stride = min(round(_SPARSE * scale**2), max(len(spacing) // _REGION, 1))
        coarse = _Windows.around(np.arange(0, len(spacing), stride))
        apart, count = spacing[coarse.centers], len(coarse.centers)
        planes = coarse.centers, scale * _PLANE * apart, 2, coarse.feet, coarse.normals
        over_ranges(tangent_planes, count, *cloud, *planes)
        misses = _fit(cloud, coarse, scale * np.outer(apart, _widths(1.0)), None, BALL, np.inf)
        regions = Regions.of(tree.points[coarse.centers], facing[coarse.centers])
        least = regions.means(misses, _SURROUNDINGS).min(1)
        typical = np.median(least)
        slender = _PER_MISS * typical / (scale * _PLANE * np.median(spacing))
        if slender <= _SLENDER or scale >= _COARSEST:
            break
        scale = min(scale * max(slender / _SLENDER, 1.25), _COARSEST)
    if np.isinf(typical):  # hardly any window holds a surface
        return Denoised(tree.points, np.full_like(tree.points, np.nan), np.inf, np.zeros(len(spacing), bool))
    least[np.isinf(least)] = typical
    noise = np.maximum((_PER_MISS * least) ** 2, 1e-18)
    sigma = float(np.sqrt(np.median(noise)))
    step(0.8)
    widths = _widths(scale)
    misses = _fit(cloud, coarse, np.outer(apart, widths), None, _TALL * np.sqrt(noise), noise)
    limits = _limits(misses, sigma, regions)
    limits = np.maximum(limits - (widths[limits] < _AVERAGED), 1)
    step(0.9)
    reached = np.minimum(widths[limits], np.sqrt(coarse.quadrics[:, TERMS + 1]) / apart)
    owners = np.repeat(np.arange(count), np.diff(coarse.centers, append=len(spacing)))
    chosen = _evenly(1 / np.maximum((reached / _PLANE) ** 2, 1)[owners])
    windows, owners = _Windows.around(chosen), owners[chosen]
    apart = spacing[chosen]
    planes = chosen, scale * _PLANE * apart, 1, windows.feet, windows.normals
    over_ranges(tangent_planes, len(chosen), *cloud, *planes)
    windows.feet[:] = tree.points[chosen]  # balls around the points themselves keep more detail
    _fit(cloud, windows, np.outer(apart, widths), limits[owners], BALL, noise[owners])
    step(1.0)
    moved, turned = np.empty_like(tree.points), np.empty_like(tree.points)
    places = Tree.of(windows.feet)
    around = chosen, places.points.ravel(), places.boxes.ravel(), widths[limits.max()] * spacing
    seen = windows.normals, TOLERANCE * np.sqrt(noise[owners]), windows.quadrics, moved, turned
    over_ranges(gather, len(spacing), cloud[0], cloud[2], *around, *seen)
    return Denoised(moved, turned, sigma, np.isfinite(turned[:, 0]))


def _widths(scale: float) -> Array:
    """Radii of windows (W,), in spacings."""
    return NARROWEST * np.sqrt(2) ** np.arange(WIDTHS + int(2 * np.log2(scale)))


def _fit(
    cloud: tuple[Array, ...],
    windows: _Windows,
    radii: Array,
    limits: np.ndarray | None,
    tall: Array | float,
    noise: Array | float,
) -> Array:
    """Fit the quadrics of windows, of radii (C, W); their leave-one-out residuals (C, W) at the centers."""
    count, widths = radii.shape
    limits = np.full(count, widths - 1) if limits is None else limits
    misses = np.empty((count, widths))
    planes = windows.centers, windows.feet, windows.normals
    allowed = limits, *(np.array(np.broadcast_to(each, count), np.float64) for each in (tall, noise)), DOUBT
    over_ranges(fit_quadrics, count, *cloud, *planes, radii, *allowed, windows.quadrics, misses)
    return misses


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
