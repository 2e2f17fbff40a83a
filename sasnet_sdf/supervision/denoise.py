"""Removes the noise of a cloud: moves points along their normals onto the surface that they sample.

Quadrics are fitted in windows around the points. The largest width of windows is chosen for each region, by
leave-one-out cross-validation at their centers. Within that limit, a window is widened while the residual of
its fit does not exceed the noise, so that it stops at edges. Points are weighted by the inverse of their
variance, which depends on the angle they were seen at. Each point then moves to the weighted mean of all
windows that contain it, so that next to an edge the windows on its own side decide (aggregation of
overlapping windows, Katkovnik et al. 2010, "From local kernel to nonlocal multiple-model image denoising").
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..geometry import Array, Indices
from ..runtime.progress import steps
from ..spatial import Tree
from .noise import AngularNoise, Regions
from .planes import Scan, Windows, tangent_planes
from .quadrics import BALL, TERMS, fit_quadrics, project

NARROWEST = 1.9  # least radius of a window in spacings: about 16 points, which double with each width
WIDTHS = 5  # number of window widths at low noise; more if the noise is wider than narrow windows
TOLERANCE = 4.0  # standard deviations of the noise that a point may lie off a quadric
_PLANE = 2.7  # radius of tangent planes, in spacings
_SLENDER = 0.28  # noise, in radii of a tangent plane, up to which the plane's direction is reliable
_COARSEST = 3.0  # limit of the factor by which planes and windows are enlarged to reach that
_PER_MISS = 1.25  # standard deviation of a normal distribution over its mean absolute deviation
_SURROUNDINGS, _REGION = 150, 400  # number of centers for measuring the noise, and for choosing a width
_WHOLE = 3.0  # weight of the residuals of the whole cloud relative to those of a region
_SURE = 1.0  # standard errors by which narrower windows must be better to be chosen
_EDGE = 3.0  # standard deviations of the noise at which residuals are clipped: larger ones come from edges
_AVERAGED = 7.0  # spacings: below this width the next narrower one is used, since the field averages too
_TALL = 3.0  # half the height of cylindrical windows, in standard deviations of the noise
# while widths are chosen: points per center at scale 1 (more if there would be more than _MOST_CENTERS)
_SPARSE, _MOST_CENTERS = 4.0, 50_000


@dataclass(frozen=True)
class Denoised:
    """A cloud without its noise.

    points: (N, 3). normals: (N, 3) outward, of unit length. noise: standard deviation of the displacements
    along the normals. supported: (N,) whether the point lies on a surface.
    """

    points: Array
    normals: Array
    noise: float
    supported: NDArray[np.bool_]


def denoise(tree: Tree, spacing: Array, facing: Array) -> Denoised:
    """Move the points of a tree onto the surface that they sample.

    spacing: (N,) distance to the nearest neighbors. facing: (N, 3) unit vectors to the side each point was
    seen from: normals, or directions to sensors.
    """
    step = steps()
    survey = _survey(tree, spacing, facing, step)
    if survey is None:
        return Denoised(tree.points, np.full_like(tree.points, np.nan), np.inf, np.zeros(len(spacing), bool))
    step(0.8)
    limits, reached = _choose_widths(spacing, survey)
    step(0.9)
    owners = np.repeat(np.arange(len(limits)), np.diff(survey.windows.centers, append=len(spacing)))
    density = 1 / np.maximum((reached / _PLANE) ** 2, 1)[owners]
    centers = np.flatnonzero(np.diff(np.floor(np.cumsum(density)), prepend=-1.0) > 0)
    windows, owners = _windows_around(centers), owners[centers]
    tangent_planes(survey.scan, windows, survey.scale * _PLANE * spacing[centers], rounds=1)
    windows.feet[:] = tree.points[centers]  # balls around the points themselves preserve more detail
    widths, variance = _widths(survey.scale), survey.variance[owners]
    radii = np.outer(spacing[centers], widths)
    fit_quadrics(survey.scan, windows, radii, limits[owners], BALL, variance, survey.angular)
    step(1.0)
    reach, off = widths[limits.max()] * spacing, TOLERANCE * np.sqrt(variance)
    moved, turned = project(survey.scan, windows, reach, off, survey.angular)
    return Denoised(moved, turned, survey.sigma, np.isfinite(turned[:, 0]))


def _windows_around(centers: Indices) -> Windows:
    return Windows(centers, *(np.empty((len(centers), n)) for n in (3, 3, TERMS + 2)))


@dataclass(frozen=True)
class _Survey:
    """A sample of windows, used to measure the noise and to choose widths.

    scale: factor of the radii of planes and windows. variance: (C,) of the noise around the centers. sigma:
    the typical standard deviation of the noise. angular: how the noise depends on the angle.
    """

    scan: Scan
    windows: Windows
    regions: Regions
    scale: float
    variance: Array
    sigma: float
    angular: AngularNoise


def _survey(tree: Tree, spacing: Array, facing: Array, step: Callable[[float], None]) -> _Survey | None:
    """Windows wide enough for their planes to have a reliable direction in spite of the noise.

    None if hardly any window contains a surface.
    """
    scan = Scan(tree.points.ravel(), tree.boxes.ravel(), facing.ravel())
    scale, done = 1.0, 0.0
    while True:
        done += 0.6 * (0.7 - done)  # the number of widenings is not known in advance
        step(done)
        sparse = max(_SPARSE, len(spacing) / _MOST_CENTERS) * scale**2
        stride = min(round(sparse), max(len(spacing) // _REGION, 1))
        windows = _windows_around(np.arange(0, len(spacing), stride))
        tangent_planes(scan, windows, scale * _PLANE * spacing[windows.centers], rounds=2)
        radii = scale * np.outer(spacing[windows.centers], _widths(1.0))
        misses = fit_quadrics(scan, windows, radii, None, BALL, np.inf, AngularNoise())
        regions = Regions.of(tree.points[windows.centers], facing[windows.centers])
        least = regions.means(misses, _SURROUNDINGS).min(1)
        typical = np.median(least)
        slender = _PER_MISS * typical / (scale * _PLANE * np.median(spacing))
        if slender <= _SLENDER or scale >= _COARSEST:
            break
        scale = min(scale * max(slender / _SLENDER, 1.25), _COARSEST)
    if np.isinf(typical):
        return None
    held = np.isfinite(misses)
    means = np.where(held, misses, 0.0).sum(0) / np.maximum(held.sum(0), 1)
    width = np.where(held.mean(0) > 0.5, means, np.inf).argmin()
    cosines = (windows.normals * facing[windows.centers]).sum(1)
    angular = AngularNoise.of(cosines, misses[:, width])
    least /= angular.deviations(cosines).mean()
    least[np.isinf(least)] = np.median(least)
    variance = np.maximum((_PER_MISS * least) ** 2, 1e-18)
    return _Survey(scan, windows, regions, scale, variance, float(np.sqrt(np.median(variance))), angular)


def _choose_widths(spacing: Array, survey: _Survey) -> tuple[Indices, Array]:
    """The index (C,) of the largest width of windows, and the width that they reach, in spacings."""
    windows, widths = survey.windows, _widths(survey.scale)
    apart = spacing[windows.centers]
    allowed = _TALL * np.sqrt(survey.variance), survey.variance, survey.angular
    misses = fit_quadrics(survey.scan, windows, np.outer(apart, widths), None, *allowed)
    limits = _limits(misses, survey.sigma, survey.regions)
    limits = np.maximum(limits - (widths[limits] < _AVERAGED), 1)
    return limits, np.minimum(widths[limits], np.sqrt(windows.quadrics[:, TERMS + 1]) / apart)


def _widths(scale: float) -> Array:
    """Radii of windows (W,), in spacings."""
    return NARROWEST * np.sqrt(2) ** np.arange(WIDTHS + int(2 * np.log2(scale)))


def _limits(misses: Array, sigma: float, regions: Regions) -> Indices:
    """The index (C,) of the width with the smallest leave-one-out residuals, `misses` (C, W), in each region.

    The residuals of nearly equivalent widths differ by less than the standard error of a region's mean. So
    the mean of the whole cloud is added, and a narrower width must be better by a standard error. The
    narrowest width is never chosen: it is for windows that stop at edges.
    """
    clipped = np.minimum(misses, _EDGE * sigma)
    clipped[:, 0] = np.where(np.isinf(misses[:, 0]), clipped[:, 1], clipped[:, 0])
    for w in range(1, misses.shape[1]):  # for a window that stopped, the last residual is kept
        clipped[:, w] = np.where(np.isinf(misses[:, w]), clipped[:, w - 1], clipped[:, w])
    sure = np.isfinite(misses[:, :2]).any(1)
    if not sure.any():
        return np.ones(len(misses), np.int64)
    clipped[~sure] = np.inf
    whole = clipped[sure].mean(0)
    error = (clipped[sure] - clipped[sure, -1:]).std(0) / np.sqrt(sure.sum())
    near = regions.means(clipped, _REGION)
    near = np.where(np.isinf(near), whole, near) + _WHOLE * (whole + _SURE * error)
    return 1 + near[:, 1:].argmin(1)
