"""Meshes: exact where they are closed, turned where they are inside out, sampled where they are open."""

from __future__ import annotations

import numpy as np
import pytest

from sasnet_sdf.geometry import Frame, TriangleMesh
from sasnet_sdf.supervision import CloudTarget, MeshTarget, prepare
from sasnet_sdf.supervision.targets import is_closed, sample_surface, signed_volume

CORNERS = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)], float) * [2, 1, 1]
FACES = np.array(
    [
        *([0, 1, 3], [0, 3, 2], [4, 6, 7], [4, 7, 5]),
        *([0, 4, 5], [0, 5, 1], [2, 3, 7], [2, 7, 6]),
        *([0, 2, 6], [0, 6, 4], [1, 5, 7], [1, 7, 3]),
    ],
    np.int64,
)
BOX = TriangleMesh(CORNERS, FACES)


def box_distance(points):
    q = np.abs(points - [1, 0.5, 0.5]) - [1, 0.5, 0.5]
    return np.linalg.norm(np.maximum(q, 0), axis=1) + np.minimum(q.max(1), 0)


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("soup", [False, True])
def test_a_closed_mesh_is_exact(turned, soup, rng):
    faces = FACES[:, ::-1] if turned else FACES
    mesh = TriangleMesh(CORNERS, faces)
    if soup:  # every triangle with vertices of its own, as STL has it
        mesh = TriangleMesh(CORNERS[faces].reshape(-1, 3), np.arange(36, dtype=np.int64).reshape(-1, 3))
    frame = Frame.around(CORNERS)
    target, facts = prepare(mesh, frame)
    assert isinstance(target, MeshTarget)
    assert facts["watertight"]
    assert len(facts["findings"]) == turned
    queries = rng.uniform(-0.5, 2.5, (2000, 3))
    distance, gradient = target.distance(frame.to_unit(queries))
    truth = box_distance(queries)
    assert distance * frame.scale == pytest.approx(truth, abs=1e-9)
    step = 1e-6
    slope = (box_distance(queries + step * gradient) - box_distance(queries - step * gradient)) / (2 * step)
    assert np.percentile(slope, 1) == pytest.approx(1, abs=1e-4)


def test_points_on_the_surface_have_the_faces_normals():
    frame = Frame.around(CORNERS)
    target, _ = prepare(BOX, frame)
    top = frame.to_unit(np.array([[0.7, 0.4, 1.0], [1.3, 0.2, 1.0]]))
    distance, gradient = target.distance(top)
    assert distance == pytest.approx(0, abs=1e-9)
    assert gradient == pytest.approx(np.tile([[0, 0, 1]], (2, 1)), abs=1e-6)


def test_an_open_mesh_is_sampled(rng):
    frame = Frame.around(CORNERS)
    lidless = TriangleMesh(CORNERS, FACES[:-2])
    target, facts = prepare(lidless, frame)
    assert isinstance(target, CloudTarget)
    assert not facts["watertight"]
    queries = rng.uniform([0.2, 0.2, 0.02], [1.8, 0.8, 0.4], (1000, 3))
    distance, _ = target.distance(frame.to_unit(queries))
    assert distance * frame.scale == pytest.approx(box_distance(queries), abs=2e-3)


def test_closedness_and_volume():
    assert is_closed(FACES)
    assert not is_closed(FACES[:-1])
    assert not is_closed(np.concatenate([FACES, FACES[:1]]))
    assert signed_volume(CORNERS, FACES) == pytest.approx(2)
    assert signed_volume(CORNERS, FACES[:, ::-1]) == pytest.approx(-2)


def test_samples_are_even_by_area(rng):
    points, face = sample_surface(CORNERS, FACES, 20_000, rng)
    assert np.abs(box_distance(points)).max() < 1e-12
    share = np.bincount(face, minlength=12) / 20_000
    area = np.where(np.arange(12) < 4, 0.5, 1.0)
    assert share == pytest.approx(area / area.sum(), abs=0.01)
