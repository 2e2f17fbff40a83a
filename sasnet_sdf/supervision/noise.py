"""The noise of a cloud: its dependence on the angle of the rays, local means, and outliers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..geometry import Array, Indices
from ..runtime.progress import each
from ..spatial import Tree, morton_order
from .planes import fit_planes

_GROUPS, _FEWEST = 8, 30  # number of groups of points by angle, and the least number of points in each
_SPREAD = 0.2  # least difference between the squared cosines of the outer groups
_OWN = 0.2  # share of the variance of residuals due to errors of the fits
_LEAST = 0.005  # least `flat`, relative to `rising`: limits the weights of points seen at grazing angles
_STEEPEST = 0.9  # largest -`rising`, relative to `flat`: keeps the variance positive
_RUN = 8  # number of points that are averaged first, in a run
_KNOWN = 0.3  # least share of the wanted points that must have a value
_LONELY = 2.5  # largest distance to the neighbors, over that between the neighbors and theirs
_SPARSE, _FLAT = 4.0, 0.15  # distance over the usual one; a plane's residual over the distance to neighbors


class AngularNoise(NamedTuple):
    """The variance of points along normals, `flat + rising * cosine**2`, relative to its mean.

    The cosine is that of the angle between a point's normal and its ray. Errors along a ray that grazes a
    surface hardly move the point off it, so that such points are the most accurate ones. Without sensors, or
    if the angle makes no difference, flat is 1 and rising is 0.
    """

    flat: float = 1.0
    rising: float = 0.0

    @classmethod
    def of(cls, cosines: Array, misses: Array) -> AngularNoise:
        """The noise of points seen at cosines (C,), from their residuals `misses` (C,) of local fits.

        Residuals are infinite where there is no fit. A line is fitted to the medians of groups of similar
        angles; edges and outliers hardly affect the medians.
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
    """Local averages over a cloud: points are averaged in runs, and regions consist of runs.

    starts: (R,) the first point of each run; the `count` points are in Morton order. tree: a tree of the
    means of the runs. order: (R,) the run of each point of the tree. facing: (R, 3) the side from which a run
    was seen, in the tree's order; runs seen from opposite sides belong to different sheets.
    """

    starts: Indices
    count: int
    tree: Tree
    order: Indices
    facing: Array

    @classmethod
    def of(cls, points: Array, facing: Array) -> Regions:
        """The regions of points (N, 3) in Morton order; facing: (N, 3) the sides they were seen from."""
        starts = np.arange(0, len(points), _RUN)
        middles = np.add.reduceat(points, starts) / np.diff(starts, append=len(points))[:, None]
        order = morton_order(middles)
        sides = np.add.reduceat(facing, starts)[order]
        return cls(starts, len(points), Tree.of(np.ascontiguousarray(middles[order])), order, sides)

    def means(self, values: Array, wanted: int) -> Array:
        """The means (N, W) of the finite values (N, W) of about `wanted` points around each point.

        The mean is infinite if fewer than 30 % of those values are finite.
        """
        finite = np.isfinite(values)
        sums = np.add.reduceat(np.where(finite, values, 0.0), self.starts)[self.order]
        counts = np.add.reduceat(finite.astype(np.float64), self.starts)[self.order]
        total, held = sums.copy(), counts.copy()
        near = self.tree.neighbors(max(wanted // _RUN, 1))[0]
        for column in near.T:
            alike = (self.facing * self.facing[column]).sum(1, keepdims=True) >= 0
            total += alike * sums[column]
            held += alike * counts[column]
        asked = min(wanted, self.count)
        means = np.where(held >= _KNOWN * asked, total / np.maximum(held, 1), np.inf)
        return np.repeat(means[np.argsort(self.order)], _RUN, axis=0)[: self.count]


def belongs(points: Array, lists: Indices, distances: Array) -> NDArray[np.bool_]:
    """Whether each point (N, 3) may lie on a surface, by its neighbors (N, k) and their distances (N, k).

    A point that is much farther from its neighbors than they are from theirs does not. Neither does a point
    in a sparse cluster that fills space; a sparsely scanned part of a surface is sparse but flat.
    """
    mean = distances.mean(1)
    less = sum((_LONELY * mean[column] >= mean for column in each(lists.T)), np.zeros(len(mean), np.int8))
    keep = 2 * less > lists.shape[1]  # that is, in comparison with the median of its neighbors
    sparse = np.flatnonzero(mean > _SPARSE * np.median(mean))
    _, residuals = fit_planes(points, lists, sparse)
    keep[sparse] &= residuals < _FLAT * mean[sparse]
    return keep
