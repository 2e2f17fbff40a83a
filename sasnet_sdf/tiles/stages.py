"""The tasks of a tile before its surface: measure its noise, clean its points, train its field.

Each task reads its input from the scratch folder and leaves its result there.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import UnusableGeometry
from ..geometry import Array, Frame, PointCloud
from ..networks.registry import choose
from ..problems.problem import fit, new_network
from ..problems.surface import SurfaceProblem
from ..runtime.progress import silent
from ..spatial import first_of_equals, morton_order
from ..supervision import CloudTarget
from ..supervision.parts import Surroundings, clean_part, measured, target_of_part
from ..training.samplers import draw_pool
from .partition import read_raw
from .plan import Plan, in_box
from .tiling import Tile

MEASURED = 60_000
"""Number of neighboring points of a tile at which its noise is measured."""

FEWEST = 100
"""Least number of points for which a tile gets a field of its own."""

NEAR = 4.0
"""Distance around a tile, in spacings of the thinned cloud, within which that cloud decides its outside."""


def measure(plan: Plan, number: int) -> dict[str, Any]:
    """The noise of a tile in spacings, and its spacing in world units; both None where it has few points."""
    return plan.scratch.once("noise", number, lambda: _measured(plan, number))


def _measured(plan: Plan, number: int) -> dict[str, Any]:
    cloud = plan.outside.applied(read_raw(plan.scratch, number))
    if len(cloud) < FEWEST:
        return {"noise": None, "spacing": None, "points": len(cloud)}
    frame = Frame.around(cloud.points)
    order = morton_order(frame.to_unit(cloud.points))
    first = max(len(order) - MEASURED, 0) // 2
    part = cloud.select(np.sort(order[first : first + MEASURED]))
    frame = Frame.around(part.points)
    try:
        noise, spacing = measured(_in_cube(part, frame))
    except UnusableGeometry:
        return {"noise": None, "spacing": None, "points": len(cloud)}
    return {"noise": noise, "spacing": spacing * frame.scale, "points": len(cloud)}


def clean(plan: Plan, number: int) -> dict[str, Any]:
    """Write the points of a tile, cleaned together with those around it: points, normals, rows."""

    def work() -> dict[str, Any]:
        arrays, facts = _cleaned(plan, plan.tiling.tiles[number])
        plan.scratch.save("clean", number, **arrays)
        return facts

    return plan.scratch.once("clean", number, work)


def _cleaned(plan: Plan, tile: Tile) -> tuple[dict[str, Any], dict[str, Any]]:
    own = plan.outside.applied(read_raw(plan.scratch, tile.number))
    parts, box = [own], plan.tiling.box(tile, tile.overlap)
    for other in plan.tiling.around(tile, tile.overlap):
        parts.append(plan.outside.applied(read_raw(plan.scratch, other.number, *box)))
    cloud = _joined(parts)
    nothing = {"points": np.empty((0, 3)), "normals": np.empty((0, 3), np.float32), "rows": np.empty(0, int)}
    merged = len(own) - len(first_of_equals(own.points))
    if not len(own):
        return nothing, {"points": 0, "merged": 0}
    frame = Frame.around(cloud.points)
    whole = None
    if plan.outside.kind == "estimate":
        whole = _coarse_near(plan, tile, frame)
    try:
        part = clean_part(_in_cube(cloud, frame), noisy=plan.noisy, whole=whole)
    except UnusableGeometry:
        return nothing, {"points": 0, "merged": merged}
    mine = np.flatnonzero(part.rows < len(own))
    arrays = {
        "points": frame.to_world(part.points[mine]),
        "normals": part.normals[mine].astype(np.float32),
        "rows": part.rows[mine],
    }
    noise = None if part.noise is None else part.noise * frame.scale
    return arrays, {
        "points": len(mine),
        "merged": merged,
        "noise": noise,
        "spacing": part.spacing * frame.scale,
    }


def _joined(parts: list[PointCloud]) -> PointCloud:
    def all_of(name: str) -> Array | None:
        found = [getattr(part, name) for part in parts]
        return None if found[0] is None else np.concatenate(found)

    points = np.concatenate([part.points for part in parts])
    return PointCloud(points, all_of("normals"), None, all_of("sensors"))


def _in_cube(cloud: PointCloud, frame: Frame) -> PointCloud:
    sensors = None if cloud.sensors is None else frame.to_unit(cloud.sensors)
    return PointCloud(frame.to_unit(cloud.points), cloud.normals, None, sensors)


def _coarse_near(plan: Plan, tile: Tile, frame: Frame) -> PointCloud:
    """The oriented points of the whole scan around a tile, in its frame; all where none are near."""
    coarse = plan.coarse_points()
    reach = tile.overlap + NEAR * float(np.median(coarse["spacing"]))
    rows = in_box(coarse["points"], *plan.tiling.box(tile, reach))
    rows = rows if len(rows) else np.arange(len(coarse["points"]))
    return PointCloud(frame.to_unit(coarse["points"][rows]), coarse["normals"][rows].astype(np.float64))


def gathered(plan: Plan, tile: Tile) -> tuple[Array, Array, list[tuple[int, NDArray[np.int64]]]]:
    """The cleaned points and normals (M, 3) in a tile and its overlap, and the rows of each tile's."""
    low, high = plan.tiling.box(tile, tile.overlap)
    points, normals, rows = [], [], []
    for other in sorted([tile, *plan.tiling.around(tile, tile.overlap)], key=lambda t: t.number):
        found = plan.scratch.load("clean", other.number)
        inside = in_box(found["points"], low, high)
        points.append(found["points"][inside])
        normals.append(found["normals"][inside].astype(np.float64))
        rows.append((other.number, found["rows"][inside]))
    return np.concatenate(points), np.concatenate(normals), rows


