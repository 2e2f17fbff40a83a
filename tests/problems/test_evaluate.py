"""Evaluation end to end: meshes, clouds and fields against each other, and what is refused."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
import trimesh
from torch import nn

import sasnet_sdf
from sasnet_sdf.errors import UnreadableInput, UnusableGeometry, UsageError
from sasnet_sdf.field import Field
from sasnet_sdf.geometry import Frame, PointCloud, TriangleMesh
from sasnet_sdf.io import read_geometry, write_cloud
from sasnet_sdf.model_config import SirenConfig
from sasnet_sdf.networks.network import Network
from sasnet_sdf.problems.evaluate import OF_A_FIELD, OF_A_MESH
from sasnet_sdf.tiles.evaluate import evaluate

RADIUS = 0.7
FEW = 5000


def ball(radius: float, subdivisions: int = 5) -> TriangleMesh:
    found = trimesh.creation.icosphere(subdivisions, radius)
    return TriangleMesh(np.array(found.vertices), np.array(found.faces, np.int64))


class Ball(Network[SirenConfig]):
    """The signed distance to a sphere, times a slope."""

    def __init__(self, slope: float):
        self.start = slope
        super().__init__(SirenConfig())

    def build(self, generator, engine):
        self.slope = nn.Parameter(torch.tensor(self.start))

    def forward(self, points):
        return self.slope * (points.norm(dim=1, keepdim=True) - RADIUS)


def field_of_a_ball(slope: float = 1.0) -> Field:
    frame = Frame(np.array([10.0, 0.0, -5.0]), 3.0)
    return Field(Ball(slope), frame, np.full(3, -RADIUS), np.full(3, RADIUS), {})


def around_the_field(mesh: TriangleMesh) -> TriangleMesh:
    """A mesh of the unit cube where the field of a ball has it."""
    return replace(mesh, vertices=field_of_a_ball().frame.to_world(mesh.vertices))


def test_it_is_public_and_gives_plain_values():
    figures = sasnet_sdf.evaluate(ball(1.0, 3), ball(1.0, 3), samples=FEW)
    assert all(value is None or type(value) in (bool, int, float, str, list) for value in figures.values())
    assert figures["error"] < 1e-9 and figures["iou"] == figures["iou_uniform"] == 1
    assert figures["reference"] == "mesh" and figures["reference_closed"] and figures["watertight"]
    assert figures["volume"] == figures["reference_volume"] and figures["area"] == figures["reference_area"]
    assert figures["spacing"] is None and not figures["notes"]
    assert not set(OF_A_FIELD) & set(figures)


@pytest.mark.parametrize(("scale", "place"), [(1e-6, 0.0), (40.0, 5e6)])
def test_units_and_place_change_no_figure(scale, place):
    def there(mesh: TriangleMesh) -> TriangleMesh:
        return replace(mesh, vertices=mesh.vertices * scale + place)

    near = evaluate(ball(1.02, 3), ball(1.0, 3), samples=FEW)
    far = evaluate(there(ball(1.02, 3)), there(ball(1.0, 3)), samples=FEW)
    assert far["diagonal"] == pytest.approx(scale * near["diagonal"], rel=1e-6)
    for name in ("error", "hausdorff", "normal_consistency", "iou", "chamfer_legacy", "chamfer_legacy_floor"):
        assert far[name] == pytest.approx(near[name], rel=1e-3), name


def test_the_seed_decides_every_figure():
    one, same, other = (evaluate(ball(1.02, 3), ball(1.0, 3), samples=FEW, seed=seed) for seed in (3, 3, 4))
    assert one == same
    changed = {name for name in one if one[name] != other[name]}
    assert {"error", "iou", "chamfer_legacy", "chamfer_legacy_floor", "seed"} <= changed


def test_an_open_reference_has_no_inside():
    opened = replace(ball(1.0, 3), faces=ball(1.0, 3).faces[5:])
    figures = evaluate(ball(1.0, 3), opened, samples=FEW)
    assert not figures["reference_closed"] and figures["reference_volume"] is None
    assert figures["iou"] is None and figures["iou_uniform"] is None
    assert figures["chamfer_legacy"] > 0
    other_way = evaluate(opened, ball(1.0, 3), samples=FEW)
    assert other_way["iou"] > 0.9 and other_way["boundary_edges"] > 0 and other_way["volume"] is None


def test_a_reference_that_is_inside_out_is_turned():
    turned = replace(ball(1.0, 3), faces=ball(1.0, 3).faces[:, ::-1])
    figures = evaluate(ball(1.0, 3), turned, samples=FEW)
    assert figures["iou"] == 1 and figures["reference_volume"] > 0
    assert figures["notes"] == ["the reference: the mesh was inside out and has been turned"]
    other_way = evaluate(turned, ball(1.0, 3), samples=FEW)
    assert other_way["iou"] == 0 and other_way["volume"] < 0 and not other_way["notes"]


@pytest.mark.parametrize("normals", [True, False])
def test_a_cloud_as_the_reference(tmp_path, normals):
    points = np.random.default_rng(0).normal(size=(4000, 3))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    path = tmp_path / "cloud.ply"
    write_cloud(path, PointCloud(points, points if normals else None))
    figures = evaluate(ball(1.0), path, samples=FEW)
    assert figures["reference"] == "cloud" and not figures["reference_closed"]
    assert figures["completeness_max"] < 10  # the facets of the ball
    assert figures["accuracy_mean"] == pytest.approx(1.06 * figures["spacing"], rel=0.1)
    assert (figures["normal_consistency"] is not None) == normals
    assert [figures[name] for name in (*OF_A_MESH, "reference_area")] == [None] * 5


def test_a_field_and_its_surface():
    truth = around_the_field(ball(RADIUS))
    figures = evaluate(field_of_a_ball(), truth, samples=FEW, resolution=48)
    assert figures["error"] < 5 and figures["watertight"] and figures["iou_uniform"] > 0.99
    # what is left is that the truth has facets
    assert figures["sdf_error_near"] < 3 and figures["sdf_error_far"] < 3
    assert figures["sign_error_near"] < 0.01 and figures["sign_error_far"] < 0.01
    assert figures["eikonal_error_near"] < 1e-5 and figures["eikonal_error_far"] < 1e-5
    steep = evaluate(field_of_a_ball(1.2), truth, samples=FEW, resolution=48)
    assert steep["eikonal_error_near"] == pytest.approx(0.2, abs=1e-3)
    assert steep["eikonal_error_far"] == pytest.approx(0.2, abs=1e-3)
    assert steep["sdf_error_near"] == pytest.approx(0.2 * 50, rel=0.05)  # half of 1 % of the diagonal
    assert abs(steep["error"] - figures["error"]) < 0.5


def test_a_field_beside_an_open_reference_or_a_cloud():
    truth = around_the_field(ball(RADIUS, 3))
    for reference in (replace(truth, faces=truth.faces[3:]), PointCloud(truth.vertices), truth.vertices):
        figures = evaluate(field_of_a_ball(), reference, samples=500, resolution=32)
        assert [figures[name] for name in OF_A_FIELD] == [None] * 6
        assert figures["error"] > 0


@pytest.mark.parametrize(
    ("source", "words", "error", "says"),
    [
        (PointCloud(np.random.default_rng(0).normal(size=(50, 3))), {}, UnusableGeometry, "without faces"),
        (TriangleMesh(np.eye(3), np.empty((0, 3), np.int64)), {}, UnusableGeometry, "a mesh without faces"),
        ("missing.ply", {}, UnreadableInput, "missing.ply"),
        ("missing.sasnet", {}, UnreadableInput, "missing.sasnet"),
        (ball(1.0, 1), {"samples": 10}, UsageError, "samples must lie between"),
        (ball(1.0, 1), {"seed": -1}, UsageError, "seed must lie between"),
        (ball(1.0, 1), {"resolution": 64}, UsageError, "for the surface of a model"),
    ],
)
def test_what_cannot_be_measured_is_one_line(source: Any, words: dict[str, Any], error, says):
    with pytest.raises(error, match=says) as caught:
        evaluate(source, ball(1.0, 1), **words)
    assert "\n" not in str(caught.value)


def test_triangles_of_no_area():
    lines = np.array([[x, y, 0.0] for y in (0, 1) for x in (0, 1, 2)])
    with pytest.raises(UnusableGeometry, match="none of its 2 triangles has an area"):
        evaluate(TriangleMesh(lines, np.array([[0, 1, 2], [3, 4, 5]])), ball(1.0, 1), samples=FEW)


def test_it_agrees_with_the_judge(data_dir, judge_dir, tmp_path):
    """Within what chance leaves of the same samples drawn anew."""
    path = judge_dir / "mesh_metrics.py"
    spec = importlib.util.spec_from_file_location("mesh_metrics", path)
    assert spec and spec.loader
    judge = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(judge)
    truth = data_dir / "meshes" / "spot.ply"
    mesh = read_geometry(truth)
    assert isinstance(mesh, TriangleMesh)
    diagonal = np.linalg.norm(np.ptp(mesh.vertices, axis=0))
    rough = mesh.vertices + np.random.default_rng(0).normal(0, 1e-3 * diagonal, mesh.vertices.shape)
    TriangleMesh(rough, mesh.faces[: len(mesh.faces) * 99 // 100]).save(tmp_path / "rough.ply")
    expected = judge.compare(tmp_path / "rough.ply", truth, 60_000)
    found = evaluate(tmp_path / "rough.ply", truth, samples=60_000)
    for name in ("error", "accuracy_mean", "completeness_mean", "normal_consistency", "iou"):
        assert found[name] == pytest.approx(expected[name], rel=0.01), name
    for name in ("fscore_01", "fscore_05"):
        assert found[name] == pytest.approx(expected[name], abs=0.005), name
    for name in ("accuracy_p99", "completeness_p99"):
        assert found[name] == pytest.approx(expected[name], rel=0.05), name
    for name in ("faces", "boundary_edges", "components"):
        assert found[name] == expected[name], name
    assert found["non_manifold_edges"] == expected["nonmanifold_edges"]
    assert found["diagonal"] == pytest.approx(expected["diagonal"], rel=1e-12)
