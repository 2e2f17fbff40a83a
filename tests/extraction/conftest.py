"""Shapes with exact signed distances, and checks of every mesh."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation
from skimage.measure import marching_cubes

from sasnet_sdf.extraction import Lattice, Surface, extract_surface, lattice_around

# An angle at which no face of a shape is parallel to a lattice plane.
TILT = Rotation.from_euler("xyz", [0.31, 0.17, 0.42]).as_matrix()


class Shape:
    """An exact signed distance and the box around its surface, in the unit cube."""

    def __init__(self, distance, low, high):
        self.distance, self.low, self.high = distance, np.asarray(low), np.asarray(high)

    def with_gradient(self, points):
        """Values (N,) and central differences (N, 3)."""
        h = 1e-5
        ahead = [self.distance(points + h * axis) - self.distance(points - h * axis) for axis in np.eye(3)]
        return self.distance(points), np.stack(ahead, 1) / (2 * h)

    def unmoved(self, points):
        """A gradient and a value of zero, so that vertices stay where marching cubes put them."""
        return np.zeros(len(points)), np.tile([0.0, 0.0, 1.0], (len(points), 1))

    def lattice(self, resolution: int) -> Lattice:
        return lattice_around(self.low, self.high, 2 / resolution)

    def surface(self, resolution: int) -> Surface:
        return extract_surface(self.distance, self.with_gradient, self.lattice(resolution))


def ball(radius, center=(0.0, 0.0, 0.0)):
    center = np.asarray(center)
    return Shape(lambda p: np.linalg.norm(p - center, axis=1) - radius, center - radius, center + radius)


def ring(major, minor):
    def distance(p):
        return np.hypot(np.hypot(p[:, 0], p[:, 1]) - major, p[:, 2]) - minor

    outer = major + minor
    return Shape(distance, [-outer, -outer, -minor], [outer, outer, minor])


def brick(half, turn=TILT, center=(0.0, 0.0, 0.0)):
    half, center = np.asarray(half), np.asarray(center)

    def distance(p):
        q = np.abs((p - center) @ turn) - half
        return np.linalg.norm(np.maximum(q, 0), axis=1) + np.minimum(q.max(1), 0)

    reach = np.abs(turn) @ half
    return Shape(distance, center - reach, center + reach)


def rod(start, end, radius):
    start, end = np.asarray(start), np.asarray(end)

    def distance(p):
        along = np.clip((p - start) @ (end - start) / np.sum((end - start) ** 2), 0, 1)
        return np.linalg.norm(p - start - along[:, None] * (end - start), axis=1) - radius

    return Shape(distance, np.minimum(start, end) - radius, np.maximum(start, end) + radius)


def union(*shapes):
    def distance(p):
        return np.min([shape.distance(p) for shape in shapes], axis=0)

    return Shape(distance, np.min([s.low for s in shapes], axis=0), np.max([s.high for s in shapes], axis=0))


SHAPES = {
    "sphere": ball(0.7),
    "torus": ring(0.6, 0.25),
    "box": brick([0.5, 0.4, 0.3]),
    "box on the lattice": brick([0.5, 0.375, 0.25], np.eye(3)),
    # 0.008 thick: a tenth of a cell of the first lattice, one cell at resolution 256.
    "thin plate": brick([0.3, 0.2, 0.004]),
    "rods": union(
        rod([-0.4, -0.3, -0.1], [0.4, 0.3, 0.1], 0.005),
        rod([-0.4, 0.3, 0.1], [0.4, -0.3, 0.12], 0.006),
        rod([0.0, 0.31, -0.13], [0.05, -0.3, 0.1], 0.008),
    ),
    "two sheets": union(
        brick([0.3, 0.2, 0.02]),
        brick([0.3, 0.2, 0.02], center=TILT @ [0.0, 0.0, 0.06]),
    ),
    "three balls": union(ball(0.4, (-0.3, 0, 0)), ball(0.15, (0.5, 0.1, 0.2)), ball(0.03, (0.3, -0.6, 0))),
}


@pytest.fixture(scope="session")
def shapes():
    return SHAPES


@pytest.fixture(scope="session")
def surface_of():
    """surface_of(name, resolution): the extracted surface, made once."""
    made = {}

    def surface_of(name: str, resolution: int) -> Surface:
        if (name, resolution) not in made:
            made[name, resolution] = SHAPES[name].surface(resolution)
        return made[name, resolution]

    return surface_of


@dataclass
class Measured:
    """What a triangle mesh is, in numbers. area and volume: (F,), signed contributions of triangles."""

    area: np.ndarray
    volume: np.ndarray
    closed: bool
    euler: int


@pytest.fixture(scope="session")
def measure():
    def measure(mesh) -> Measured:
        vertices, faces = mesh.vertices, mesh.faces
        a, b, c = (vertices[faces[:, n]] for n in range(3))
        area = np.linalg.norm(np.cross(b - a, c - a), axis=1) / 2
        volume = np.einsum("ij,ij->i", a, np.cross(b, c)) / 6
        directed = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
        there = np.sort(directed @ [len(vertices), 1])
        back = np.sort(directed @ [1, len(vertices)])
        # Each edge is run along once in each direction: two triangles meet there, turned alike.
        closed = len(np.unique(there)) == len(there) and np.array_equal(there, back)
        return Measured(area, volume, closed, len(vertices) - len(there) // 2 + len(faces))

    return measure


@pytest.fixture(scope="session")
def assert_dense():
    """assert_dense(shape, lattice): the triangles are scikit-image's on the whole lattice.

    Where vertices of its fall together at lattice points, only their places and numbers are compared.
    """

    def assert_dense(shape: Shape, lattice: Lattice) -> None:
        surface = extract_surface(shape.distance, shape.unmoved, lattice)
        volume = np.empty([n + 1 for n in lattice.shape], np.float32)
        for i, slab in enumerate(volume):
            indices = np.indices((1, *slab.shape)).reshape(3, -1).T
            slab[:] = shape.distance(lattice.points(indices + [i, 0, 0])).reshape(slab.shape)
        vertices, faces, _, _ = marching_cubes(volume, 0.0)
        assert len(vertices) == len(surface.vertices)
        assert len(faces) == len(surface.faces)
        off, partner = cKDTree(surface.vertices).query(lattice.points(vertices))
        assert off.max() < 2e-3 * lattice.cell
        if len(np.unique(vertices, axis=0)) < len(vertices):
            return
        assert len(np.unique(partner)) == len(partner)
        np.testing.assert_array_equal(_in_order(partner[faces]), _in_order(surface.faces))

    return assert_dense


def _in_order(faces):
    """Triangles that start at their smallest vertex, in lexicographic order."""
    first = faces.argmin(1)[:, None]
    faces = np.take_along_axis(faces, (first + np.arange(3)) % 3, 1)
    return faces[np.lexsort(faces.T)]
