"""A surface that leaves the lattice, as a field does that bridges a hole in the data of a solid."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import numpy as np
import pytest

from sasnet_sdf.config import ExtractionConfig
from sasnet_sdf.errors import NoSurface
from sasnet_sdf.extraction import Support
from sasnet_sdf.extraction.refinement import GAP_OF_CLOUD
from sasnet_sdf.field import Field
from sasnet_sdf.geometry import Frame
from sasnet_sdf.mesh import Edges
from sasnet_sdf.problems.extract import surface_of
from sasnet_sdf.runtime.memory import SurfaceMemory
from sasnet_sdf.spatial import Tree, morton_order

RADIUS, TOP = 0.7, 0.5


class Ball:
    """A field that is a ball, from data on all of it but its top, which the box of the data cuts off."""

    low, high = np.array([-RADIUS] * 3), np.array([RADIUS, RADIUS, TOP])
    frame = Frame(np.array([10.0, 0.0, 0.0]), 3.0)

    def __init__(self, gap: float):
        points = np.random.default_rng(0).normal(size=(20_000, 3))
        points *= RADIUS / np.linalg.norm(points, axis=1, keepdims=True)
        points = points[points[:, 2] < TOP]
        tree = Tree.of(points[morton_order(points)])
        spacing = tree.neighbors(6)[1].mean(1, dtype=np.float64)
        self.support = Support(tree, spacing, gap)

    def unit_distance(self, points):
        return np.linalg.norm(points, axis=1) - RADIUS

    def unit_gradient(self, points):
        return self.unit_distance(points), points / np.linalg.norm(points, axis=1, keepdims=True)


def surface(gap: float, **changes: Any):
    field = cast(Field, Ball(gap))
    return surface_of(field, ExtractionConfig(resolution=96, **changes), SurfaceMemory())


def test_a_solid_is_closed_at_the_lattices_border():
    mesh, facts = surface(0.2)
    assert facts["trim"]["solid"] and facts["trim"]["closed"]
    assert Edges.of(mesh.faces) == Edges(0, 0, 0)
    assert mesh.vertices[:, 2].max() < 3 * (TOP + 0.1)


def test_what_is_no_solid_ends_at_its_data():
    mesh, facts = surface(GAP_OF_CLOUD)
    assert facts["trim"]["mode"] == "auto" and not facts["trim"]["closed"]
    assert facts["trim"]["widest_gap"] == pytest.approx(
        (RADIUS**2 - TOP**2) / (2 * RADIUS * (RADIUS + TOP)), abs=0.02
    )
    assert Edges.of(mesh.faces).loops == facts["boundary_loops"] == 1


@pytest.mark.parametrize(("changes", "loops"), [({"trim": "off"}, 1), ({"watertight": True}, 0)])
def test_off_and_watertight_cut_nothing(changes, loops):
    mesh, facts = surface(GAP_OF_CLOUD, **changes)
    assert facts["trim"]["length"] is None and facts["trim"]["removed"] == 0
    assert Edges.of(mesh.faces).loops == loops


def test_a_surface_far_from_all_data_is_an_error():
    field = Ball(GAP_OF_CLOUD)
    points = field.support.tree.points / 10
    field.support = replace(field.support, tree=Tree.of(points), spacing=field.support.spacing / 10)
    with pytest.raises(NoSurface, match="no surface near the data"):
        surface_of(cast(Field, field), ExtractionConfig(resolution=96), SurfaceMemory())


def test_fewer_triangles_keep_to_the_length_too():
    mesh, facts = surface(GAP_OF_CLOUD, trim=0.09, faces=2000)
    unit = Ball.frame.to_unit(mesh.vertices)
    assert 3 * Ball(GAP_OF_CLOUD).support.distance(unit)[0].max() <= facts["trim"]["length"] == 0.09
    assert 1999 <= len(mesh.faces) <= 2000
    _, whole = surface(GAP_OF_CLOUD, trim=0.09)
    assert facts["boundary_loops"] == whole["boundary_loops"] and not facts["non_manifold_edges"]
