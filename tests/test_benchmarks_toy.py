"""Every benchmark runs at toy size, from its command line to its table."""

from __future__ import annotations

import json
import re
import sys
from functools import partial

import numpy as np
import pytest
import trimesh
from PIL import Image

pytestmark = pytest.mark.slow


@pytest.fixture
def run(benchmarks, monkeypatch, capfd):
    """Runs a benchmark with a command line; returns what it printed."""

    def run(name: str, *words: object) -> str:
        monkeypatch.setattr(sys, "argv", [f"{name}.py", *map(str, words)])
        benchmarks(name).main()
        return capfd.readouterr().out

    return run


@pytest.fixture
def data(monkeypatch, tmp_path):
    """Made-up data in place of SASNET_SDF_DATA: three names of a sphere, and a picture."""
    folder = tmp_path / "data"
    (folder / "meshes").mkdir(parents=True)
    (folder / "images" / "kodak").mkdir(parents=True)
    sphere = trimesh.creation.icosphere(subdivisions=4, radius=10)
    for name in ("ball", "armadillo", "rocker-arm"):
        sphere.export(folder / "meshes" / f"{name}.ply")
    colors = np.random.default_rng(0).integers(0, 255, (16, 24, 3), np.uint8)
    Image.fromarray(colors).save(folder / "images" / "kodak" / "kodim23.png")
    monkeypatch.setenv("SASNET_SDF_DATA", str(folder))
    return folder


@pytest.fixture
def short_poisson(benchmarks, monkeypatch):
    """Poisson at two depths."""
    pytest.importorskip("open3d")
    monkeypatch.setattr(benchmarks("poisson"), "DEPTHS", (5, 6))


def cells(table: str) -> list[list[str]]:
    """The cells of a table in Markdown, without its heading."""
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines()[2:]]


def test_reconstruct(run, data, short_poisson):
    found = json.loads(run("reconstruct", "--shapes", "ball", "--presets", "fast", "--resolution", 48))
    rows = found["shapes"]["ball"]
    assert rows["fast"]["ratio"] == rows["fast"]["error"] / rows["poisson"]["best"]["error"]
    assert found["means"]["fast"]["ratio"] == pytest.approx(rows["fast"]["ratio"])
    assert rows["fast"]["error"] < 30 and rows["fast"]["iou"] > 0.99


def test_scans(run, benchmarks, data, short_poisson, monkeypatch, tmp_path):
    scanner = partial(benchmarks("scanner").Scanner, points=5000, pixels=64)
    monkeypatch.setattr(benchmarks("scans"), "Scanner", scanner)
    words = ("--shapes", "ball", "--preset", "fast", "--variants", "no-sensors,points1000", "-o")
    with pytest.raises(SystemExit, match="False"):  # no run failed
        run("scans", *words, tmp_path / "scans.json")
    scan, few = json.loads((tmp_path / "scans.json").read_text())["rows"]
    assert scan["right_normals"] > 0.99 and max(scan["error"], few["error"]) < 30


def test_sparse(run, data, short_poisson):
    ((shape, points, error, _, ratio, *_),) = cells(run("sparse", "--shapes", "ball", "--points", 200))
    assert (shape, points) == ("ball", "200") and float(error) < 100 and float(ratio) < 1


def test_sheets(run, tmp_path):
    words = ("--shapes", "floor", "box", "--counts", 3000, "--sides", "normals", "--noise", 0, "--steps", 60)
    run("sheets", *words, "-o", tmp_path / "sheets.json")
    assert [row["right"] for row in json.loads((tmp_path / "sheets.json").read_text())["rows"]] == [True] * 2


