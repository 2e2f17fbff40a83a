"""Runs as a whole: the same bytes however they ran, resumed runs, outputs, reports, and odd scans."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import sasnet_sdf
from sasnet_sdf.errors import UsageError
from sasnet_sdf.geometry import PointCloud
from sasnet_sdf.io import read_mesh
from sasnet_sdf.tiles import reconstruct as module
from sasnet_sdf.tiles.scratch import Scratch, of_run
from sasnet_sdf.tiles.settings import wanted_cell

QUICK = {"tiles": 1.2, "edge_length": 0.12, "steps": 20, "trim": "off"}
"""Settings under which two small runs can be compared."""


@pytest.fixture(scope="module")
def quick(tiled, ball, tmp_path_factory):
    """A quick run, and the file that it wrote."""
    output = tmp_path_factory.mktemp("quick") / "ball.ply"
    return tiled(ball(2000), output=output, **QUICK), output


@pytest.fixture
def again(sphere, tiled, tmp_path):
    """again(change, ...): the run of the sphere is resumed after a change to a copy of its folder."""

    def again(change=lambda scratch: None, **options):
        folder = tmp_path / "scratch"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(sphere.folder, folder)
        change(Scratch(next(folder.glob("run-*"))))
        given = {"tiles": 1.2, "edge_length": 0.075, "carry": ("height", "half"), "resume": True}
        return tiled(sphere.source, **{**given, "scratch": str(folder), **options})

    return again


def test_two_runs_have_the_same_bytes(quick, tiled, ball, tmp_path):
    tiled(ball(2000), output=tmp_path / "ball.ply", **QUICK)
    assert (tmp_path / "ball.ply").read_bytes() == quick[1].read_bytes()


def test_dask_gives_the_same_bytes(quick, small, ball, tmp_path):
    pytest.importorskip("distributed")
    messages = []
    result = sasnet_sdf.reconstruct(
        ball(2000),
        config=small(**QUICK, workers=2),
        output=tmp_path / "ball.ply",
        on_progress=lambda progress: messages.append(progress.message),
    )
    assert (tmp_path / "ball.ply").read_bytes() == quick[1].read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ball.ply"]
    assert any("8 of 8 tiles are done" in message for message in messages if message)
    ran, serial = result.report, quick[0].report
    assert ran["extraction"] == serial["extraction"] and ran["workers"] == 2
    assert set(ran) == set(serial)
    rows = ran["tiles"]
    assert [row["number"] for row in rows] == list(range(8))
    assert sum(row["points"] for row in rows) == 2000
    assert all(row["trained"] and row["seconds"]["field"] > 0 and row["vertices"] > 0 for row in rows)
    assert ran["notes"] == [] and ran["warnings"] == []


def test_what_is_there_is_not_done_again(sphere, again, tmp_path):
    first = again(output=tmp_path / "first.ply")
    place = first.plan.scratch.path("mesh", 6, "npz")
    stamp = sphere.plan.scratch.path("mesh", 6, "npz").stat().st_mtime_ns
    assert place.stat().st_mtime_ns == stamp
    np.testing.assert_array_equal(first.mesh.faces, sphere.mesh.faces)
    np.testing.assert_array_equal(np.float32(first.mesh.vertices), np.float32(sphere.mesh.vertices))

    def lost(scratch):
        for kind, number in (("mesh", 5), ("field", 2)):
            for suffix in ("json", "npz", "sasnet"):
                scratch.path(kind, number, suffix).unlink(missing_ok=True)

    second = again(lost, output=tmp_path / "second.ply")
    assert second.plan.scratch.path("field", 2, "sasnet").read_bytes() == (
        sphere.plan.scratch.path("field", 2, "sasnet").read_bytes()
    )
    assert (tmp_path / "first.ply").read_bytes() == (tmp_path / "second.ply").read_bytes()


def test_other_settings_start_anew(sphere, small, tmp_path):
    config, coarse = small(tiles=1.2), sphere.source

    def kept(config, tiling=sphere.plan.tiling, threads=1, coarse=coarse) -> bool:
        survey: Any = SimpleNamespace(points=5000, low=np.zeros(3), high=np.ones(3), coarse=coarse)
        run = of_run(Scratch(tmp_path), module._depends_on(config, survey, tiling, threads))
        there = (run.folder / "mesh").exists()
        (run.folder / "mesh").mkdir(exist_ok=True)
        assert [path.name for path in tmp_path.iterdir()] == [run.folder.name]
        return there

    assert not kept(config) and kept(config)
    assert kept(small(tiles=1.2, workers=3, split=True, resume=True))
    for other in ({"steps": 41}, {"trim": 0.1}):
        assert not kept(small(**other)) and kept(small(**other))
    # such as after other settings of memory
    cells = replace(sphere.plan.tiling, cells=sphere.plan.tiling.cells + 1)
    assert not kept(config, cells) and kept(config, cells)
    assert not kept(config, cells, 2) and kept(config, cells, 2)
    turned = replace(coarse, normals=-coarse.normals)
    assert not kept(config, coarse=turned) and kept(config, coarse=turned)


def test_a_failure_keeps_what_is_done(sphere, again, monkeypatch):
    def fails(plan, number):
        raise UsageError(f"tile {number}: broken")

    kept = {}

    def without_meshes(scratch):
        shutil.rmtree(scratch.folder / "mesh")
        kept["scratch"] = scratch

    with monkeypatch.context() as patch:
        patch.setattr(module, "mesh", fails)
        with pytest.raises(UsageError, match=r"tile \d: broken; .*scratch keeps the finished work: "):
            again(without_meshes, keep_scratch=False)
    assert kept["scratch"].path("field", 3, "sasnet").is_file()
    assert sphere.plan.scratch.path("mesh", 3, "npz").is_file()


def test_a_mesh_for_each_tile(sphere, again, tmp_path):
    run = again(output=tmp_path / "parts.ply", split=True)
    assert run.result.path == tmp_path / "parts" and not (tmp_path / "parts.ply").exists()
    index = json.loads((tmp_path / "parts" / "index.json").read_text())["tiles"]
    parts = [read_mesh(tmp_path / "parts" / entry["file"]) for entry in index]
    assert len(parts) == 8 and [len(part.faces) for part in parts] == [entry["faces"] for entry in index]
    assert sum(len(part.faces) for part in parts) == len(sphere.mesh.faces)
    # vertices on borders are in each of the parts that use them, at the same place
    places = np.concatenate([part.vertices for part in parts])
    assert len(np.unique(places, axis=0)) == len(sphere.mesh.vertices) < len(places)
    for part, entry in zip(parts, index, strict=True):
        middle = part.vertices[part.faces].mean(1)
        cell = 0.075
        assert (middle > np.array(entry["low"]) - cell).all() and (
            middle < np.array(entry["high"]) + cell
        ).all()
    with pytest.raises(UsageError, match=r"parts: has a mesh for each tile.*index\.json"):
        _ = run.mesh


@pytest.mark.parametrize(("suffix", "lost"), [("obj", 0), ("off", 1)])
def test_other_formats_are_written_too(sphere, again, tmp_path, suffix, lost):
    run = again(output=tmp_path / f"ball.{suffix}")
    found = read_mesh(tmp_path / f"ball.{suffix}")
    np.testing.assert_array_equal(found.faces, sphere.mesh.faces)
    np.testing.assert_allclose(found.vertices, sphere.mesh.vertices, atol=1e-6)
    assert ["without colors" in note for note in run.report["notes"]] == [True] * lost


def test_reports_tell_about_all_tiles(sphere):
    report, tiles = sphere.report, sphere.plan.tiling.tiles
    assert report["input"]["points"] == report["input"]["used_points"] == 5000
    assert report["input"]["had_colors"] and report["input"]["normals_from"] == "file"
    assert report["input"]["spacing"] == pytest.approx(np.sqrt(4 * np.pi / 5000), rel=0.2)
    assert [row["points"] for row in report["tiles"]] == [tile.points for tile in tiles]
    for row, tile in zip(report["tiles"], tiles, strict=True):
        low, high = sphere.plan.tiling.box(tile)
        assert row["low"] == low.tolist() and row["high"] == high.tolist() and row["overlap"] == tile.overlap
        assert row["used_points"] == row["points"] and row["trained"]
        # an eighth of the sphere
        found = sphere.plan.scratch.load("mesh", tile.number)
        assert row["vertices"] == len(found["vertices"]) and row["faces"] == len(found["faces"])
    assert report["extraction"]["vertices"] == len(sphere.mesh.vertices)
    assert json.loads(json.dumps(report["tiles"])) == report["tiles"]
    text = repr(sphere.result)
    assert "8 tiles" in text and "closed" in text and f"{len(sphere.mesh.faces):,} triangles" in text


def test_far_points_are_left_out(tiled, ball, edges):
    points = ball(2000)
    far = np.array([[60.0, 60, 60], [61.0, 60, 60], [-50.0, 0, 0]])
    cloud = PointCloud(np.vstack([points.points, far]), np.vstack([points.normals, np.eye(3)]))
    run = tiled(cloud, tiles=1.2, edge_length=0.15, steps=30)
    report = run.report
    assert report["input"]["far_points"] == 3 and report["input"]["used_points"] == 2000
    assert any("3 of 2,003 points lie far from all others" in note for note in report["notes"])
    assert len(report["tiles"]) == 8
    assert edges(run.mesh).closed and edges(run.mesh).pieces == 1
    assert np.abs(np.linalg.norm(run.mesh.vertices, axis=1) - 1).max() < 0.01


def test_equal_points_are_merged_and_are_no_outliers(tiled, ball):
    cloud = ball(2000)
    twice = cloud.select(np.concatenate([np.arange(2000), np.arange(0, 2000, 4)]))
    found = tiled(twice, tiles=1.2, edge_length=0.15, steps=30).report["input"]
    assert (found["duplicates_merged"], found["outliers_removed"], found["used_points"]) == (500, 0, 2000)


def test_up_tells_the_outside_of_a_terrain(tiled, edges):
    x, y = (a.ravel() for a in np.meshgrid(np.arange(0, 3, 0.06), np.arange(0, 2, 0.06)))
    points = np.stack([x, y, 0.15 * np.sin(2 * x) * np.cos(2 * y)], 1)
    points[:, :2] += np.random.default_rng(0).uniform(-0.01, 0.01, (len(points), 2))
    run = tiled(points, tiles=1.0, edge_length=0.08, up="+z")
    assert run.report["input"]["normals_from"] == "up" and len(run.report["tiles"]) >= 6
    found = edges(run.mesh)
    assert not found.branching and not found.double and found.pieces == 1 and len(found.boundary)
    inside = (run.mesh.vertices[:, :2] > 0.1).all(1) & (run.mesh.vertices[:, :2] < [2.8, 1.8]).all(1)
    assert inside.sum() > 500 and run.mesh.normals[inside, 2].min() > 0.8
    a, b, c = (run.mesh.vertices[run.mesh.faces[:, k]] for k in range(3))
    assert np.cross(b - a, c - a)[inside[run.mesh.faces].all(1), 2].min() > 0
    height = 0.15 * np.sin(2 * run.mesh.vertices[:, 0]) * np.cos(2 * run.mesh.vertices[:, 1])
    assert np.abs(run.mesh.vertices[:, 2] - height)[inside].max() < 0.02
    # nothing spans what has no data
    rim = run.mesh.vertices[np.unique(found.boundary)]
    assert (np.abs(rim[:, :2] - [1.5, 1.0]) > [1.3, 0.8]).any(1).all()


def test_the_lattice_follows_the_settings(small):
    assert wanted_cell(small(edge_length=0.3), 0.01, 50.0) == 0.3
    by_resolution = wanted_cell(small(resolution=100), 0.01, 50.0)
    assert 0.5 <= by_resolution <= 0.7
    # one spacing with the preset "balanced", fewer cells with "fast", more with "fine"
    cells = {
        name: wanted_cell(sasnet_sdf.make_config(name), 0.01, 50.0) for name in ("fast", "balanced", "fine")
    }
    assert cells == pytest.approx({"fast": 0.014, "balanced": 0.01, "fine": 0.007})
    # a small scan has as many cells as with one field
    assert wanted_cell(sasnet_sdf.make_config(), 0.5, 5.0) < 0.02
