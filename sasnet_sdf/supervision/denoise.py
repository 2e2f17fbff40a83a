"""The noise of a cloud: measured, and removed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..geometry import Array, Indices
from ..runtime.progress import each, steps
from ..spatial import Tree, morton_order
from .planes import Scan, Windows, fit_planes, tangent_planes
from .quadrics import BALL, TERMS, fit_quadrics, project

_GROUPS, _FEWEST = 8, 30  # groups of points by angle, and the least number of points in each
_SPREAD = 0.2  # least difference between the squared cosines of the outer groups
_OWN = 0.2  # share of the variance of residuals that is the error of the fits themselves
_LEAST = 0.005  # least flat, relative to rising: limits the weights of grazing points
_STEEPEST = 0.9  # largest -rising, relative to flat: keeps the variance positive
_RUN = 8  # points that are averaged first
_KNOWN = 0.3  # least share of the wanted points that must have a value
_LONELY = 2.5  # times the distance to the neighbors of neighbors
_SPARSE, _FLAT = 4.0, 0.15  # times the usual distance; a plane's residual in distances to neighbors


class AngularNoise(NamedTuple):
    """The variance of points along normals, `flat + rising * cosine**2`, relative to its mean.

    The cosine is that of the angle between a point's normal and its ray. Errors along a ray that grazes a
    surface hardly move the point off it, so that such points are the most accurate ones. Without sensors,
    or where the angle makes no difference, flat is 1 and rising is 0.
    """

    flat: float = 1.0
    rising: float = 0.0

    @classmethod
    def of(cls, cosines: Array, misses: Array) -> AngularNoise:
        """The noise of points seen at cosines (C,), by their residuals `misses` (C,) from local fits.

        Residuals are infinite where there is no fit. A line is fitted to the medians of groups of similar
        angle, which edges and outliers change little.
        """
        found = np.isfinite(misses)
        squares, misses = cosines[found] ** 2, misses[found]
        if len(misses) < _GROUPS * _FEWEST:
            return cls()
        groups = np.array_split(np.argsort(squares), _GROUPS)
        places = np.array([squares[group].mean() for group in groups])
        variances = np.array([np.median(misses[group]) for group in groups]) ** 2
        if places[-1] - places[0] < _SPREAD or not variances.all():
            return cls()
        terms = np.stack([np.ones(_GROUPS), places], axis=1) / variances[:, None]
        flat, rising = np.linalg.lstsq(terms, np.ones(_GROUPS))[0]
        flat -= _OWN * (flat + rising * squares.mean())
        flat, rising = max(flat, _LEAST * rising), max(rising, -_STEEPEST * flat)
        mean = flat + rising * squares.mean()
        return cls(flat / mean, rising / mean)

    def deviations(self, cosines: Array) -> Array:
        """Standard deviations (C,) of points seen at cosines (C,), relative to the overall one."""
        return np.sqrt(self.flat + self.rising * cosines**2)


@dataclass(frozen=True)
class Regions:
    """Local averages over a cloud: points are averaged in runs, and regions are made of runs.

    starts: (R,) the first point of each run, of `count` points in Morton order. tree: of the means of runs.
    order: (R,) the run of each of its points. facing: (R, 3) the side from which a run was seen, in the
    tree's order; runs seen from opposite sides are of different sheets.
    """

    starts: Indices
    count: int
    tree: Tree
    order: Indices
    facing: Array

    @classmethod
    def of(cls, points: Array, facing: Array) -> Regions:
        """The regions of points (N, 3) in Morton order, seen from the sides facing (N, 3)."""
        starts = np.arange(0, len(points), _RUN)
        middles = np.add.reduceat(points, starts) / np.diff(starts, append=len(points))[:, None]
        order = morton_order(middles)
        sides = np.add.reduceat(facing, starts)[order]
        return cls(starts, len(points), Tree.of(np.ascontiguousarray(middles[order])), order, sides)

    def means(self, values: Array, wanted: int) -> Array:
        """The means (N, W) of the finite values (N, W) of about `wanted` points around each point.

        Infinite where fewer than 30 % of those are finite.
        """
        finite = np.isfinite(values)
        sums = np.add.reduceat(np.where(finite, values, 0.0), self.starts)[self.order]
        counts = np.add.reduceat(finite.astype(np.float64), self.starts)[self.order]
        total, held = sums.copy(), counts.copy()
        near = self.tree.neighbours(max(wanted // _RUN, 1))[0]
        for column in near.T:
            alike = (self.facing * self.facing[column]).sum(1, keepdims=True) >= 0
            total += alike * sums[column]
            held += alike * counts[column]
        asked = min(wanted, self.count)
        means = np.where(held >= _KNOWN * asked, total / np.maximum(held, 1), np.inf)
        return np.repeat(means[np.argsort(self.order)], _RUN, axis=0)[: self.count]


def belongs(points: Array, lists: Indices, distances: Array) -> NDArray[np.bool_]:
    """Whether each point (N, 3) may lie on a surface, by its neighbors (N, k) and their distances (N, k).

    A point much farther from its neighbors than they are from theirs does not; nor does one of a cluster
    that is sparse and fills space: a part that was scanned sparsely is sparse too, but flat.
    """
    mean = distances.mean(1)
    less = sum((_LONELY * mean[column] >= mean for column in each(lists.T)), np.zeros(len(mean), np.int8))
    keep = 2 * less > lists.shape[1]  # that is, compared with the median of its neighbors
    sparse = np.flatnonzero(mean > _SPARSE * np.median(mean))
    _, residuals = fit_planes(points, lists, sparse)
    keep[sparse] &= residuals < _FLAT * mean[sparse]
    return keep


NARROWEST = 1.9  # radius of a window in spacings: about 16 points; each wider one holds twice as many
WIDTHS = 5  # of windows, at low noise; more where the noise is wider than the narrow ones
TOLERANCE = 4.0  # standard deviations of the noise that a point may lie off a quadric
_PLANE = 2.7  # radius of tangent planes, in spacings
_SLENDER = 0.28  # noise, in radii of a tangent plane, up to which the plane's direction is reliable
_COARSEST = 3.0  # limit of the factor by which planes and windows are enlarged for that
_PER_MISS = 1.25  # the standard deviation of a normal distribution, in mean absolute deviations
_SURROUNDINGS, _REGION = 150, 400  # centers over which the noise is measured, and a width is chosen
_WHOLE = 3.0  # weight of the residuals of the whole cloud beside those of a region
_SURE = 1.0  # standard errors by which narrower windows must be better
_EDGE = 3.0  # standard deviations of the noise at which residuals are clipped: larger ones are of edges
_AVERAGED = 7.0  # spacings: below it the next narrower window is taken, since the field averages too
_TALL = 3.0  # half the height of cylindrical windows, in standard deviations of the noise
# while widths are chosen: points per center at scale 1, more where there would be too many centers
_POINTS_A_CENTER, _MOST_CENTERS = 4.0, 50_000


@dataclass(frozen=True)
class Denoised:
    """A cloud without its noise.

    points: (N, 3). normals: (N, 3) outward, of unit length. noise: standard deviation of the displacements
    along the normals. supported: (N,) whether any surface holds the point.
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
    """A sample of windows, by which the noise is measured and widths are chosen.

    scale: factor of the radii of planes and windows. variance: (C,) of the noise around the centers.
    sigma: its typical standard deviation. angular: how it depends on the angle.
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

    None where hardly any window holds a surface.
    """
    scan = Scan(tree.points.ravel(), tree.boxes.ravel(), facing.ravel())
    scale, done = 1.0, 0.0
    while True:
        done += 0.6 * (0.7 - done)  # how often the windows will be widened is not known beforehand
        step(done)
        sparse = max(_POINTS_A_CENTER, len(spacing) / _MOST_CENTERS) * scale**2
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
    """The index (C,) of the greatest width of windows, and the width that they reach, in spacings."""
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

    Widths that are nearly as good differ by less than the standard error of a region's mean. So the mean of
    the whole cloud is added, and a narrower width must be better by a standard error. The narrowest one is
    never chosen: it is meant for windows that stop at edges.
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
    error = (clipped[sure] - clipped[sure, -1:]).std(0) / np.sqrt(sure.sum())
    near = regions.means(clipped, _REGION)
    near = np.where(np.isinf(near), whole, near) + _WHOLE * (whole + _SURE * error)
    return 1 + near[:, 1:].argmin(1)
