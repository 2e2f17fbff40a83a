"""Noise taken off a cloud: its points moved, along its normals, onto the surface that they sample.

Quadrics are fitted around the points. How wide their windows may be is chosen region by region, by how
far quadrics of each width miss their own centers (leave-one-out cross-validation); within that a window
widens while what is left over is no more than the noise, so that it stops at edges. Every point then
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

NARROWEST = 1.9  # spacings: a window of about 16 points; each next one holds twice as many
WIDTHS = 5  # where the noise is no wider than the windows; more of them where it is
DOUBT = 3.0  # standard deviations by which residuals may exceed the noise
TOLERANCE = 4.0  # standard deviations of the noise by which a point may lie off its surface
_PLANE = 2.7  # width of tangent planes
_SLENDER = 0.25  # noise, in radii of a tangent plane, up to which it has a direction
_COARSEST = 3.0  # times as wide as that all windows may get
_PER_MISS = 1.25  # standard deviations to a mean modulus, of a normal distribution
_SURROUNDINGS, _REGION = 150, 400  # centers that tell the noise, and that choose a width
_WHOLE = 3.0  # times as much as those of a region the misses of the whole cloud count
_SURE = 1.0  # standard deviations by which narrower windows must be better
_EDGE = 3.0  # deviations of the noise from which a miss tells of an edge, not of the width
_AVERAGED = 7.0  # spacings: narrower windows may be narrower still, since the field averages what they leave
_TALL = 3.0  # deviations of the noise that windows hold where it may not choose their points
_SPARSE = 4.0  # points for each center of those, where windows are narrowest


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
    if np.isinf(typical):  # hardly a window that holds a surface
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
    windows.feet[:] = tree.points[chosen]
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
    """Fit the quadrics of windows, of radii (C, W); how far each misses its center (C, W)."""
    count, widths = radii.shape
    limits = np.full(count, widths - 1) if limits is None else limits
    misses = np.empty((count, widths))
    planes = windows.centers, windows.feet, windows.normals
    allowed = limits, *(np.array(np.broadcast_to(each, count), np.float64) for each in (tall, noise)), DOUBT
    over_ranges(fit_quadrics, count, *cloud, *planes, radii, *allowed, windows.quadrics, misses)
    return misses


def _limits(misses: Array, sigma: float, regions: Regions) -> np.ndarray:
    """The index (C,) of the width whose windows miss least around each center, of misses (C, W).

    A region has too few points to tell widths apart that are nearly as good: the whole cloud's
    misses are added, and narrower windows must be better by more than chance. Never the narrowest,
    which is for edges only.
    """
    clipped = np.minimum(misses, _EDGE * sigma)
    clipped[:, 0] = np.where(np.isinf(misses[:, 0]), clipped[:, 1], clipped[:, 0])
    for w in range(1, misses.shape[1]):  # a window that stopped misses as it did before
        clipped[:, w] = np.where(np.isinf(misses[:, w]), clipped[:, w - 1], clipped[:, w])
    sure = np.isfinite(misses[:, :2]).any(1)
    clipped[~sure] = np.inf
    whole = clipped[sure].mean(0)
    chance = (clipped[sure] - clipped[sure, -1:]).std(0) / np.sqrt(sure.sum())
    near = regions.means(clipped, _REGION)
    near = np.where(np.isinf(near), whole, near) + _WHOLE * (whole + _SURE * chance)
    return 1 + near[:, 1:].argmin(1)


def _evenly(shares: Array) -> np.ndarray:
    """Indices of points, as many of every stretch as its shares (N,), up to 1 each, amount to."""
    return np.flatnonzero(np.diff(np.floor(np.cumsum(shares)), prepend=-1.0) > 0)
