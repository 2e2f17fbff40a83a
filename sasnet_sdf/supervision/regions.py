"""Means over the surroundings of points, several hundred of them, at little cost."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..geometry import Array
from .morton import morton_order
from .tree import Tree

_RUN = 8  # points
_FEWEST = 0.3  # share of the points asked for that must have a value


@dataclass(frozen=True)
class Regions:
    """Runs of neighboring points, which are averaged first: a region is a number of runs.

    starts (R,): the first point of each run, of `count` points in Morton order. tree: of the middles
    of runs. order (R,): the run of each place in it. facing (R, 3): the side from which a run was
    seen, in the tree's order; those seen from the other side are of another sheet.
    """

    starts: np.ndarray
    count: int
    tree: Tree
    order: np.ndarray
    facing: Array

    @classmethod
    def of(cls, points: Array, facing: Array) -> Regions:
        """Regions of points (N, 3) in Morton order, which were seen from the sides facing (N, 3)."""
        starts = np.arange(0, len(points), _RUN)
        middles = np.add.reduceat(points, starts) / np.diff(starts, append=len(points))[:, None]
        order = morton_order(middles)
        sides = np.add.reduceat(facing, starts)[order]
        return cls(starts, len(points), Tree.of(np.ascontiguousarray(middles[order])), order, sides)

    def means(self, values: Array, wanted: int) -> Array:
        """The means (N, W) of the finite ones of values (N, W), over about `wanted` points around each point.

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
        means = np.where(held >= _FEWEST * asked, total / np.maximum(held, 1), np.inf)
        spread = np.empty_like(means)
        spread[self.order] = means
        return np.repeat(spread, _RUN, axis=0)[: self.count]
