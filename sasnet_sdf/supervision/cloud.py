"""From a cloud as it came to signed distances at any point."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.spatial import cKDTree

from ..errors import UnusableGeometry
from ..geometry import Array, PointCloud
from .implicit import signed_distances
from .neighbours import build_tree, neighbour_lists, walk_to_nearest
from .normals import fit_planes, propagate, turn_to_sensors
from .winding import WindingNumber

CANDIDATES, CANDIDATES_NOISY = 16, 64
FAR = 4.0  # spacings beyond which a sphere fitted at the nearest point no longer decides the sign
CLEAN_FIT, NOISY = 8, 0.2  # neighbours of a clean fit; the noise, in spacings, from which more are taken


@dataclass(frozen=True)
class CloudTarget:
    """The signed distance that an oriented cloud implies, in the unit cube, negative inside.

    points, normals (N, 3); lists (N, k) neighbours, nearest first; spacing (N,) mean distance of
    the nearest ones; wanted (N,) neighbours that a fit takes. The winding number decides the sign
    FAR spacings away and farther.
    """

    points: Array
    normals: Array
    lists: np.ndarray
    spacing: Array
    wanted: np.ndarray
    tree: cKDTree
    winding: WindingNumber

    @property
    def bounds(self) -> tuple[Array, Array]:
        return self.points.min(0), self.points.max(0)

    def surface_points(self, count: int, rng: np.random.Generator) -> tuple[Array, np.ndarray]:
        """Points of the cloud (count, 3), drawn evenly, and their indices."""
        index = rng.permutation(np.arange(count) % len(self.points))
        return self.points[index], index

    def local_scale(self, index: np.ndarray) -> Array:
        """The spacing (M,) around points of the cloud."""
        return self.spacing[index]

    def distance(self, queries: Array, start: np.ndarray | None = None) -> tuple[Array, Array]:
        """Signed distances (M,) and gradients (M, 3) at queries (M, 3).

        start (M,): for each query a point of the cloud within a few spacings of it, if one is known.
        """
        if start is None:
            nearest = self.tree.query(queries, workers=-1)[1]
        else:
            nearest = np.empty(len(queries), np.int64)
            walk_to_nearest(self.points, self.lists, queries, start, nearest)
        distances, gradients = np.empty(len(queries)), np.empty((len(queries), 3))
        signed_distances(
            self.points,
            self.normals,
            self.lists,
            self.spacing,
            queries,
            nearest,
            self.wanted,
            distances,
            gradients,
        )
        straight = np.linalg.norm(queries - self.points[nearest], axis=1)
        far = np.flatnonzero(straight > FAR * self.spacing[nearest])
        if len(far):
            distances[far] = np.abs(distances[far]) * np.where(self.winding.inside(queries[far]), -1, 1)
        return distances, gradients


def prepare_cloud(cloud: PointCloud) -> tuple[CloudTarget, dict[str, Any]]:
    """The target of a cloud in the unit cube, and what was found in it, for the report."""
    cloud, merged = _merge_duplicates(cloud)
    tree = build_tree(cloud.points)
    lists, distances = neighbour_lists(tree, CANDIDATES)
    keep = _dense_enough(lists, distances)
    outliers = int((~keep).sum())
    if outliers:
        cloud = cloud.select(keep)
        tree = build_tree(cloud.points)
        lists, distances = neighbour_lists(tree, CANDIDATES)
    if len(cloud) < 10:
        raise UnusableGeometry("fewer than 10 distinct points are left: too few for a surface")
    spacing = np.maximum(distances[:, :6].mean(1), 1e-9)
    planes, residual = fit_planes(cloud.points, lists)
    noise = float(np.median(residual / spacing))
    wanted = CLEAN_FIT
    if noise > NOISY:
        wanted = int(np.clip(round(60 * noise), 12, CANDIDATES_NOISY - 4))
        lists, _ = neighbour_lists(tree, CANDIDATES_NOISY)
        planes, residual = fit_planes(cloud.points, lists)
    normals, source = _orient(cloud, planes, lists)
    points, normals = np.ascontiguousarray(cloud.points), np.ascontiguousarray(normals)
    target = CloudTarget(
        points,
        normals,
        lists,
        spacing,
        np.full(len(cloud), wanted, np.int64),
        tree,
        WindingNumber.of_cloud(points, normals, spacing, FAR),
    )
    facts = {
        "used_points": len(cloud),
        "duplicates_merged": merged,
        "outliers_removed": outliers,
        "normals_from": source,
        "noise_in_spacings": noise,
        "neighbours": wanted,
    }
    return target, facts


def _merge_duplicates(cloud: PointCloud) -> tuple[PointCloud, int]:
    _, first = np.unique(cloud.points, axis=0, return_index=True)
    if len(first) == len(cloud):
        return cloud, 0
    return cloud.select(np.sort(first)), len(cloud) - len(first)


def _dense_enough(lists: np.ndarray, distances: Array) -> np.ndarray:
    """False for a point whose neighbours are far more distant than its neighbours' neighbours are."""
    mean = distances.mean(1)
    return mean < 2.5 * np.median(mean[lists], axis=1) + 1e-300


def _orient(cloud: PointCloud, planes: Array, lists: np.ndarray) -> tuple[Array, str]:
    if cloud.normals is not None:
        return cloud.normals, "file"
    if cloud.sensors is not None:
        return turn_to_sensors(cloud.points, planes, cloud.sensors), "sensors"
    return propagate(cloud.points, planes, lists[:, :12]), "propagation"
