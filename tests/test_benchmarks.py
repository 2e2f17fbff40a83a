"""The benchmarks load, name the page of their data where it is missing, and scan as they say."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import trimesh

from sasnet_sdf import TriangleMesh

BENCHMARKS = sorted(path.stem for path in (Path(__file__).parents[1] / "benchmarks").glob("*.py"))
RADIUS, CENTER = 10.0, np.array([100.0, 0.0, 50.0])
DIAGONAL = 2 * RADIUS * np.sqrt(3)


@pytest.fixture(scope="module")
def ball() -> TriangleMesh:
    sphere = trimesh.creation.icosphere(subdivisions=5, radius=RADIUS)
    return TriangleMesh(np.asarray(sphere.vertices) + CENTER, np.asarray(sphere.faces, np.int64))


@pytest.mark.parametrize("name", BENCHMARKS)
def test_every_benchmark_loads(benchmarks, name):
    assert benchmarks(name).__doc__


def test_missing_data_is_one_line_that_names_the_page(benchmarks, monkeypatch, tmp_path, root):
    data_file = benchmarks("common").data_file
    monkeypatch.delenv("SASNET_SDF_DATA", raising=False)
    with pytest.raises(SystemExit, match=r"^SASNET_SDF_DATA is not set: docs/benchmarks-data\.md says"):
        data_file("meshes", "bunny.ply")
    monkeypatch.setenv("SASNET_SDF_DATA", str(tmp_path))
    with pytest.raises(SystemExit, match=r"bunny\.ply: not found; docs/benchmarks-data\.md says"):
        data_file("meshes", "bunny.ply")
    assert (root / benchmarks("common").PAGE).exists()


def test_kinks_at_the_borders_of_cells_are_found(benchmarks):
    kinks = benchmarks("blocking").kinks
    x = (np.arange(256) + 0.5) / 256 * 7 + 0.5  # cells of a grid of 8 vertices
    smooth, bent = np.sin(x / 2), np.abs(x % 1 - 0.5)
    assert kinks(np.tile(smooth[None, :, None], (4, 1, 3)), 8) == pytest.approx(1, abs=0.2)
    saw = np.interp(x, np.arange(10), np.arange(10) % 2.0)  # bends at whole numbers only
    assert kinks(np.tile((smooth + 0.1 * saw)[None, :, None], (4, 1, 3)), 8) > 20
    assert kinks(np.tile((smooth + 0.1 * bent)[None, :, None], (4, 1, 3)), 8) > 5


def test_a_scan_has_the_noise_cameras_and_outliers_that_were_asked_for(benchmarks, ball):
    pytest.importorskip("open3d")
    scanner = benchmarks("scanner").Scanner(8000, cameras=6, pixels=128, noise=0.002, outliers=0.1)
    scan = scanner.scan(ball, seed=1)
    assert len(scan) == 8000 and scan.normals is None
    eyes = np.unique(scan.sensors.round(6), axis=0)
    assert len(eyes) == 6
    np.testing.assert_allclose(np.linalg.norm(eyes - CENTER, axis=1), 1.5 * DIAGONAL, rtol=1e-6)

    away = scan.points - scan.sensors
    depth = np.linalg.norm(away, axis=1)
    along = ((CENTER - scan.sensors) * away).sum(1) / depth
    squared = RADIUS**2 - (1.5 * DIAGONAL) ** 2 + along**2
    hit = squared > 0
    noise = (depth[hit] - (along[hit] - np.sqrt(squared[hit]))) / DIAGONAL
    near = np.abs(noise) < 0.01
    assert 0.85 < near.sum() / len(scan) < 0.92
    assert noise[near].std() == pytest.approx(0.002, rel=0.05)
    assert abs(noise[near].mean()) < 1e-4


def test_a_scan_depends_on_its_seed_alone(benchmarks, ball):
    pytest.importorskip("open3d")
    scanner = benchmarks("scanner").Scanner(400, cameras=2, pixels=32)
    with pytest.raises(SystemExit, match=r"the cameras see [\d,]+ points: ask for fewer"):
        replace(scanner, points=10_000).scan(ball)
    first, again, other = (scanner.scan(ball, seed).points for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_a_clean_cloud_lies_on_the_triangles_evenly(benchmarks, ball):
    cloud = benchmarks("scanner").clean_cloud(ball, 20_000, seed=2)
    away = cloud.points - CENTER
    radius = np.linalg.norm(away, axis=1)
    assert radius.min() > 0.998 * RADIUS and radius.max() < 1.00001 * RADIUS
    assert ((cloud.normals * away).sum(1) / radius).min() > 0.999
    assert np.abs(away.mean(0)).max() < 0.02 * RADIUS


def test_poisson_gets_normals_that_point_to_the_sensors(benchmarks, ball, monkeypatch, tmp_path):
    pytest.importorskip("open3d")
    poisson, scanner = benchmarks("poisson"), benchmarks("scanner").Scanner
    monkeypatch.setattr(poisson, "DEPTHS", (4, 5))
    monkeypatch.setattr(poisson, "evaluate", partial(poisson.evaluate, samples=2000))
    ball.save(tmp_path / "truth.ply")
    scan = scanner(5000, pixels=64).scan(ball)
    found = poisson.run_poisson(scan, tmp_path / "truth.ply", ("error", "iou"), clean=True)
    assert [row["depth"] for row in found["depths"]] == [4, 5]
    assert found["best"]["error"] == min(row["error"] for row in found["depths"]) < 60
    assert found["best"]["iou"] > 0.9


@pytest.mark.parametrize(
    ("variant", "changed"),
    [("sigma0.005", ("noise", 0.005)), ("outliers0.05", ("outliers", 0.05)), ("cameras4", ("cameras", 4))],
)
def test_a_variant_changes_what_its_name_says(benchmarks, ball, monkeypatch, variant, changed):
    scans = benchmarks("scans")
    asked = []
    monkeypatch.setattr(scans.Scanner, "scan", lambda self, mesh, seed: asked.append(self))
    scans.scan_of(variant, ball, 0)
    assert vars(asked[0]) == {**vars(scans.Scanner()), changed[0]: changed[1]}
