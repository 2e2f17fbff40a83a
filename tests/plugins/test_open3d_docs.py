"""What docs/open3d.md and the samples say runs as it stands, here with a preset that takes a moment."""

from __future__ import annotations

import re
import runpy
import sys

import numpy as np
import pytest
from PIL import Image

import sasnet_open3d
import sasnet_sdf
from sasnet_sdf.problems.settings import make_config


@pytest.fixture
def workplace(o3d, quiet, small_cloud, tmp_path, monkeypatch):
    """A folder with a small scan.ply, in which the preset balanced takes a moment."""
    tiny = make_config("fast", steps=80, resolution=24, device="cpu")
    monkeypatch.setitem(sasnet_sdf.PRESETS, "balanced", tiny)
    monkeypatch.chdir(tmp_path)
    pcd = o3d.t.geometry.PointCloud(o3d.core.Tensor(small_cloud.points))
    pcd.point.normals = o3d.core.Tensor(small_cloud.normals)
    pcd.point.colors = o3d.core.Tensor(small_cloud.colors)
    o3d.t.io.write_point_cloud("scan.ply", pcd)
    yield tmp_path
    sasnet_open3d.unregister()


def test_the_page_runs(root, o3d, workplace, capsys):
    page = (root / "docs" / "open3d.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```", page, flags=re.MULTILINE | re.DOTALL)
    assert len(blocks) == 4
    names = {}
    for block in blocks:
        exec(compile(block, "docs/open3d.md", "exec"), names)
    assert "% training\n" in capsys.readouterr().out
    assert len(o3d.io.read_triangle_mesh("surface.ply").triangles) > 1000
    assert len(names["distances"]) == len(names["mesh"].vertices)
    assert names["scene"].compute_occupancy(names["points"]).shape == (32, 32)
    assert sasnet_sdf.Field.load("scan.sasnet").metadata["steps"] == 80


def run(root, monkeypatch, name, *arguments):
    monkeypatch.setattr(sys, "argv", [name, *arguments])
    runpy.run_path(str(root / "samples" / name), run_name="__main__")


def test_the_samples_run(root, o3d, workplace, monkeypatch, capsys):
    run(root, monkeypatch, "open3d_mesh.py", "scan.ply", "--poisson", "poisson.ply")
    for name in ("surface.ply", "poisson.ply"):
        mesh = o3d.io.read_triangle_mesh(name)
        assert np.abs(np.asarray(mesh.vertices)).max() == pytest.approx(2, abs=0.4)
        assert mesh.has_vertex_colors() and np.asarray(mesh.vertex_colors).min() < 0.2
    run(root, monkeypatch, "open3d_field.py", "scan.ply")
    part = o3d.io.read_triangle_mesh("part.ply")
    assert part.get_min_bound()[2] > -0.5 and part.get_max_bound()[2] > 1.5
    volume = float(re.search(r"volume ([\d.]+);", capsys.readouterr().out)[1])
    assert volume == pytest.approx(4 / 3 * np.pi * 8, rel=0.2)
    run(
        root,
        monkeypatch,
        "open3d_render.py",
        "poisson.ply",
        "surface.ply",
        "-o",
        "a.png",
        "--size",
        "60",
        "80",
    )
    picture = np.asarray(Image.open("a.png"))
    assert picture.shape == (80, 120, 3)
    assert picture[40, 30].mean() < 220 and picture[40, 90].mean() < 220 and (picture[0] == 255).all()
