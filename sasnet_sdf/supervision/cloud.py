"""Derives the signed distance that a point cloud implies: cleans, denoises and orients the cloud."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import Finding, UnusableGeometry, warning
from ..geometry import Array, Indices, PointCloud
from ..runtime.progress import each, steps, tick
from ..spatial import Tree, first_of_equals, morton_order
from .consensus import offsets
from .denoise import denoise
from .depth_steps import without_steps
from .hermite import HermiteFits, fewness
from .noise import belongs
from .orientation import WindingNumber, orient, surfels_of
from .planes import fit_planes, in_layers, normals_of_plates, thin_walls, turn_to_sensors
from .targets import CloudTarget

NOISY = 0.12
"""The noise, in spacings, from which on a cloud is denoised. Less may be curvature, which looks like noise of
up to 0.064 spacings in clean, detailed clouds."""

DOUBTFUL = 0.95
"""The confidence in an orientation below which the user is warned."""

CANDIDATES = 16  # neighbors of a point
WIDE = 1.05  # radius of a fit, relative to the distance of its farthest neighbor
FIT, NOISY_FIT = 8, 30  # neighbors of a fit; more in noisy clouds, where the fit averages them
# _SHARP: the core of a fit's weights without noise, where it is best to nearly interpolate the points; _SOFT:
# the noise, in spacings, at which the core is eleven times as large
_SHARP, _SOFT = 0.03, 0.06
_NEAREST = 8  # neighbors used to measure the noise: farther ones may lie on another sheet close by
_QUARTILE = 0.45  # lower quartile of the difference between two points, in standard deviations of the noise
_VOTERS = 64  # neighbors that vote on which side is outside
_ALIKE = 0.8  # least cosine between the planes of the nearest neighbors and of the voters
_FEWEST = 10  # least number of points
_AGREED = 0.9  # least share of points whose normals or sensors from the file agree with plates
_BORNE_OUT = 0.5  # least share of points that must lie on surfaces; for a handful of points it is not reached
_PLATES = Finding("the points lie in two layers, taken for the two sides of thin plates")


def prepare_cloud(cloud: PointCloud) -> tuple[CloudTarget, dict[str, Any]]:
    """The signed distance that a cloud implies, and facts about the cloud for the report.

    cloud: in the unit cube. Raises UnusableGeometry if too few points are left.
    """
    step = steps()
    told = "file" if cloud.normals is not None else "sensors" if cloud.sensors is not None else "estimate"
    cloud, near, depth_steps, facts = cleaned(cloud, step)
    step(0.17, "measuring the noise")
    noise, fit = noise_in_spacings(cloud, near), FIT
    planes = sigma = found = None
    if noise > NOISY and (plates := _as_plates(cloud, near)) is not None:
        cloud, noise = plates
        found = {"normals_from": told, "findings": [_PLATES]}
        found |= {"orientation_confidence": 1.0} if told == "estimate" else {}
    if cloud.normals is not None and (few := fewness(len(cloud))):  # normals separate curvature from noise
        noise += few * min(noise_in_spacings(cloud, near, bent=True) - noise, 0.0)
    if noise > NOISY:
        if cloud.normals is None and cloud.sensors is None:
            step(0.3, "estimating normals")
            normals, found = _estimated(cloud, near)
            cloud = replace(cloud, normals=normals)
        step(0.6, "denoising")
        tree, spacing = near.tree, near.spacing
        del near  # frees most of the memory in use; the next one needs as much again
        cloud, planes, sigma, lost = denoised(cloud, tree, spacing)
        facts["outliers_removed"] += lost
        step(0.65, "finding neighbors")
        fit = FIT if sigma is None else NOISY_FIT
        near = Neighbors.of(cloud, max(CANDIDATES, fit))
    if depth_steps and planes is None:  # the cloud's own normals follow the steps
        planes = fit_planes(cloud.points, near.lists)[0]
    width = WIDE * near.distances[:, min(fit, near.distances.shape[1]) - 1].astype(np.float64)
    near = near._replace(distances=near.distances[:0].copy())  # not needed any more
    step(0.95, "orienting normals")
    normals, by_cloud = oriented(cloud, near, planes)
    found = found or by_cloud
    findings = [*found.pop("findings", []), *thin_walls(cloud.points, normals, near.lists)]
    step(1.0, "separating inside from outside")
    surfels = surfels_of(near.tree.points, normals)
    del normals, planes
    # with estimated normals or noisy points, interpolating every point is not worthwhile
    exact = found["normals_from"] == "file" and sigma is None
    target = target_of(near, surfels, width, noise, noisy=sigma is not None, exact=exact)
    return target, {
        "used_points": len(cloud),
        **facts,
        **found,
        "noise": sigma,
        "noise_in_spacings": noise,
        "spacing": float(np.median(near.spacing)),
        "depth_steps": depth_steps,
        "findings": findings,
    }


class Neighbors(NamedTuple):
    """The tree of a cloud, the neighbors of each point, and the mean distance to the six nearest ones."""

    tree: Tree
    lists: NDArray[np.int32]  # (N, k)
    distances: NDArray[np.float32]  # (N, k)
    spacing: Array  # (N,)

    @classmethod
    def of(cls, cloud: PointCloud, count: int = CANDIDATES) -> Neighbors:
        """The neighbors of points in Morton order. Raises UnusableGeometry if there are too few points."""
        if len(cloud) < _FEWEST:
            raise UnusableGeometry(f"fewer than {_FEWEST} distinct points are left: too few for a surface")
        tree = Tree.of(np.ascontiguousarray(cloud.points, np.float64))
        lists, distances = tree.neighbors(count)
        return cls(tree, lists, distances, np.maximum(distances[:, :6].mean(1, dtype=np.float64), 1e-9))


def cleaned(
    cloud: PointCloud, step: Callable[[float, str], None]
) -> tuple[PointCloud, Neighbors, tuple[float, float] | None, dict[str, int]]:
    """The cloud in Morton order without duplicates, depth steps and outliers; and what was removed."""
    step(0.02, "merging equal points")
    given, kept = len(cloud), first_of_equals(cloud.points)
    cloud = cloud if len(kept) == given else cloud.select(kept)
    facts, depth_steps = {"duplicates_merged": given - len(cloud)}, None
    step(0.08, "finding neighbors")
    cloud = cloud.select(morton_order(cloud.points))
    near = Neighbors.of(cloud)
    step(0.1, "finding depth steps")
    if (smooth := without_steps(cloud, near.lists)) is not None:
        cloud, depth_steps = smooth.cloud.select(morton_order(smooth.cloud.points)), smooth.steps
        del near  # frees most of the memory in use; the next one needs as much again
        near = Neighbors.of(cloud)
    step(0.12, "finding outliers")
    keep = belongs(near.tree.points, near.lists, near.distances)
    facts["outliers_removed"] = int((~keep).sum())
    if facts["outliers_removed"]:
        cloud = cloud.select(keep)
        step(0.15, "finding neighbors")
        del near
        near = Neighbors.of(cloud)
    return cloud, near, depth_steps, facts


def target_of(
    near: Neighbors, surfels: Array, width: Array, noise: float, *, noisy: bool, exact: bool
) -> CloudTarget:
    """The target of points with normals, surfels (6 N,); noise: in spacings, before denoising."""
    tree, lists = near.tree, near.lists
    hermite = HermiteFits.of(tree, surfels, lists) if exact and fewness(len(lists)) else None
    balls = _balls(tree.points, lists[:, :FIT])
    tick(0.5)
    winding = WindingNumber.of_cloud(tree, surfels, near.spacing)
    core = _SHARP * (1 + 10 * (noise / _SOFT) ** 4)
    return CloudTarget(tree, surfels, lists, near.spacing, width, *balls, winding, core, noisy, hermite)


def noise_in_spacings(cloud: PointCloud, near: Neighbors, *, bent: bool = False) -> float:
    """How far points lie off the planes of their nearest neighbors; bent: without the share of curvature."""
    lists = near.lists[:, :_NEAREST]
    sides = fit_planes(cloud.points, lists)[0] if cloud.normals is None else cloud.normals
    return float(np.median(offsets(cloud.points, sides, lists, bent=bent) / near.spacing)) / _QUARTILE


def _as_plates(cloud: PointCloud, near: Neighbors) -> tuple[PointCloud, float] | None:
    """The cloud with the normals of thin plates, and its noise.

    None if the points do not form plates, or the cloud's own normals or sensors contradict them.
    """
    if not in_layers(cloud.points):
        return None
    normals = normals_of_plates(cloud.points)
    claimed = _claimed(cloud)
    if claimed is not None and ((claimed * normals).sum(1) > 0).mean() < _AGREED:
        return None
    cloud = replace(cloud, normals=normals)
    noise = noise_in_spacings(cloud, near)
    return (cloud, noise) if noise <= NOISY else None


def _claimed(cloud: PointCloud) -> Array | None:
    """Outward directions (N, 3), of any length, according to the cloud's normals or sensors."""
    if cloud.normals is not None or cloud.sensors is None:
        return cloud.normals
    return cloud.sensors - cloud.points


