"""A scene that a depth camera rounds: stairs go, jumps and flat faces stay, other clouds are not touched."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from sasnet_sdf.geometry import Frame, PointCloud
from sasnet_sdf.spatial import Tree
from sasnet_sdf.supervision import prepare
from sasnet_sdf.supervision.depth_steps import without_steps

Array = NDArray[np.floating]
WIDTH, HEIGHT, FOCAL = 240, 180, 200.0
DISPARITY, LENGTH = 0.00289, 0.01  # steps of 1 / depth, as a Kinect's, and of depth
WALL, FLOOR, FACE, SPHERE = range(4)
TURN = np.linalg.qr(np.array([[2.0, 1, 0.5], [-1, 2, 0.3], [0.2, -0.7, 2]]))[0]
PLACE = np.array([1.0, 2, 3])


def _rays() -> Array:
    v, u = np.mgrid[:HEIGHT, :WIDTH]
    across = (u.ravel() - (WIDTH - 1) / 2) / FOCAL, (v.ravel() - (HEIGHT - 1) / 2) / FOCAL
    return np.column_stack([*across, np.ones(WIDTH * HEIGHT)])


def _scene(rays: Array) -> tuple[Array, NDArray[np.int64]]:
    """Depths (N,) of a leaning wall, a floor, a square that faces the camera and a sphere; which is seen."""
    wall = 2.6 / (rays @ [0.05, 0.02, 1])
    with np.errstate(divide="ignore"):
        floor = np.where(rays[:, 1] > 0, 0.75 / rays[:, 1], np.inf)
    at = 1.801 * rays
    face = np.where((np.abs(at[:, 0] + 0.55) < 0.25) & (np.abs(at[:, 1] + 0.2) < 0.25), 1.801, np.inf)
    center, radius = np.array([0.35, -0.1, 1.8]), 0.35
    along, squares = rays @ center, (rays**2).sum(1)
    root = along**2 - squares * (center @ center - radius**2)
    sphere = np.where(root > 0, (along - np.sqrt(np.maximum(root, 0))) / squares, np.inf)
    depths = np.stack([wall, floor, face, sphere])
    return depths.min(0), depths.argmin(0)


def _rounded(depths: Array, kind: str, noise: float) -> Array:
    """noise: in steps."""
    off = noise * np.random.default_rng(0).normal(size=len(depths))
    if kind == "disparity":
        return 1 / (np.round(1 / depths / DISPARITY + off) * DISPARITY)
    return np.round(depths / LENGTH + off) * LENGTH


def _without_steps(points: Array, sensor: Array | None = None) -> Array | None:
    """World points in their order, None where there are no steps."""
    frame = Frame.around(points)
    unit = frame.to_unit(points)
    order = np.lexsort(unit.T)
    sensors = None if sensor is None else np.broadcast_to(frame.to_unit(sensor), unit.shape)
    found = without_steps(PointCloud(unit[order], None, None, sensors), _nearest(unit[order]))
    if found is None:
        return None
    moved = np.empty_like(points)
    moved[order] = frame.to_world(found.cloud.points)
    return moved


def _nearest(points: Array) -> NDArray[np.int32]:
    return Tree.of(np.ascontiguousarray(points)).neighbors(16)[0]


def _errors(points: Array, seen: NDArray[np.int64]) -> Array:
    """Distances (N,) along the rays from the surfaces, in steps; NaN where a ray meets another surface."""
    depths, there = _scene(points / points[:, 2:])
    return np.where(there == seen, np.abs(points[:, 2] - depths) / (DISPARITY * depths**2), np.nan)


@pytest.mark.parametrize("noise", [0.0, 0.3])
@pytest.mark.parametrize("pose", ["camera", "turned"])
def test_steps_of_a_depth_camera_go(noise, pose):
    rays = _rays()
    depths, seen = _scene(rays)
    points = _rounded(depths, "disparity", noise)[:, None] * rays
    turn, place = (np.eye(3), np.zeros(3)) if pose == "camera" else (TURN, PLACE)
    single = (points @ turn.T + place).astype(np.float32).astype(np.float64)
    moved = _without_steps(single, place)
    assert moved is not None
    moved = (moved - place) @ turn
    before, after = _errors(points, seen), _errors(moved, seen)
    assert np.nanmean(before) > 0.23
    assert np.nanmean(after) < (0.12 if noise == 0 else 0.06)
    for surface, share in (WALL, 0.5), (SPHERE, 0.5), (FLOOR, 0.7):
        part = seen == surface
        assert np.nanmean(after[part]) < share * np.nanmean(before[part])
    # along the rays, so that outlines stay; and nowhere from one surface to another
    assert np.allclose(moved / moved[:, 2:], rays, atol=1e-6)
    assert np.abs(moved[:, 2] - points[:, 2]).max() < 4 * DISPARITY * depths.max() ** 2


def test_without_a_sensor_depths_are_smoothed_along_the_axis():
    rays = _rays()
    depths, seen = _scene(rays)
    points = _rounded(depths, "disparity", 0.3)[:, None] * rays
    moved = _without_steps(points)
    assert moved is not None
    before, after = _errors(points, seen), _errors(moved, seen)
    for surface in (WALL, FACE, SPHERE):  # the floor is seen edge on along the axis
        part = seen == surface
        assert np.nanmean(after[part]) < 0.5 * np.nanmean(before[part])


def test_distances_from_the_sensor_may_be_rounded():
    rays = _rays()
    depths, seen = _scene(rays)
    lengths = np.linalg.norm(rays, axis=1)
    far = _rounded(depths * lengths, "length", 0.0)
    points = (far / lengths)[:, None] * rays
    moved = _without_steps(points, np.zeros(3))
    assert moved is not None
    assert np.nanmean(_errors(moved, seen)) < 0.5 * np.nanmean(_errors(points, seen))


def test_a_face_parallel_to_the_image_stays_flat():
    rays = _rays()
    depths, seen = _scene(rays)
    points = _rounded(depths, "disparity", 0.0)[:, None] * rays
    moved = _without_steps(points, np.zeros(3))
    assert moved is not None
    face = seen == FACE
    assert np.abs(moved[face, 2] - points[face, 2]).max() < 1e-3 * DISPARITY * 1.8**2


def test_whole_heights_of_a_map_are_smoothed():
    x, y = (axis.ravel() for axis in np.mgrid[:200.0, :200.0])
    heights = 12 * np.exp(-((x - 90) ** 2 + (y - 110) ** 2) / 4000) + x / 50
    moved = _without_steps(np.column_stack([x, y, np.round(heights)]))
    assert moved is not None
    assert np.allclose(moved[:, :2], np.column_stack([x, y]))
    assert np.abs(moved[:, 2] - heights).mean() < 0.4 * np.abs(np.round(heights) - heights).mean()


def test_the_user_is_informed():
    rays = _rays()
    points = _rounded(_scene(rays)[0], "length", 0.3)[:, None] * rays
    cloud = PointCloud(points, None, None, np.zeros_like(points))
    _, facts = prepare(cloud, Frame.around(points))
    assert facts["findings"][0].text.startswith("depths were rounded to steps of 0.01, which were smoothed")
    assert facts["depth_steps"] == pytest.approx([LENGTH, LENGTH], rel=1e-3)
    exact = _scene(rays)[0][:, None] * rays
    _, facts = prepare(PointCloud(exact, None, None, np.zeros_like(exact)), Frame.around(exact))
    assert facts["depth_steps"] is None and not facts["findings"]


def _grid(count: int) -> tuple[Array, Array]:
    first, second = np.meshgrid(np.linspace(-1, 1, count), np.linspace(-1, 1, count))
    return first.ravel(), second.ravel()


def _box_on_a_grid() -> Array:
    a, b = _grid(61)
    sides = [np.column_stack([a, b, np.full_like(a, side)]) for side in (-1.0, 1.0)]
    return np.concatenate([np.roll(side, turn, 1) for turn in range(3) for side in sides])


def _cylinder_of_rings() -> Array:
    angle = np.linspace(0, 2 * np.pi, 200, endpoint=False)
    side = [np.column_stack([np.cos(angle), np.sin(angle), 0 * angle + z]) for z in np.linspace(-1, 1, 40)]
    caps = [
        r * side[end] + (1 - r) * side[end] * [0, 0, 1] for end in (0, -1) for r in np.linspace(0.1, 0.9, 20)
    ]
    return np.concatenate(side + caps)


def _roofs() -> Array:
    rng = np.random.default_rng(0)
    x, y = rng.uniform(0, 10, (2, 40_000))
    return np.column_stack([x, y, rng.uniform(0, 3, (10, 10))[x.astype(int), y.astype(int)]])


def _storeys() -> Array:
    rng = np.random.default_rng(0)
    x, y = rng.uniform(0, 10, (2, 40_000))
    return np.column_stack([x, y, 0.3 * rng.integers(0, 12, (10, 10))[x.astype(int), y.astype(int)]])


def _stairs() -> Array:
    x, y = np.random.default_rng(0).uniform(0, [[6.0], [1.5]], (2, 100_000))
    return np.column_stack([x, y, 0.17 * np.floor(x / 0.3)])


def _floors() -> Array:
    a, b = _grid(80)
    return np.concatenate([np.column_stack([a, b, 0 * a + 0.3 * level]) for level in range(9)])


def _wall() -> Array:
    a, b = _grid(100)
    return np.column_stack([a, b, 0 * a + 0.5])


def _terrain(heights: str) -> Array:
    rng = np.random.default_rng(0)
    x, y = _grid(150) if heights == "exact" else rng.uniform(-1, 1, (2, 1_000_000))
    z = 0.3 * np.sin(3 * x) * np.cos(2 * y)
    if heights == "exact":
        return np.column_stack([x, y, z])
    line = np.round(z / 0.02) * 0.02
    return np.column_stack([x, y, line])[np.abs(z - line) < 0.0003]


@pytest.mark.parametrize(
    "points",
    [_box_on_a_grid, _cylinder_of_rings, _roofs, _storeys, _stairs, _floors, _wall]
    + [
        pytest.param(lambda kind=kind: _terrain(kind), id=f"terrain-{kind}") for kind in ("exact", "contours")
    ],
)
def test_other_clouds_are_not_touched(points):
    assert _without_steps(points()) is None
    below = np.array([0.0, 0, -20])
    assert _without_steps(points(), below) is None
