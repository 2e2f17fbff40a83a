"""From a cloud as it came to the signed distance that it implies."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from ..errors import Finding, UnusableGeometry, warning
from ..geometry import Array, PointCloud
from ..runtime.progress import each, steps, tick
from ..spatial import Tree, first_of_equals, morton_order
from .cloud_target import CloudTarget
from .consensus import offsets
from .denoise import denoise
from .depth_steps import without_steps
from .hermite import HermiteFits, fewness
from .noise import belongs
from .orientation import orient
from .planes import fit_planes, in_layers, normals_of_plates, thin_walls, turn_to_sensors
from .winding import WindingNumber, surfels_of

CANDIDATES = 16
WIDE = 1.05  # distances to the last neighbour wanted that a fit's radius is
FIT, NOISY_FIT = 8, 30  # neighbours; of noisy clouds many, which the fit averages
# spacings of noise, below which it may be curvature: of clean, finely detailed clouds up to 0.064
NOISY = 0.12
# of a fit's weights: the core without noise, where nearly interpolating the points is best, and the noise,
# in spacings, that makes it eleven times as large
_SHARP, _SOFT = 0.03, 0.06
_NEAREST = 8  # neighbours that show the noise: of more, some are of another sheet close by
DOUBTFUL = 0.95  # confidence in an orientation below which the user is told
_QUARTILE = 0.45  # deviations of the noise that a quarter of the differences between two points stay below
_VOTERS = 64  # neighbours that know something about which side is outside
_ALIKE = 0.8  # cosine up to which the plane of the nearest may differ from that of the voters
_FEWEST = 10
_PLATES = Finding("the points lie in two layers, taken for the two sides of thin plates")
_AGREED = 0.9  # share of points on whose side what a file claims must agree with plates
_BORNE_OUT = 0.5  # share of points that surfaces must hold; of a handful of points they cannot


def prepare_cloud(cloud: PointCloud) -> tuple[CloudTarget, dict[str, Any]]:
    """The target of a cloud in the unit cube, and what was found in it, for the report."""
    step = steps()
    step(0.02, "merging equal points")
    given = len(cloud)
    kept = first_of_equals(cloud.points)
    cloud = cloud if len(kept) == given else cloud.select(kept)
    merged = given - len(cloud)
    step(0.08, "finding neighbors")
    cloud = cloud.select(morton_order(cloud.points))
    tree, lists, distances = _neighbourhoods(cloud, CANDIDATES)
    depth_steps = None
    step(0.1, "finding depth steps")
    if (smooth := without_steps(cloud, lists)) is not None:
        cloud, depth_steps = smooth.cloud.select(morton_order(smooth.cloud.points)), smooth.steps
        del tree, lists, distances
        tree, lists, distances = _neighbourhoods(cloud, CANDIDATES)
    step(0.12, "finding outliers")
    keep = belongs(tree.points, lists, distances)
    outliers = int((~keep).sum())
    if outliers:
        cloud = cloud.select(keep)
        step(0.15, "finding neighbors")
        del tree, lists, distances  # most of what is in memory, and as much comes again
        tree, lists, distances = _neighbourhoods(cloud, CANDIDATES)
    spacing = _spacing(distances)
    step(0.17, "measuring the noise")
    noise = _noise_in_spacings(cloud, lists[:, :_NEAREST], spacing)
    planes = sigma = guess = None
    fit = FIT
    told = "file" if cloud.normals is not None else "sensors" if cloud.sensors is not None else "estimate"
    plates = _as_plates(cloud, lists[:, :_NEAREST], spacing) if noise > NOISY else None
    if plates is not None:
        cloud, noise = plates
    noise = _less_curvature(noise, cloud, lists[:, :_NEAREST], spacing)
    if noise > NOISY:
        if cloud.normals is None and cloud.sensors is None:
            step(0.3, "estimating normals")
            normals, guess = _estimated(cloud, tree, lists, spacing)
            cloud = replace(cloud, normals=normals)
        step(0.6, "denoising")
        del lists, distances
        cloud, planes, sigma, lost = _denoised(cloud, tree, spacing)
        outliers += lost
        step(0.65, "finding neighbors")
        fit = FIT if sigma is None else NOISY_FIT
        tree, lists, distances = _neighbourhoods(cloud, max(CANDIDATES, fit))
        spacing = _spacing(distances)
    if depth_steps and planes is None:  # normals that came with the points are those of the steps
        planes = fit_planes(cloud.points, lists)[0]
    width = WIDE * distances[:, min(fit, distances.shape[1]) - 1].astype(np.float64)
    del distances
    step(0.95, "orienting normals")
    normals, oriented = _orient(cloud, tree, lists, spacing, planes)
    oriented = guess or oriented
    if plates is not None:
        oriented = {"normals_from": told, "findings": [_PLATES]}
        oriented |= {"orientation_confidence": 1.0} if told == "estimate" else {}
    findings = [*oriented.pop("findings", []), *thin_walls(tree.points, normals, lists)]
    step(1.0, "telling inside from outside")
    surfels = surfels_of(tree.points, normals)
    # of what was estimated, or is noisy, not every point is worth following
    exact = oriented["normals_from"] == "file" and sigma is None
    hermite = HermiteFits.of(tree, surfels, lists) if exact and fewness(len(cloud)) else None
    del normals, planes
    balls = _balls(tree.points, lists[:, :FIT])
    tick(0.5)
    winding = WindingNumber.of_cloud(tree, surfels, spacing)
    core = _SHARP * (1 + 10 * (noise / _SOFT) ** 4)
    noisy = sigma is not None
    target = CloudTarget(tree, surfels, lists, spacing, width, *balls, winding, core, noisy, hermite)
    facts = {
        "used_points": len(cloud),
        "duplicates_merged": merged,
        "outliers_removed": outliers,
        **oriented,
        "noise": sigma,
        "noise_in_spacings": noise,
        "spacing": float(np.median(spacing)),
        "depth_steps": depth_steps,
        "findings": findings,
    }
    return target, facts


def _noise_in_spacings(cloud: PointCloud, near: np.ndarray, spacing: Array, *, bent: bool = False) -> float:
    """How far points lie off the planes of their nearest neighbours (N, k); bent: by more than curvature."""
    sides = fit_planes(cloud.points, near)[0] if cloud.normals is None else cloud.normals
    return float(np.median(offsets(cloud.points, sides, near, bent=bent) / spacing)) / _QUARTILE


def _less_curvature(noise: float, cloud: PointCloud, near: np.ndarray, spacing: Array) -> float:
    """The noise, less what is curvature where points are few and have normals, which tell the two apart."""
    few = fewness(len(cloud))
    if few == 0 or cloud.normals is None:
        return noise
    return noise + few * min(_noise_in_spacings(cloud, near, spacing, bent=True) - noise, 0.0)


def _as_plates(cloud: PointCloud, near: np.ndarray, spacing: Array) -> tuple[PointCloud, float] | None:
    """The cloud with the normals of thin plates, and its noise; None where it is none of such, or its
    own normals or sensors say otherwise."""
    if not in_layers(cloud.points):
        return None
    normals = normals_of_plates(cloud.points)
    claimed = _claimed(cloud)
    if claimed is not None and ((claimed * normals).sum(1) > 0).mean() < _AGREED:
        return None
    cloud = replace(cloud, normals=normals)
    noise = _noise_in_spacings(cloud, near, spacing)
    return (cloud, noise) if noise <= NOISY else None


def _claimed(cloud: PointCloud) -> Array | None:
    """Where outside is (N, 3), of any length, as the cloud says it."""
    if cloud.normals is not None or cloud.sensors is None:
        return cloud.normals
    return cloud.sensors - cloud.points


def _denoised(
    cloud: PointCloud, tree: Tree, spacing: Array
) -> tuple[PointCloud, Array | None, float | None, int]:
    """The points on their surface, in Morton order, its normals (N, 3), the noise, and how many points went.

    The cloud has normals or sensors, which tell sheets apart that lie within the noise.

    The cloud as it is, and None, where most points are of no surface.
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


