"""Tiles make one surface: no gaps, no double vertices, as exact as that of one field."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial import KDTree

import sasnet_sdf
from sasnet_sdf.geometry import PointCloud
from sasnet_sdf.tiles.tile_surface import TileSurface

HOLE = 0.5
"""Radius of the hole in the sheet: wider than what is filled."""


def brick(spacing: float) -> PointCloud:
    """Points with normals on a turned box of 1.6 x 1.2 x 1."""
    rng, half = np.random.default_rng(0), np.array([0.8, 0.6, 0.5])
    points, normals = [], []
    for axis, side in np.ndindex(3, 2):
        across = half[np.arange(3) != axis]
        n = np.maximum(np.rint(2 * across / spacing), 1)
        steps = np.stack(np.meshgrid(*(np.arange(k) for k in n), indexing="ij"), -1).reshape(-1, 2)
        face = np.full((len(steps), 3), half[axis] * (2 * side - 1))
        face[:, np.arange(3) != axis] = (2 * (steps + rng.uniform(0.3, 0.7, steps.shape)) / n - 1) * across
        points.append(face)
        normals.append(np.tile(np.eye(3)[axis] * (2 * side - 1), (len(steps), 1)))
    points, normals = np.concatenate(points), np.concatenate(normals)
    return PointCloud(points @ TURN.T, normals @ TURN.T)


TURN = np.linalg.qr(np.array([[0.9, 0.2, -0.3], [-0.1, 0.95, 0.3], [0.35, -0.25, 0.9]]))[0]


def beside_brick(points: np.ndarray) -> np.ndarray:
    """The distances (N,) of points from the surface of that box."""
    q = np.abs(points @ TURN) - [0.8, 0.6, 0.5]
    return np.abs(np.linalg.norm(np.maximum(q, 0), axis=1) + np.minimum(q.max(1), 0))


@pytest.fixture(scope="module")
def box(tiled):
    """A box in 27 tiles; borders cross its edges."""
    return tiled(brick(0.045), tiles=0.7, edge_length=0.065, steps=60)


@pytest.fixture(scope="module")
def sheet(tiled):
    """A square of [-1, 1]^2 with a hole that a border between tiles crosses."""
    rng = np.random.default_rng(0)
    x, y = np.meshgrid(np.linspace(-1, 1, 61), np.linspace(-1, 1, 61))
    points = np.stack([x.ravel(), y.ravel(), np.zeros(x.size)], 1)
    points[:, :2] += 0.006 * rng.normal(size=(len(points), 2))
    points = points[np.linalg.norm(points[:, :2] - CENTER, axis=1) > HOLE]
    cloud = PointCloud(points, np.tile([0.0, 0.0, 1.0], (len(points), 1)))
    return tiled(cloud, tiles=0.9, edge_length=0.057)


CENTER = np.array([0.1, 0.05])


def radius(mesh) -> np.ndarray:
    return np.linalg.norm(mesh.vertices, axis=1)


@pytest.mark.parametrize("name", ["sphere", "box"])
def test_tiles_of_a_solid_make_one_closed_surface(name, request, edges):
    run = request.getfixturevalue(name)
    found, facts = edges(run.mesh), run.report["extraction"]
    assert len(run.report["tiles"]) == {"sphere": 8, "box": 27}[name]
    assert found.closed and found.pieces == 1
    assert facts["boundary_edges"] == facts["non_manifold_edges"] == 0
    assert run.report["trim"]["solid"] and facts["points_covered"] == 1.0
    # one in the middle of the box, and one at a corner of the grid, have no points
    empty = [row for row in run.report["tiles"] if not row["points"]]
    assert len(empty) == {"sphere": 0, "box": 2}[name] and not sum(row["used_points"] for row in empty)
    # one sphere: V - E + F = 2
    assert len(run.mesh.faces) == 2 * len(run.mesh.vertices) - 4


def test_a_sphere_is_as_exact_as_with_one_field(sphere, ball, small):
    edge = sphere.report["extraction"]["edge_length"]
    one = sasnet_sdf.reconstruct(ball(5000), config=small(tiles="off", edge_length=edge))
    errors = [np.abs(radius(mesh) - 1) for mesh in (sphere.mesh, one.mesh)]
    assert errors[0].mean() <= 1.1 * errors[1].mean() + 1e-9
    assert errors[0].max() <= 1.1 * errors[1].max() + 1e-9
    assert len(sphere.mesh.vertices) == pytest.approx(len(one.mesh.vertices), rel=0.05)


def test_a_box_keeps_its_edges_across_borders(box, small):
    one = sasnet_sdf.reconstruct(box.source, config=small(tiles="off", edge_length=0.065))
    errors = [beside_brick(mesh.vertices) for mesh in (box.mesh, one.mesh)]
    assert errors[0].mean() <= 1.1 * errors[1].mean() + 1e-6 and errors[0].max() < 5e-3
    # vertices on the edges of the box, where a blunt mesh has none
    on_edge = [
        np.sort(np.abs(np.abs(m.vertices @ TURN) - [0.8, 0.6, 0.5]), 1)[:, 1] for m in (box.mesh, one.mesh)
    ]
    count = [(away < 2e-3).sum() for away in on_edge]
    assert count[0] > 0.9 * count[1] > 100
    # as well at borders
    places = (box.mesh.vertices - box.plan.tiling.origin) / box.plan.tiling.side
    low = np.unique([tile.low for tile in box.plan.tiling.tiles if min(tile.low) > 0])
    near = (np.abs(places[:, :, None] - low).min(2).min(1) < 0.5) & (on_edge[0] < 2e-3)
    assert near.sum() > 10


def test_normals_agree_at_borders(sphere):
    mesh = sphere.mesh
    assert np.abs(np.linalg.norm(mesh.normals, axis=1) - 1).max() < 1e-5
    cosine = (mesh.normals * mesh.vertices).sum(1) / radius(mesh)
    assert cosine.min() > 0.9999
    a, b, c = (mesh.vertices[mesh.faces[:, k]] for k in range(3))
    assert (np.cross(b - a, c - a) * (a + b + c)).sum(1).min() > 0


def test_colors_and_scalars_come_from_the_nearest_points(sphere):
    mesh = sphere.mesh
    assert sphere.report["attributes"] == ["colors", "height", "half"]
    assert np.abs(mesh.colors - 127.5 * (1 + mesh.vertices)).max() < 4
    assert np.abs(mesh.scalars["height"] - mesh.vertices[:, 2]).max() < 0.02
    half = mesh.scalars["half"]
    assert half.dtype == np.int16 and set(half.tolist()) == {0, 1}
    sure = np.abs(mesh.vertices[:, 2]) > 0.05
    np.testing.assert_array_equal(half[sure] == 1, mesh.vertices[sure, 2] > 0)


def test_fewer_triangles_leave_shared_vertices_where_they_are(sphere, edges, tmp_path):
    count = len(sphere.mesh.faces) // 3
    found, _ = sphere.cut_again(tmp_path / "few", faces=count)
    assert edges(found).closed and edges(found).pieces == 1
    assert len(found.faces) == pytest.approx(count, rel=0.05)
    assert np.abs(radius(found) - 1).max() < 0.02
    shared = [sphere.plan.scratch.load("mesh", n) for n in range(8)]
    shared = np.concatenate([part["vertices"][: int(part["shared"])] for part in shared])
    # without those of pieces that no points support
    shared = shared[np.abs(np.linalg.norm(shared, axis=1) - 1) < 0.01]
    assert len(shared) > 100
    assert KDTree(found.vertices).query(shared)[0].max() == 0.0
    assert found.colors is not None and found.scalars["half"].dtype == np.int16


def test_a_tile_without_a_field_falls_back_to_the_coarse_one(sphere, edges, tmp_path):
    found, _ = sphere.cut_again(tmp_path / "lost", drop=[3])
    assert edges(found).closed and edges(found).pieces == 1
    assert np.abs(radius(found) - 1).max() < 1e-3
    # the same without the data, which decide near them
    meshes = [sphere.cut_again(tmp_path / f"{drop}", drop=drop, refine="off")[0] for drop in ([], [3])]
    assert edges(meshes[0]).closed and edges(meshes[1]).closed
    tiling = sphere.plan.tiling
    low, high = tiling.box(tiling.tiles[3], tiling.tiles[3].overlap + 2 * tiling.cell)
    away, _ = KDTree(meshes[0].vertices).query(meshes[1].vertices)
    near = ((meshes[1].vertices > low) & (meshes[1].vertices < high)).all(1)
    assert away[~near].max() == 0.0 and away[near].max() > 0.01


def test_walls_cut_off_no_data(tiled, ball, edges):
    # a cell is as wide as the empty voxel around the data
    run = tiled(ball(2000), tiles=1.2, edge_length=0.16)
    assert run.plan.tiling.cells == 1 and run.plan.solid
    assert edges(run.mesh).closed and np.abs(radius(run.mesh) - 1).max() < 0.005


@pytest.mark.parametrize("name", ["sphere", "sheet"])
def test_tiles_that_see_different_fields_still_fit(name, request, edges, tmp_path, monkeypatch):
    run = request.getfixturevalue(name)
    fields, beyond = TileSurface._fields, TileSurface._beyond

    def shifted(self):
        values, gradients = fields(self)
        shift = 0.2 * self.lattice.cell * (-1) ** self.tile.number

        def with_gradient(points):
            found, slopes = gradients(points)
            return found + shift, slopes

        return (lambda points: values(points) + shift), with_gradient

    monkeypatch.setattr(TileSurface, "_fields", shifted)
    monkeypatch.setattr(
        TileSurface, "_beyond", lambda self, mesh: beyond(self, mesh) + 0.1 * self.tile.number
    )
    mesh, _ = run.cut_again(tmp_path / "shifted")
    found = edges(mesh)
    assert not found.branching and not found.double and found.pieces == 1
    rim = mesh.vertices[np.unique(found.boundary)]
    if name == "sphere":
        assert not len(rim) and np.abs(radius(mesh) - 1).max() > 0.1 * run.plan.tiling.cell
    else:
        assert from_rim(rim).max() < 5 * run.report["input"]["spacing"] and len(rim) == len(found.boundary)
        assert sharpest(mesh, found.boundary) < 0.9


def test_a_noisy_scan_is_as_exact_as_with_one_field(tiled, ball, small, edges):
    cloud = ball(4000, noise=0.01)
    cloud = PointCloud(cloud.points, sensors=3 * cloud.points)
    run = tiled(cloud, tiles=1.2, edge_length=0.06)
    one = sasnet_sdf.reconstruct(cloud, config=small(tiles="off", edge_length=0.06))
    assert run.report["input"]["noise_in_spacings"] > 0.12
    assert run.report["input"]["normals_from"] == "sensors"
    assert edges(run.mesh).closed and edges(run.mesh).pieces == 1
    errors = [np.abs(radius(mesh) - 1).mean() for mesh in (run.mesh, one.mesh)]
    assert errors[0] <= 1.1 * errors[1]


def test_estimated_normals_face_outward_in_all_tiles(tiled, ball, edges):
    run = tiled(ball(4000).points, tiles=1.2, edge_length=0.08)
    assert run.report["input"]["normals_from"] == "estimate"
    assert edges(run.mesh).closed and edges(run.mesh).pieces == 1
    assert (run.mesh.normals * run.mesh.vertices).sum(1).min() > 0.9
    for number in range(8):
        found = run.plan.scratch.load("clean", number)
        assert (found["normals"] * found["points"]).sum(1).min() > 0.9


def from_rim(points: np.ndarray) -> np.ndarray:
    """The distances (N,) from the border of the sheet or of its hole, whichever is nearer."""
    hole = np.linalg.norm(points[:, :2] - CENTER, axis=1) - HOLE
    return np.minimum(np.abs(hole), np.abs(np.abs(points[:, :2]).max(1) - 1))


def sharpest(mesh, boundary: np.ndarray) -> float:
    """The largest cosine between the two boundary edges at a vertex: 1 where a slit ends."""
    ends = np.concatenate([boundary, boundary[:, ::-1]])
    ends = ends[np.argsort(ends[:, 0], kind="stable")].reshape(-1, 2, 2)
    assert (ends[:, 0, 0] == ends[:, 1, 0]).all()
    along = mesh.vertices[ends[:, :, 1]] - mesh.vertices[ends[:, :, 0]]
    along /= np.linalg.norm(along, axis=2, keepdims=True)
    return float((along[:, 0] * along[:, 1]).sum(1).max())


def test_an_open_surface_ends_only_where_its_data_end(sheet, edges):
    found, spacing = edges(sheet.mesh), sheet.report["input"]["spacing"]
    assert len(sheet.report["tiles"]) == 9
    assert not found.branching and not found.double and found.pieces == 1
    rim = np.unique(found.boundary)
    assert from_rim(sheet.mesh.vertices[rim]).max() < 4 * spacing
    # one loop around the sheet, and one around the hole: each vertex has two of its edges
    assert len(rim) == len(found.boundary) and sheet.report["extraction"]["boundary_loops"] == 2
    assert sharpest(sheet.mesh, found.boundary) < 0.8
    near = np.linalg.norm(sheet.mesh.vertices[rim, :2] - CENTER, axis=1) < 0.7
    assert near.any() and not near.all()
    flat = KDTree(sheet.source.points).query(sheet.mesh.vertices)[0] < spacing
    assert np.abs(sheet.mesh.vertices[flat & (from_rim(sheet.mesh.vertices) > 2 * spacing), 2]).max() < 1e-3


@pytest.mark.parametrize("faces", [None, 1000])
def test_no_vertex_is_farther_from_the_data_than_the_length(sheet, edges, tmp_path, faces):
    length = 0.22
    mesh, facts = sheet.cut_again(tmp_path / "cut", trim=length, faces=faces)
    away, _ = KDTree(sheet.source.points).query(mesh.vertices)
    # a vertex on the cut is computed in the tile's unit cube
    assert 0.9 * length < away.max() <= length + 1e-9
    found = edges(mesh)
    assert not found.branching and not found.double and found.pieces == 1
    # the hole stays open, and nothing else is
    assert from_rim(mesh.vertices[np.unique(found.boundary)]).min() > 0.05
    assert sum(part["area"] for part in facts.values()) < sum(part["area_before"] for part in facts.values())


def test_nothing_is_trimmed_if_told_so(sheet, edges, tmp_path):
    mesh, _ = sheet.cut_again(tmp_path / "whole", trim="off")
    found = edges(mesh)
    assert not found.branching and not found.double and found.pieces == 1
    # up to the border of the lattice, and no hole
    tiling = sheet.plan.tiling
    low, high = tiling.origin, tiling.origin + tiling.cell * tiling.shape
    ends = mesh.vertices[np.unique(found.boundary)]
    assert np.minimum(np.abs(ends - low), np.abs(ends - high)).min(1).max() < tiling.cell
    np.testing.assert_allclose(np.ptp(mesh.vertices, axis=0)[:2], (high - low)[:2], atol=tiling.cell)


def test_a_watertight_sheet_is_a_slab(sheet, edges, tmp_path):
    mesh, _ = sheet.cut_again(tmp_path / "closed", watertight=True)
    found = edges(mesh)
    assert not len(found.boundary) and not found.branching and found.pieces == 1
    a, b, c = (mesh.vertices[mesh.faces[:, k]] for k in range(3))
    volume = (a * np.cross(b, c)).sum() / 6
    # from the sheet down to the wall, over the whole sheet at least
    thick = -(sheet.plan.tiling.origin[2] + 0.5 * sheet.plan.tiling.cell)
    assert 0.8 * 4 * thick < volume < 1.05 * thick * np.ptp(mesh.vertices[:, 0]) ** 2


def test_a_room_seen_from_inside_has_no_shell(tiled, edges):
    """The solid around a capsule is not closed by a box around it."""
    rng = np.random.default_rng(2)
    outward = rng.normal(size=(12_000, 3))
    outward /= np.linalg.norm(outward, axis=1, keepdims=True)
    ends = outward + np.where(outward[:, :1] > 0, [4.0, 0, 0], 0)
    tube = np.column_stack([4 * rng.random(12_000), outward[:, 1:] / np.hypot(*outward[:, 1:].T)[:, None]])
    tube_outward = np.column_stack([np.zeros(12_000), tube[:, 1:]])
    cloud = sasnet_sdf.PointCloud(np.concatenate([ends, tube]), -np.concatenate([outward, tube_outward]))
    run = tiled(cloud, tiles=2.1, edge_length=0.08)
    found = edges(run.mesh)
    assert found.closed and found.pieces == 1
    assert run.report["trim"]["solid"] and not run.report["trim"]["capped"]
    along = run.mesh.vertices[:, 0].clip(0, 4)
    away = np.linalg.norm(run.mesh.vertices - np.column_stack([along, 0 * along, 0 * along]), axis=1)
    assert np.abs(away - 1).max() < 0.05