def denoised(
    cloud: PointCloud, tree: Tree, spacing: Array
) -> tuple[PointCloud, Array | None, float | None, int]:
    """The points moved onto their surface, in Morton order, its normals (N, 3), the noise, and points lost.

    The cloud has normals or sensors, which separate sheets that lie within the noise. If most points lie on
    no surface, the cloud is returned unchanged, with None for normals and noise.
    """
    facing = _claimed(cloud)
    assert facing is not None
    length = np.linalg.norm(facing, axis=1, keepdims=True)
    clean = denoise(tree, spacing, facing / np.maximum(length, 1e-300))
    if clean.supported.mean() <= _BORNE_OUT:
        return cloud, None, None, 0
    kept = np.flatnonzero(clean.supported)
    kept = kept[morton_order(clean.points[kept])]
    moved = replace(cloud, points=clean.points).select(kept)
    return moved, clean.normals[kept], clean.noise, len(cloud) - len(kept)


def _balls(points: Array, lists: Indices) -> tuple[Array, Array]:
    """The mean (N, 3) of each point and its neighbors (N, k), and the largest distance (N,) from it."""
    # one neighbor at a time: all at once would take k times the memory of the points
    centers = sum((points[column] for column in each(lists.T)), points) / (lists.shape[1] + 1)
    reach = np.linalg.norm(points - centers, axis=1)
    for column in each(lists.T):
        np.maximum(reach, np.linalg.norm(points[column] - centers, axis=1), out=reach)
    return centers, reach