def _spacing(distances: np.ndarray) -> Array:
    return np.maximum(distances[:, :6].mean(1, dtype=np.float64), 1e-9)


def _balls(points: Array, lists: np.ndarray) -> tuple[Array, Array]:
    """The mean (N, 3) of each point and its neighbours (N, k), and the farthest of them from it (N,)."""
    # a neighbour at a time: all at once would take k times the memory of the points
    centres = sum((points[column] for column in each(lists.T)), points) / (lists.shape[1] + 1)
    reach = np.linalg.norm(points - centres, axis=1)
    for column in each(lists.T):
        np.maximum(reach, np.linalg.norm(points[column] - centres, axis=1), out=reach)
    return centres, reach


def _neighbourhoods(cloud: PointCloud, count: int) -> tuple[Tree, np.ndarray, np.ndarray]:
    if len(cloud) < _FEWEST:
        raise UnusableGeometry(f"fewer than {_FEWEST} distinct points are left: too few for a surface")
    tree = Tree.of(np.ascontiguousarray(cloud.points, np.float64))
    return tree, *tree.neighbours(count)


def _orient(
    cloud: PointCloud, tree: Tree, lists: np.ndarray, spacing: Array, planes: Array | None
) -> tuple[Array, dict[str, Any]]:
    """Outward normals (N, 3), and for the report where they are from; `planes` are those of a noisy cloud."""
    if cloud.normals is not None:
        if planes is None:
            return cloud.normals, {"normals_from": "file"}
        agree = (planes * cloud.normals).sum(1, keepdims=True) >= 0
        return np.where(agree, planes, -planes), {"normals_from": "file"}
    if cloud.sensors is not None:
        planes = fit_planes(cloud.points, lists)[0] if planes is None else planes
        return turn_to_sensors(cloud.points, planes, cloud.sensors, lists), {"normals_from": "sensors"}
    return _estimated(cloud, tree, lists, spacing)


def _estimated(
    cloud: PointCloud, tree: Tree, lists: np.ndarray, spacing: Array
) -> tuple[Array, dict[str, Any]]:
    """Outward normals (N, 3) by the points alone, and for the report how sure they are."""
    planes, _ = fit_planes(cloud.points, lists)
    step = steps()
    step(0.3)
    voters = tree.neighbours(_VOTERS)[0]
    step(0.5)
    sides = fit_planes(tree.points, voters)[0]
    step(1.0)
    normals, confidence = orient(tree, sides, voters, spacing)
    # planes of few tell details, where they do not lie across two close sheets
    alike = (planes * normals).sum(1, keepdims=True)
    normals = np.where(np.abs(alike) < _ALIKE, normals, np.sign(alike) * planes)
    facts: dict[str, Any] = {"normals_from": "estimate", "orientation_confidence": round(confidence, 4)}
    if confidence < DOUBTFUL:
        facts["findings"] = [
            warning(
                f"which side is outside is a guess for {1 - confidence:.0%} of the points: say where they "
                "were seen from with --viewpoint or --up, or give normals that point outward"
            )
        ]
    return normals, facts
