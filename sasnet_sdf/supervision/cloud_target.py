"""The signed distance that an oriented cloud implies, anywhere and as evidence near its points."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..geometry import Array, Indices
from ..runtime.progress import steps
from ..spatial import Tree
from .hermite import HermiteFits
from .implicit import signed_distances
from .orientation import WindingNumber

# differences of a winding number from its level up to which it decides nothing; more in denoised clouds,
# where it is used close to the points too
_CLEAR, _CLEAR_IN_NOISE = 0.1, 0.2
# spacings away times the same: 3.5 standard deviations where points lie at random on a plane, since the
# variance of the sum of their dipoles is the integral of (h / 4 pi (h h + x x)^1.5)^2 over it, 1 / 32 pi h h;
# one of them in denoised clouds, whose points are more even
_SAMPLED, _SAMPLED_IN_NOISE = 0.35, 0.1
_TRUST_IN_NOISE = 0.25  # a weighted mean of field and denoised points is better than either
_SPARSEST = 3.0  # median spacings that a point's area is limited to
_BESIDE = 2.5  # reaches within which a point gives evidence


@dataclass(frozen=True)
class Evidence:
    """Signed distances by the data at the K of M queried points that lie near data, in the unit cube.

    rows: (K,) indices of those points. distance: (K,) signed, negative inside. gradient: (K, 3) of
    unit length, outward. apart: (K,) distance from the nearest data point. reach: (K,) radius around
    that data point within which its neighbors lie; farther along the surface, `distance` is
    extrapolated.
    """

    rows: Indices
    distance: Array
    gradient: Array
    apart: Array
    reach: Array


@dataclass(frozen=True)
class CloudTarget:
    """The signed distance that an oriented cloud implies, in the unit cube, negative inside.

    tree: of the points (N, 3), in Morton order. surfels: (6 N,) points and outward unit normals, flat.
    lists: (N, k) neighbors, nearest first. spacing: (N,) mean distance of the nearest ones. width: (N,)
    radius of the fit around each point. centers, reach: (N, 3) and (N,) of the ball that holds a point and
    its nearest neighbors. winding: the winding number. core: number added to squared distances, in squared
    radii of the fit, in the denominator of the weights. noisy: whether the cloud was denoised. hermite: the
    smooth field through few exact points, whose weight is 0 at sharp edges and up to 1 elsewhere.

    Beyond that ball a fit extrapolates, and the winding number, which wrong normals mislead less, decides
    the sign; but only where it is clear: in a cavity whose walls were seen in part it stays close to its
    level, and would put a surface in the middle. Fits to many neighbors, as in noisy clouds, bulge at the
    ends of thin parts; there it decides inside the ball too.
    """

    tree: Tree
    surfels: Array
    lists: Indices
    spacing: Array
    width: Array
    centers: Array
    reach: Array
    winding: WindingNumber
    core: float
    noisy: bool
    hermite: HermiteFits | None = None

    @property
    def points(self) -> Array:
        """The points (N, 3), in Morton order."""
        return self.tree.points

    @property
    def normals(self) -> Array:
        """The outward unit normals (N, 3)."""
        return self.surfels.reshape(-1, 6)[:, 3:]

    @property
    def trust(self) -> float:
        """The weight of the data beside a field that was trained on them, from 0 to 1."""
        return _TRUST_IN_NOISE if self.noisy else 1.0

    @property
    def bounds(self) -> tuple[Array, Array]:
        """The low and the high corner (3,) of the points' bounding box."""
        return self.points.min(0), self.points.max(0)

    def surface_points(self, count: int, rng: np.random.Generator) -> tuple[Array, Array]:
        """Points of the cloud (count, 3), drawn evenly by area, and the spacing (count,) around them."""
        # one of each of `count` equal stretches of the Z-curve: even in space too
        area = np.cumsum(np.minimum(self.spacing, _SPARSEST * np.median(self.spacing)) ** 2)
        places = (np.arange(count) + rng.random(count)) * (area[-1] / count)
        index = np.searchsorted(area, places).clip(max=len(area) - 1)
        return self.points[index], self.spacing[index]

    def distance(self, queries: Array) -> tuple[Array, Array]:
        """Signed distances (M,) and unit gradients (M, 3) at queries (M, 3), fastest in Morton order."""
        step = steps()
        step(0.2)
        nearest = self.tree.nearest(queries)
        step(0.6)
        distances, gradients = self._fitted(queries, nearest)
        step(1.0)
        off = np.linalg.norm(queries - self.centers[nearest], axis=1)
        beyond = np.flatnonzero(self.noisy | (off > self.reach[nearest]))
        near = nearest[beyond]
        straight = np.linalg.norm(queries[beyond] - self.points[near], axis=1)
        depth = self.winding.number(queries[beyond]) - self.winding.level
        level, sampled = (_CLEAR_IN_NOISE, _SAMPLED_IN_NOISE) if self.noisy else (_CLEAR, _SAMPLED)
        clear = np.abs(depth) * straight > np.maximum(level * straight, sampled * self.spacing[near])
        overruled = clear & ((depth > 0) != (distances[beyond] < 0))
        distances[beyond[overruled]] = (-np.sign(depth) * straight)[overruled]
        return distances, gradients

    def evidence(self, places: Array, zone: float) -> Evidence:
        """Distances by the points, at those of places (M, 3) within `zone` or _BESIDE reaches of one."""
        places = np.ascontiguousarray(places, np.float64)
        nearest = self.tree.nearest(places)
        apart = np.linalg.norm(places - self.points[nearest], axis=1)
        rows = np.flatnonzero(apart <= np.maximum(zone, _BESIDE * self.reach[nearest]))
        nearest = nearest[rows]
        fitted = self._fitted(places[rows], nearest)
        return Evidence(rows, *fitted, apart[rows], self.reach[nearest])

    def _fitted(self, queries: Array, nearest: Indices) -> tuple[Array, Array]:
        """Signed distances and gradients by the fits around the nearest points (M,)."""
        if self.hermite is None:
            return self._spheres(queries, nearest)
        distances, gradients, shares = self.hermite.distance(
            self.surfels, self.lists, self.width, queries, nearest
        )
        rows = np.flatnonzero(shares < 1)
        others, slopes = self._spheres(queries[rows], nearest[rows])
        left = 1 - shares[rows]
        distances[rows] += left * (others - distances[rows])
        slopes = gradients[rows] + left[:, None] * (slopes - gradients[rows])
        gradients[rows] = slopes / np.maximum(np.linalg.norm(slopes, axis=1, keepdims=True), 1e-9)
        return distances, gradients

    def _spheres(self, queries: Array, nearest: Indices) -> tuple[Array, Array]:
        return signed_distances(self.surfels, self.lists, self.width, self.core, queries, nearest)
