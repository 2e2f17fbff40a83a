"""The plain Python samples run as they stand, and what they make is right."""

from __future__ import annotations

import re
import runpy
from typing import Any

import numpy as np
import pytest
from PIL import Image

from sasnet_sdf import Field, FittedSignal, read_geometry
from sasnet_sdf.mesh import Edges

PLAIN = ("reconstruct", "extract", "query", "fit_image", "fit_volume", "compare")


@pytest.fixture
def run(root, tmp_path, monkeypatch):
    """Runs a sample in an empty folder; returns its variables."""

    def run(name: str) -> dict[str, Any]:
        monkeypatch.chdir(tmp_path)
        return runpy.run_path(str(root / "samples" / f"{name}.py"), run_name="__main__")

    return run


def closed_area(mesh) -> float:
    assert Edges.of(mesh.faces).boundary == 0
    a, b, c = (mesh.vertices[mesh.faces[:, k]] for k in range(3))
    return float(np.linalg.norm(np.cross(b - a, c - a), axis=1).sum() / 2)


def test_extract_makes_meshes_of_both_resolutions(run, tmp_path, capsys):
    run("extract")
    coarse, fine = (read_geometry(tmp_path / f"torus_{n}.ply") for n in (64, 192))
    assert 7 < len(fine.faces) / len(coarse.faces) < 11  # as the squares of the resolutions
    # of a torus 4 pi² R r, of one with 32 x 32 facets 1 % less
    assert closed_area(fine) == pytest.approx(4 * np.pi**2 * 30 * 10, rel=0.02)
    assert isinstance(Field.load(tmp_path / "torus.sasnet"), Field)
    assert f"torus_192.ply: {len(fine.faces):,} triangles" in capsys.readouterr().out


def test_query_is_near_the_exact_distances(run):
    found = run("query")
    assert np.abs(found["distances"] - found["exact"]).mean() < 0.05
    x, y, z = found["nearest"].T
    off = np.abs(np.hypot(np.hypot(x, y) - 30, z) - 10)
    assert np.median(off) < 0.05


def test_fit_image_and_its_enlargement(run, tmp_path):
    found = run("fit_image")
    assert found["psnr"] > 24
    with Image.open(tmp_path / "astronaut_x8.png") as enlarged:
        assert enlarged.size == (512, 512)
        means = np.asarray(enlarged, float).reshape(64, 8, 64, 8, 3).mean((1, 3))
    assert np.sqrt(np.mean((means - found["image"]) ** 2)) < 20
    loaded = FittedSignal.load(tmp_path / "astronaut.sasnet")
    np.testing.assert_array_equal(loaded.render(scale=8).values, found["enlarged"])


def test_fit_volume_between_its_samples(run):
    found = run("fit_volume")
    assert found["error"] < 0.04
    x, _, z = found["points"].T
    along_y = -np.sin(x) * np.sin(found["points"][:, 1]) + np.cos(found["points"][:, 1]) * np.cos(z)
    assert np.sqrt(np.mean((found["slopes"][:, 1] - along_y) ** 2)) < 0.25


@pytest.mark.slow
def test_compare_measures_both_networks(run, tmp_path, capsys):
    rows = {row["model"]: row for row in run("compare")["found"]["rows"]}
    assert list(rows) == ["sasnet", "siren:omega0=30"]
    assert rows["sasnet"]["error"] < 60 < rows["siren:omega0=30"]["error"]
    assert all(abs(row["parameters"] / 10_000 - 1) < 0.02 for row in rows.values())
    assert (tmp_path / "comparison" / "renders.png").exists()
    assert "sasnet: 9,957 parameters, error" in capsys.readouterr().out


def test_the_page_lists_every_sample_plain_python_first(root):
    page = (root / "samples" / "README.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| \[(\w+\.\w+)\]", page, re.MULTILINE)
    assert listed[: len(PLAIN)] == [f"{name}.py" for name in PLAIN]
    there = {path.name for path in (root / "samples").iterdir() if path.is_file()}
    assert sorted(listed) == sorted(there - {"README.md"})


@pytest.mark.parametrize("name", PLAIN)
def test_plain_samples_are_short(root, name):
    assert len((root / "samples" / f"{name}.py").read_text(encoding="utf-8").splitlines()) < 30
