"""The benchmarks load, name the page of their data where it is missing, and scan as they say."""

from __future__ import annotations

import json
import re
import sys
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


@pytest.mark.slow
def test_the_comparison_of_signals_runs_at_toy_size(benchmarks, monkeypatch, tmp_path, capsys):
    words = ["signals.py", "--small", "--tasks", "images", "x4", "volumes", "--protocols", "muon", "-o"]
    monkeypatch.setattr(sys, "argv", [*words, str(tmp_path / "s.json")])
    benchmarks("signals").main()
    rows = json.loads((tmp_path / "s.json").read_text())["rows"]
    tuning = [row for row in rows if row["input"] != "made 2"]
    assert len(tuning) == 3 * 2 * 2 * 4 and len(rows) >= len(tuning) + 6
    for task, model in {(row["task"], row["model"]) for row in rows}:
        own = [row for row in rows if (row["task"], row["model"]) == (task, model)]
        products = {}
        for row in own:
            if row["input"] != "made 2":
                products[row["rate"]] = products.get(row["rate"], 1.0) * row["held_out"]
        (tested,) = {row["rate"] for row in own if row["input"] == "made 2"}
        assert tested == min(products, key=products.__getitem__)
    shown = capsys.readouterr().out
    assert "**Images, all by Muon.**" in shown and "| `sasnet:no-masks` |" in shown
    page = benchmarks("signals_page").page(rows)
    assert "Volumes, all by Muon: SASNet" in page
    benchmarks("signals").main()  # nothing is run again
    assert not re.search(r", \d+ s$", capsys.readouterr().out, re.MULTILINE)
    assert json.loads((tmp_path / "s.json").read_text())["rows"] == rows


@pytest.mark.slow
def test_the_comparison_of_surfaces_runs_at_toy_size(benchmarks, monkeypatch, tmp_path):
    words = ["results.py", "--small", "--protocols", "muon", "published", "-o", str(tmp_path / "r.json")]
    monkeypatch.setattr(sys, "argv", words)
    benchmarks("results").main()
    rows = json.loads((tmp_path / "r.json").read_text())["rows"]
    assert {row["input"] for row in rows if "error" in row} == {"ball 2"}
    assert len([row for row in rows if row["input"] != "ball 2"]) == 2 * 2 * 4
    page = (tmp_path / "r.md").read_text(encoding="utf-8")
    assert "- All by Muon: SASNet's error is" in page and "## As published" in page


@pytest.mark.slow
def test_the_eikonal_benchmark_runs_at_toy_size(benchmarks, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["eikonal.py", "--small", "--weights", "0", "1e-3"])
    benchmarks("eikonal").main()
    table = capsys.readouterr().out.splitlines()
    assert len(table) == 2 + 3 * 2 and all(line.count("|") == 9 for line in table)


@pytest.mark.slow
def test_the_benchmark_of_blocking_runs_at_toy_size(benchmarks, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["blocking.py", "--small", "--finest", "8", "--steps", "30"])
    benchmarks("blocking").main()
    rows = [line.split("|") for line in capsys.readouterr().out.splitlines()[2:]]
    assert len(rows) == 4 and all(float(row[6]) > 0.5 for row in rows)


def test_kinks_at_the_borders_of_cells_are_found(benchmarks):
    kinks = benchmarks("blocking").kinks
    x = (np.arange(256) + 0.5) / 256 * 7 + 0.5  # cells of a grid of 8 vertices
    smooth, bent = np.sin(x / 2), np.abs(x % 1 - 0.5)
    assert kinks(np.tile(smooth[None, :, None], (4, 1, 3)), 8) == pytest.approx(1, abs=0.2)
    saw = np.interp(x, np.arange(10), np.arange(10) % 2.0)  # bends at whole numbers only
    assert kinks(np.tile((smooth + 0.1 * saw)[None, :, None], (4, 1, 3)), 8) > 20
    assert kinks(np.tile((smooth + 0.1 * bent)[None, :, None], (4, 1, 3)), 8) > 5


@pytest.mark.slow
def test_the_benchmark_of_settling_masks_runs_at_toy_size(benchmarks, monkeypatch, tmp_path, capsys):
    pytest.importorskip("matplotlib")
    monkeypatch.setattr(sys, "argv", ["settle.py", "--small", "--pictures", str(tmp_path)])
    benchmarks("settle").main()
    assert (tmp_path / "settle.png").exists()
    rows = [line.split("|") for line in capsys.readouterr().out.splitlines()[2:]]
    assert {row[1].strip() for row in rows} == {"surface", "image"}
    assert float(rows[0][4]) > 0 and float(rows[-1][4]) == 0


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
