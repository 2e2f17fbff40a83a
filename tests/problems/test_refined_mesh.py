"""The mesh that follows the data, together with everything else that a user may ask of a mesh."""

from __future__ import annotations

import numpy as np
import pytest

from sasnet_sdf import Interrupted, PointCloud, TriangleMesh, extract, reconstruct
from sasnet_sdf.mesh import Edges

RADIUS = 2.0
SETTINGS = {"preset": "fast", "steps": 60, "resolution": 64, "device": "cpu"}


def sphere(count=15_000, lowest=-1.0):
    """A cloud with the exact normals, a color and a number for each place; above `lowest` radii alone."""
    index = np.arange(count) + 0.5
    angle, z = np.pi * (1 + 5**0.5) * index, 1 - 2 * index / count
    side = np.sqrt(1 - z * z)
    normals = np.stack([side * np.cos(angle), side * np.sin(angle), z], 1)[z > lowest]
    return PointCloud(RADIUS * normals, normals, colors_at(normals), scalars={"height": normals[:, 2]})


def colors_at(directions):
    return np.rint(127.5 * (directions + 1)).clip(0, 255).astype(np.uint8)


def off(mesh):
    """How far its vertices (V,) are from the sphere, in radii."""
    return np.abs(np.linalg.norm(mesh.vertices, axis=1) / RADIUS - 1)


@pytest.fixture(scope="module")
def plain():
    return reconstruct(sphere(), **SETTINGS)


def test_it_is_far_closer_to_the_object_than_the_network(plain):
    network, _ = extract(plain.field, resolution=64)
    assert off(plain.mesh).mean() < 2e-5 and off(network).mean() > 20 * off(plain.mesh).mean()
    told = plain.report["refinement"]
    assert told["mode"] == "auto" and told["trust"] == 1.0
    assert told["vertices_moved"] > 0.9 * len(plain.mesh.vertices)
    assert told["maximum"] > told["mean"] > 0


def test_off_it_is_the_networks_own():
    result = reconstruct(sphere(), refine="off", **SETTINGS)
    network, _ = extract(result.field, resolution=64)
    np.testing.assert_array_equal(result.mesh.vertices, network.vertices)
    assert result.report["refinement"] == {
        "mode": "off",
        "trust": 0.0,
        "vertices_moved": 0,
        "mean": 0.0,
        "maximum": 0.0,
    }


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"faces": 2000},
        {"watertight": True},
        {"trim": 0.3},
        {"model": "siren:omega0=10"},
        {"max_memory": "4G"},
        {"edge_length": 0.1, "resolution": None},
        {"trim": "off"},
    ],
    ids=lambda asked: "-".join(asked) or "nothing",
)
def test_colors_and_scalars_go_along(asked):
    mesh = reconstruct(sphere(), carry=["height"], **{**SETTINGS, **asked}).mesh
    directions = mesh.vertices / np.linalg.norm(mesh.vertices, axis=1, keepdims=True)
    assert mesh.colors is not None
    coarse = "faces" in asked  # vertices on the average of the surface around them
    assert np.abs(mesh.colors.astype(float) - colors_at(directions)).max() < 8
    assert np.abs(mesh.scalars["height"] - directions[:, 2]).max() < 0.05
    assert coarse or (mesh.normals * directions).sum(1).min() > 0.99
    assert off(mesh).max() < (6e-3 if coarse else 2e-3)
    edges = Edges.of(mesh.faces)
    assert edges.boundary == 0 and edges.branching == 0
    assert len(mesh.faces) <= asked.get("faces", 1 << 30)


@pytest.mark.parametrize("asked", [{}, {"faces": 1000}, {"trim": 0.1}], ids=["auto", "faces", "length"])
def test_a_bowl_is_open_and_exact_to_its_rim(asked):
    mesh = reconstruct(sphere(lowest=-0.2), **{**SETTINGS, **asked}).mesh
    assert Edges.of(mesh.faces).boundary > 0
    assert off(mesh).mean() < (6e-3 if "faces" in asked else 1e-3)
    lowest = mesh.vertices[:, 2].min() / RADIUS
    assert -0.4 < lowest < -0.15


def test_a_bowl_that_is_closed_is_exact_where_the_data_are():
    mesh = reconstruct(sphere(lowest=-0.2), watertight=True, **SETTINGS).mesh
    assert Edges.of(mesh.faces).boundary == 0
    seen = mesh.vertices[:, 2] > 0.3 * RADIUS
    assert off(mesh)[seen].mean() < 1e-4


def test_a_mesh_comes_back_as_its_own_surface():
    corners = np.array([[x, y, z] for x in (-1.0, 1) for y in (-1.0, 1) for z in (-1.0, 1)])
    squares = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    faces = np.array([t for a, b, c, d in squares for t in ((a, b, c), (a, c, d))])
    mesh = reconstruct(TriangleMesh(corners, faces), **SETTINGS).mesh
    assert np.abs(np.abs(mesh.vertices).max(1) - 1).max() < 1e-3


def test_a_training_that_was_stopped_gives_a_refined_surface():
    def stop(progress):
        return not (progress.stage == "training" and (progress.step or 0) >= 20)

    result = reconstruct(sphere(), on_progress=stop, **SETTINGS)
    assert result.report["interrupted"] and off(result.mesh).mean() < 1e-4


def test_a_resumed_run_has_the_same_bytes(plain, tmp_path):
    def cut(progress):
        if progress.stage == "training" and (progress.step or 0) >= 30:
            raise Interrupted("as if it were killed")

    words = {"checkpoint": tmp_path, "checkpoint_every": 0, **SETTINGS}
    with pytest.raises(Interrupted):
        reconstruct(sphere(), on_progress=cut, **words)
    again = reconstruct(sphere(), resume=True, **words)
    np.testing.assert_array_equal(again.mesh.vertices, plain.mesh.vertices)
    np.testing.assert_array_equal(again.mesh.faces, plain.mesh.faces)


def test_noise_leaves_most_to_the_network():
    cloud = sphere(40_000)
    rng = np.random.default_rng(0)
    noisy = PointCloud(
        cloud.points + rng.normal(0, 0.01 * RADIUS, cloud.points.shape), sensors=3 * cloud.points
    )
    result = reconstruct(noisy, **SETTINGS)
    assert 0 < result.report["refinement"]["trust"] < 0.5
    assert off(result.mesh).mean() < 0.004
