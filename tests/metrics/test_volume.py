"""The overlap of solids, and the figures of a mesh alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from sasnet_sdf.geometry import TriangleMesh
from sasnet_sdf.metrics import mesh_figures, overlap

SAMPLES = 40_000


@pytest.mark.parametrize(("one", "other"), [(0.9, 1.0), (1.05, 1.0)])
def test_spheres_overlap_by_the_cube_of_their_radii(ball, measured, rng, one, other):
    figures = overlap(*measured(ball(one, 4), ball(other, 4)), SAMPLES, rng)
    assert figures["iou_uniform"] == pytest.approx((min(one, other) / max(one, other)) ** 3, abs=0.01)
    assert figures["iou"] < figures["iou_uniform"]  # surfaces differ where most of its points are


def test_a_solid_overlaps_itself_and_not_its_inverse(brick, measured, rng):
    assert overlap(*measured(brick, brick), 2000, rng) == {"iou": 1.0, "iou_uniform": 1.0}
    turned = replace(brick, faces=brick.faces[:, ::-1])
    assert overlap(*measured(turned, brick), 2000, rng) == {"iou": 0.0, "iou_uniform": 0.0}


@pytest.mark.parametrize("place", [0.0, 5e6])
def test_area_and_volume(ball, brick, place):
    there = replace(brick, vertices=brick.vertices + place)
    figures = mesh_figures(there)
    assert figures["area"] == pytest.approx(2 * (2 * 1.2 + 2 * 0.6 + 1.2 * 0.6), rel=1e-8)
    assert figures["volume"] == pytest.approx(2 * 1.2 * 0.6, rel=1e-8)
    of_ball = mesh_figures(ball(3.0))
    assert of_ball["area"] == pytest.approx(4 * np.pi * 9, rel=2e-3)
    assert of_ball["volume"] == pytest.approx(4 / 3 * np.pi * 27, rel=2e-3)


def test_edges_and_components(brick):
    whole = mesh_figures(brick)
    assert (whole["vertices"], whole["faces"], whole["components"], whole["watertight"]) == (8, 12, 1, True)
    assert (whole["boundary_edges"], whole["non_manifold_edges"]) == (0, 0)
    opened = mesh_figures(replace(brick, faces=brick.faces[1:]))
    assert (opened["boundary_edges"], opened["watertight"], opened["volume"]) == (3, False, None)
    turned = mesh_figures(replace(brick, faces=brick.faces[:, ::-1]))
    assert turned["volume"] == pytest.approx(-whole["volume"])
    vertices = np.concatenate([brick.vertices, brick.vertices + 5, [[9.0, 9, 9]]])
    two = mesh_figures(TriangleMesh(vertices, np.concatenate([brick.faces, brick.faces + 8])))
    assert (two["components"], two["watertight"]) == (2, True)
    doubled = mesh_figures(replace(brick, faces=np.concatenate([brick.faces, brick.faces])))
    assert (doubled["non_manifold_edges"], doubled["watertight"]) == (18, False)
