"""Distances between shapes that are known, from triangles and from points."""

from __future__ import annotations

import numpy as np
import pytest

from sasnet_sdf.geometry import PointCloud
from sasnet_sdf.metrics import UNIT, Points, Triangles, frame_around, mesh_figures, surface_figures

SAMPLES = 20_000
WAYS = [
    f"{way}_{part}"
    for way in ("accuracy", "completeness")
    for part in ("mean", "median", "p90", "p99", "max")
]


def test_a_mesh_has_no_distance_to_itself(ball, measured, rng):
    figures = surface_figures(*measured(ball(1.0), ball(1.0)), SAMPLES, rng)
    assert max(figures[name] for name in [*WAYS, "error", "hausdorff"]) < 1e-9
    assert figures["normal_consistency"] == pytest.approx(1, abs=1e-4)
    assert figures["fscore_01"] == figures["fscore_05"] == 1


def test_spheres_are_apart_by_the_difference_of_their_radii(ball, measured, rng):
    figures = surface_figures(*measured(ball(1.03), ball(1.0)), SAMPLES, rng)
    expected = 0.03 / np.sqrt(12) * UNIT  # the box around the unit sphere has the diagonal sqrt(12)
    for name in [*WAYS, "error", "hausdorff"]:
        assert figures[name] == pytest.approx(expected, rel=3e-3), name
    assert figures["normal_consistency"] == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize(("apart", "tight", "loose"), [(0.0009, 1, 1), (0.004, 0, 1), (0.006, 0, 0)])
def test_a_shifted_plane(square, measured, rng, apart, tight, loose):
    diagonal = np.sqrt(2)
    figures = surface_figures(*measured(square(apart * diagonal), square(0)), 2000, rng)
    for name in [*WAYS, "error", "hausdorff"]:
        assert figures[name] == pytest.approx(apart * UNIT, rel=1e-9), name
    assert (figures["fscore_01"], figures["fscore_05"]) == (tight, loose)


def test_completeness_and_accuracy_separate_missing_from_extra_surface(brick, measured, rng):
    part = type(brick)(brick.vertices, brick.faces[2:])
    missing = surface_figures(*measured(part, brick), SAMPLES, rng)
    too_much = surface_figures(*measured(brick, part), SAMPLES, rng)
    assert missing["accuracy_max"] < 1e-9 < 100 < missing["completeness_max"] == missing["hausdorff"]
    assert too_much["completeness_max"] < 1e-9 < 100 < too_much["accuracy_max"] == too_much["hausdorff"]
    recall = mesh_figures(part)["area"] / mesh_figures(brick)["area"]
    # a little of the hole lies within reach of its border
    assert missing["fscore_05"] == pytest.approx(2 * recall / (1 + recall), abs=0.01)


def test_normal_consistency_ignores_the_sign(ball, measured, rng):
    turned = type(ball(1.0))(ball(1.0).vertices, ball(1.0).faces[:, ::-1])
    figures = surface_figures(*measured(turned, ball(1.0)), 2000, rng)
    assert figures["normal_consistency"] == pytest.approx(1, abs=1e-4)


def cloud_on(mesh, count, rng):
    frame = frame_around(mesh.vertices)
    triangles = Triangles.of(mesh, frame)
    return triangles, Points(*triangles.draw(count, rng))


def test_random_points_have_a_floor_of_one_spacing(ball, rng):
    """The mean distance to the nearest of points at random is 1 / (2 sqrt(density)), the median distance
    between them sqrt(log 2 / pi / density)."""
    triangles, cloud = cloud_on(ball(1.0, 4), 20_000, rng)
    figures = surface_figures(triangles, cloud, SAMPLES, rng)
    assert figures["completeness_max"] < 1e-9
    assert figures["accuracy_mean"] / UNIT / cloud.spacing() == pytest.approx(
        0.5 / np.sqrt(np.log(2) / np.pi), rel=0.03
    )
    density = 20_000 / (4 * np.pi / 12)
    assert figures["accuracy_mean"] == pytest.approx(0.5 / np.sqrt(density) * UNIT, rel=0.02)
    assert figures["normal_consistency"] > 0.99


def test_a_grid_of_points_has_a_lower_floor(square, rng):
    ticks = (np.arange(50) + 0.5) / 50
    points = np.stack([*np.meshgrid(ticks, ticks), np.zeros((50, 50))], -1).reshape(-1, 3)
    frame = frame_around(square(0).vertices)
    cloud = Points.of(PointCloud(points), frame)
    assert cloud.spacing() == pytest.approx(0.02 / np.sqrt(2))
    figures = surface_figures(Triangles.of(square(0), frame), cloud, SAMPLES, rng)
    # the mean distance from the center of a square is 0.3826 of its side
    assert figures["accuracy_mean"] / UNIT / cloud.spacing() == pytest.approx(0.3826, rel=0.01)


def test_a_cloud_without_normals_has_no_normal_consistency(ball, rng):
    triangles, cloud = cloud_on(ball(1.0, 3), 500, rng)
    figures = surface_figures(triangles, Points(cloud.points), 500, rng)
    assert figures["normal_consistency"] is None


def test_triangles_without_an_area_do_not_count(square):
    mesh = square(0)
    thin = type(mesh)(mesh.vertices, np.concatenate([mesh.faces, [[0, 0, 1], [2, 2, 2]]]))
    assert len(Triangles.of(thin, frame_around(mesh.vertices)).faces) == 2