def target_of_tile(plan: Plan, tile: Tile, points: Array, normals: Array, frame: Frame) -> CloudTarget:
    """What the cleaned points (M, 3) of a tile and its overlap, in world units, imply in a frame."""
    coarse = plan.coarse_points()
    low, high = plan.tiling.box(tile, tile.overlap)
    around = Surroundings(coarse["points"], coarse["normals"], coarse["spacing"])
    rows = np.flatnonzero(around.outside(low, high))
    far = Surroundings(
        frame.to_unit(around.points[rows]),
        around.normals[rows].astype(np.float64),
        around.spacing[rows] / frame.scale,
    )
    unit = normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-300)
    return target_of_part(frame.to_unit(points), unit, noise=plan.noise, noisy=plan.noisy, far=far)


def train(plan: Plan, number: int) -> dict[str, Any]:
    """Train the field of a tile and write it; nothing is written where the tile has hardly any points."""
    return plan.scratch.once("field", number, lambda: _field(plan, plan.tiling.tiles[number]))


def _field(plan: Plan, tile: Tile) -> dict[str, Any]:
    points, normals, _ = gathered(plan, tile)
    if len(points) < FEWEST:
        return {"trained": False}
    frame = Frame.around(points)
    target = target_of_tile(plan, tile, points, normals, frame)
    place = plan.scratch.path("field", tile.number, "sasnet")
    return {"trained": True, **_trained(plan, target, frame, place)}


def _trained(plan: Plan, target: CloudTarget, frame: Frame, place: Any) -> dict[str, Any]:
    config, supervision = plan.config, plan.config.supervision
    if plan.noisy:
        supervision, config = (
            supervision.for_noisy_scan(),
            replace(config, training=config.training.for_noisy_scan()),
        )
    device, engine = choose(config.device, config.engine)
    model = new_network(config.model, SurfaceProblem.dim, SurfaceProblem.outputs, engine, config.seed)
    near = supervision.near_share, supervision.near_spread
    pool = draw_pool(target, supervision.targets, config.seed, *near)
    cloud = PointCloud(target.points, target.normals)
    problem = SurfaceProblem(cloud, frame, target, pool, {"noise": plan.noise if plan.noisy else None}, [])
    field, _ = fit(problem, model, config, device, silent)
    plan.scratch.write(place, field.save)
    return {key: value for key, value in field.metadata.items() if key != "seed"}
