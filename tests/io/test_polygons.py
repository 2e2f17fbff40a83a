"""Polygons as triangles: their area, their sense and their sides, in OBJ, PLY and OFF."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from sasnet_sdf.io import read_geometry
from sasnet_sdf.io.polygons import strips, triangles_of
from sasnet_sdf.supervision.targets import is_closed, signed_volume

# a C, and a comb whose back has a corner at each tooth
C = [(0, 0), (4, 0), (4, 1), (1, 1), (1, 3), (4, 3), (4, 4), (0, 4)]
COMB = [(x, 0) for x in range(9)]
COMB += [
    (x, y) for k in (4, 3, 2, 1) for x, y in ((2 * k, 2), (2 * k - 1, 2), (2 * k - 1, 1), (2 * k - 2, 1))
]
QUAD = [(0, 0), (2, 0), (0.5, 0.5), (0, 2)]


def sides(triangles):
    """The directed edges that no other triangle runs along the other way."""
    count = Counter((row[k], row[(k + 1) % 3]) for row in triangles.tolist() for k in range(3))
    return {edge for edge, times in count.items() if times != count[edge[::-1]]}


@pytest.mark.parametrize("outline, area", [(C, 10), (COMB, 12), (QUAD, 1)])
@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("far", [0, 5e6])
def test_concave_polygons(outline, area, turned, far):
    rng = np.random.default_rng(0)
    outline = np.array(outline[::-1] if turned else outline, float)
    for axes in (np.eye(3), np.eye(3)[[1, 2, 0]], np.linalg.qr(rng.normal(size=(3, 3)))[0]):
        points = outline @ axes[:2] + far
        triangles, owner = triangles_of(points, np.arange(len(points)), np.array([len(points)]))
        a, b, c = points[triangles].swapaxes(0, 1)
        areas = np.cross(b - a, c - a) / 2
        assert np.linalg.norm(areas, axis=1).sum() == pytest.approx(area, rel=1e-6)
        normal = np.cross(axes[0], axes[1]) * (-1 if turned else 1)
        assert areas.sum(0) == pytest.approx(area * normal, rel=1e-6, abs=1e-6)
        assert len(triangles) == len(points) - 2 and not owner.any()
        assert sides(triangles) == {(k, (k + 1) % len(points)) for k in range(len(points))}


def test_polygons_keep_their_order_and_convex_ones_are_fans():
    points = np.array([*C, (9, 0), (10, 0), (10, 1), (9, 1)], float) @ np.eye(3)[:2]
    corners = np.array([8, 9, 10, *range(8), 8, 9, 10, 11, 0, 1])
    triangles, owner = triangles_of(points, corners, np.array([3, 8, 4, 2]))
    assert owner.tolist() == [0, *[1] * 6, 2, 2]
    assert triangles[[0, 7, 8]].tolist() == [[8, 9, 10], [8, 9, 10], [8, 10, 11]]


def test_broken_polygons_keep_their_sides():
    crossed = np.array([[0, 0, 0], [1, 1, 0], [1, 0, 0], [0, 1, 0], [-1, 3, 0], [2, 2, 0]], float)
    for points in (crossed, crossed * 0, np.full((6, 3), np.nan), crossed * 1e300):
        with np.errstate(all="ignore"):
            triangles, _ = triangles_of(points, np.arange(6), np.array([6]))
        assert sides(triangles) == {(k, (k + 1) % 6) for k in range(6)}


def test_strips():
    rows = strips(np.array([0, 1, 2, 3, -1, 4, 5, 6, 6, 7, 1, 2, 3]), np.array([10, 3])).tolist()
    assert rows == [[0, 1, 2], [2, 1, 3], [4, 5, 6], [1, 2, 3]]


def prism():
    """Corners and polygons, outward, of the C drawn out to a height of one: volume 10."""
    count = len(C)
    points = np.array([(x, y, z) for z in (0, 1) for x, y in C], float)
    walls = [[k, (k + 1) % count, (k + 1) % count + count, k + count] for k in range(count)]
    return points, [list(range(count))[::-1], list(range(count, 2 * count)), *walls]


@pytest.mark.parametrize("kind", ["obj", "off", "ply"])
def test_a_prism_of_concave_caps_is_closed(tmp_path, kind):
    points, polygons = prism()
    path = tmp_path / f"prism.{kind}"
    rows = "".join(f"{x} {y} {z}\n" for x, y, z in points)
    counted = "".join(f"{len(polygon)} {' '.join(map(str, polygon))}\n" for polygon in polygons)
    head = "ply\nformat ascii 1.0\nelement vertex 16\n" + "".join(f"property float {a}\n" for a in "xyz")
    head += "element face 10\nproperty list uchar int vertex_indices\nend_header\n"
    text = {
        "off": f"OFF\n16 10 0\n{rows}{counted}",
        "ply": head + rows + counted,
        "obj": "".join(f"v {row}\n" for row in rows.splitlines())
        + "".join(f"f {' '.join(str(k + 1) for k in polygon)}\n" for polygon in polygons),
    }[kind]
    path.write_text(text)
    mesh = read_geometry(path)
    assert len(mesh.faces) == 28 and is_closed(mesh.faces) and mesh.notes == ()
    assert signed_volume(mesh.vertices, mesh.faces) == pytest.approx(10)