def test_distances(run, benchmarks, data, monkeypatch):
    distances = benchmarks("distances")
    shapes = distances.shapes()
    assert set(shapes) == {"sphere", "torus", "box", "cylinder", "rocker-arm"}
    monkeypatch.setattr(distances, "shapes", lambda: {"torus": shapes["torus"]})
    monkeypatch.setattr(distances, "POINTS", 5000)
    monkeypatch.setattr(distances, "PLACES", 2000)
    rows = json.loads(run("distances", "--presets", "fast"))["shapes"]["torus"]
    assert rows["fast"]["wrong_side"] < 0.02 and rows["fast"]["off_99"] < 0.02


def test_decimation(run, data):
    for library in ("open3d", "fast_simplification"):
        pytest.importorskip(library)
    methods = json.loads(run("decimation", data / "meshes" / "ball.ply", "--faces", 1000))["methods"]
    assert set(methods) == {"sasnet-sdf", "libigl", "fast-simplification", "open3d"}
    assert all(0.9 * 1000 < row["faces"] <= 1000 and row["error"] < 50 for row in methods.values())


def test_published(run, benchmarks, data, monkeypatch, tmp_path):
    published = benchmarks("published")
    monkeypatch.setattr(published, "POOL", 20_000)
    monkeypatch.setattr(published, "SIDE", 32)
    monkeypatch.setattr(published, "RESOLUTION", 48)
    for protocol, steps, name in (("distances", 60, "sasnet"), ("image", 2, "P, seed 0")):
        run("published", protocol, "--steps", steps, "--only", name, "--device", "cpu", "-o", tmp_path)
    (row,) = json.loads((tmp_path / "image.json").read_text())["rows"]
    assert row["model"] == "P, seed 0" and row["steps"] == 2 and 3 < row["psnr"] < 20
    run("published", "measure", "-o", tmp_path)
    (row,) = json.loads((tmp_path / "distances.json").read_text())["rows"]
    assert row["figures"]["error"] < 500


def test_signals(run, benchmarks, tmp_path):
    tasks = ("--tasks", "images", "x4", "volumes", "--protocols", "muon")
    words = ("--small", *tasks, "-o", tmp_path / "s.json")
    shown = run("signals", *words)
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
    assert "**Images, all by Muon.**" in shown and "| `sasnet:no-masks` |" in shown
    assert "Volumes, all by Muon: SASNet" in benchmarks("signals_page").page(rows)
    assert not re.search(r", \d+ s$", run("signals", *words), re.MULTILINE)  # nothing is run again
    assert json.loads((tmp_path / "s.json").read_text())["rows"] == rows


def test_results(run, tmp_path):
    run("results", "--small", "--protocols", "muon", "published", "-o", tmp_path / "r.json")
    rows = json.loads((tmp_path / "r.json").read_text())["rows"]
    assert {row["input"] for row in rows if "error" in row} == {"ball 2"}
    assert len([row for row in rows if row["input"] != "ball 2"]) == 2 * 2 * 4
    page = (tmp_path / "r.md").read_text(encoding="utf-8")
    assert "- All by Muon: SASNet's error is" in page and "## As published" in page


def test_eikonal(run):
    rows = cells(run("eikonal", "--small", "--weights", 0, 1e-3))
    assert len(rows) == 3 * 2 and {len(row) for row in rows} == {8}


def test_blocking(run):
    rows = cells(run("blocking", "--small", "--finest", 8, "--steps", 30))
    assert len(rows) == 4 and all(float(row[5]) > 0.5 for row in rows)


def test_settle(run, tmp_path):
    pytest.importorskip("matplotlib")
    rows = cells(run("settle", "--small", "--pictures", tmp_path))
    assert (tmp_path / "settle.png").exists()
    assert {row[0] for row in rows} == {"surface", "image"}
    assert float(rows[0][3]) > 0 and float(rows[-1][3]) == 0


def test_radiance(run):
    models = ("SASNet", "SIREN, omega0 10")
    rows = cells(run("radiance", "--steps", 5, "--seeds", 0, "--rates", 0.1, "--models", *models))
    parameters = [int(row[1].replace(",", "")) for row in rows]
    assert [row[0] for row in rows] == [*models] and max(parameters) < 1.05 * min(parameters)