def oriented(cloud: PointCloud, near: Neighbors, planes: Array | None) -> tuple[Array, dict[str, Any]]:
    """Outward normals (N, 3), and their origin for the report.

    planes: (N, 3) normals of either sign to use instead of the cloud's own or of fitted ones.
    """
    if cloud.normals is not None:
        if planes is None:
            return cloud.normals, {"normals_from": "file"}
        agree = (planes * cloud.normals).sum(1, keepdims=True) >= 0
        return np.where(agree, planes, -planes), {"normals_from": "file"}
    if cloud.sensors is not None:
        planes = fit_planes(cloud.points, near.lists)[0] if planes is None else planes
        return turn_to_sensors(cloud.points, planes, cloud.sensors, near.lists), {"normals_from": "sensors"}
    return _estimated(cloud, near)


def _estimated(cloud: PointCloud, near: Neighbors) -> tuple[Array, dict[str, Any]]:
    """Outward normals (N, 3) from the points alone, and their confidence for the report."""
    planes, _ = fit_planes(cloud.points, near.lists)
    step = steps()
    step(0.3)
    voters = near.tree.neighbors(_VOTERS)[0]
    step(0.5)
    sides = fit_planes(near.tree.points, voters)[0]
    step(1.0)
    normals, confidence = orient(near.tree, sides, voters, near.spacing)
    # planes of few neighbors follow details, unless they span two close sheets
    alike = (planes * normals).sum(1, keepdims=True)
    normals = np.where(np.abs(alike) < _ALIKE, normals, np.sign(alike) * planes)
    facts: dict[str, Any] = {"normals_from": "estimate", "orientation_confidence": round(confidence, 4)}
    if confidence < DOUBTFUL:
        text = (
            f"which side is outside is a guess for {1 - confidence:.0%} of the points: say where they were "
            "seen from with --viewpoint or --up, or give normals that point outward"
        )
        facts["findings"] = [warning(text)]
    return normals, facts
