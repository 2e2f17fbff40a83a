"""benchmarks/scale.py: its exact surfaces, its borders, its watch over processes, and tiny runs of it."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import trimesh

from sasnet_sdf import TriangleMesh

linux = pytest.mark.skipif(sys.platform != "linux", reason="the benchmark reads /proc")


def test_waves_on_a_mesh_have_exact_normals_and_distances(benchmarks, monkeypatch):
    shapes = benchmarks("scale_shapes")
    monkeypatch.setattr(shapes, "SAMPLED", 100_000)
    shape = shapes.Displaced.ball(20_000)
    assert shape.wavelength == pytest.approx(6 * np.sqrt(4 * np.pi / 20_000), rel=1e-2)
    cloud = shape.cloud(20_000)
    away = np.linalg.norm(cloud.points, axis=1) - 1
    assert away.max() == pytest.approx(shape.wavelength / (8 * np.pi), rel=0.1)
    assert np.percentile(shape.distance(cloud.points), 99.9) < 1e-9
    for off in (-0.003, 0.003):
        found = shape.distance(cloud.points + off * cloud.normals)
        assert np.percentile(np.abs(found - 0.003), 99) < 1e-9


def test_a_town_is_the_same_at_each_reading_and_its_points_lie_on_it(benchmarks):
    town = benchmarks("scale_shapes").Town(1_300_000)
    sizes = [len(piece) for piece in town.pieces()]
    assert sizes == [1_000_000, 300_000]
    first, again = next(town.pieces()), next(town.pieces())
    np.testing.assert_array_equal(first.points, again.points)
    some = first.select(np.arange(0, len(first), 100))
    assert town.distance(some.points).max() < 1e-12
    off = town.distance(some.points + 0.01 * some.normals)
    assert np.median(off) == pytest.approx(0.01, rel=1e-3)
    steep = np.abs(some.normals[:, 2]) < 0.5
    assert 0.15 < steep.mean() < 0.45  # walls


def _tiles() -> list[dict]:
    return [{"low": [x, 0, 0], "high": [x + 1, 2, 2]} for x in (0, 1)]


def test_faces_near_a_border_are_those_within_two_cells_of_both_tiles(benchmarks):
    borders = benchmarks("scale_surfaces").Borders.of(_tiles(), 0.05)
    points = np.array([[0.91, 1, 1], [0.89, 1, 1], [1.09, 1, 1], [1.11, 1, 1], [0.05, 1, 1], [1.0, 2.2, 1]])
    assert borders.near(points).tolist() == [True, False, True, False, False, False]


def test_errors_of_normals_at_a_border_are_seen(benchmarks):
    borders = benchmarks("scale_surfaces").Borders.of(_tiles(), 0.05)
    ball = trimesh.creation.icosphere(subdivisions=5, radius=0.8)
    truth = TriangleMesh(np.asarray(ball.vertices) + 1, np.asarray(ball.faces, np.int64))
    same = borders.normal_errors(truth, truth)
    assert same["near_mean"] < 1e-3 and same["faces_near"] > 500
    step = truth.vertices.copy()
    step[truth.vertices[:, 0] > 1, 1] += 0.02  # a step at the border x = 1
    found = borders.normal_errors(TriangleMesh(step, truth.faces), truth)
    assert found["ratio"] > 5 and found["near_p95"] > 10
    middle, normal = borders.longest(truth)
    assert abs(middle[0] - 1) < 0.1 and abs(normal @ (middle - 1)) > 0.75


def test_weighted_figures(benchmarks):
    weighted = benchmarks("scale_surfaces").weighted
    mean, p95 = weighted(np.arange(101.0), np.ones(101))
    assert (mean, p95) == (50, 95)
    assert weighted(np.array([1.0, 9.0]), np.array([3.0, 1.0]))[0] == 3


@linux
def test_a_watch_sums_the_memory_of_all_descendants_and_says_what_is_left(benchmarks, monkeypatch):
    runs = benchmarks("scale_runs")
    monkeypatch.setattr(runs, "INTERVAL", 0.05)
    child = "x = bytearray(60 << 20); import time; time.sleep({0})"
    parent = (
        "import subprocess, sys, time; x = bytearray(40 << 20)\n"
        "subprocess.Popen([sys.executable, '-c', sys.argv[1]], start_new_session=True); time.sleep(1)"
    )
    words = [sys.executable, "-c", parent]
    found = runs.run([*words, child.format(0.5)])
    assert found.code == 0 and not found.left
    assert 100 << 20 < found.peak_pss < 160 << 20
    found = runs.run([*words, child.format(30)])
    assert len(found.left) == 1
    assert "sleep(30)" in found.left[0]


@linux
def test_a_run_that_hangs_is_killed(benchmarks):
    start = time.monotonic()
    found = benchmarks("scale_runs").run([sys.executable, "-c", "import time; time.sleep(60)"], limit=1)
    assert found.code == -9 and "killed after 1 seconds" in found.errors and not found.left
    assert time.monotonic() - start < 30


def _scale(root: Path, folder: Path, *parts: str) -> dict:
    output = folder / "scale.json"
    words = [sys.executable, str(root / "benchmarks" / "scale.py"), *parts, "-o", str(output), "--small"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert output.exists(), done.stderr
    assert all(all(json.loads(output.read_text())[part]["holds"].values()) for part in parts), done.stderr
    assert done.returncode == 0
    return json.loads(output.read_text())


@linux
def test_a_small_town_is_measured(root, tmp_path):
    pytest.importorskip("distributed")
    found = _scale(root, tmp_path, "size")["size"]
    assert found["points"] == 40_000 and found["small"] and found["hardware"]["cores"]
    assert found["error_meters"]["p50"] < 0.05 and found["error_meters"]["mean"] < 0.2
    assert len(found["run"]["tiles"]) >= 4
    assert found["peak_pss_bytes"] > 300 << 20 and found["peak_scratch_bytes"] > 40_000 * 12
