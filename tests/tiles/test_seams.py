"""What two tiles agree on at their border: values on faces, and vertices that have the same numbers."""

from __future__ import annotations

import numpy as np
import pytest

from sasnet_sdf.errors import UsageError
from sasnet_sdf.extraction.lattice import SparseValues
from sasnet_sdf.tiles.scratch import Scratch
from sasnet_sdf.tiles.seams import LONGEST, NOBODY, Faces, Seam, check_lattice, known_before, numbers_of
from sasnet_sdf.tiles.tiling import Tile, Tiling


def row(*lengths: int, cells: int = 4) -> Tiling:
    """Tiles side by side along x, 2 voxels wide."""
    ends = np.cumsum([0, *lengths])
    tiles = [Tile(n, (int(ends[n]), 0, 0), (int(ends[n + 1]), 2, 2), 1, 0.5) for n in range(len(lengths))]
    return Tiling(np.zeros(3), 1.0, cells, np.zeros(3, np.int64), np.array([ends[-1], 2, 2]), tuple(tiles))


def test_every_edge_of_the_lattice_has_its_own_number():
    points = np.array(list(np.ndindex(5, 5, 5)))
    corner = np.concatenate([points, points + LONGEST - 5])
    numbers = np.concatenate([numbers_of(corner, np.full(len(corner), axis)) for axis in range(4)])
    assert len(np.unique(numbers)) == 4 * 250 and numbers.min() >= 0
    # the low two bits are the axis, then z
    assert numbers_of(np.array([[0, 0, 1]]), np.array([2])).tolist() == [6]


def test_edges_on_faces_that_have_tiles_behind_them():
    faces = Faces.of(row(2, 3, 1), row(2, 3, 1).tiles[1])
    assert faces.low.tolist() == [8, 0, 0] and faces.high.tolist() == [20, 8, 8]
    assert faces.inner.tolist() == [[True, False, False], [True, False, False]]
    asked = [
        ((8, 3, 3), 1, True),
        ((8, 3, 3), 2, True),
        ((8, 3, 3), 0, False),  # it leaves the face
        ((7, 3, 3), 0, False),
        ((20, 0, 8), 1, True),
        ((9, 3, 3), 1, False),
        ((10, 0, 4), 0, False),  # the border of the whole
        ((8, 3, 3), 3, False),  # no edge of the lattice
    ]
    points, axes = np.array([a for a, _, _ in asked]), np.array([b for _, b, _ in asked])
    assert faces.hold(points, axes).tolist() == [held for _, _, held in asked]


@pytest.fixture
def values() -> SparseValues:
    """A lattice of 16 x 8 x 8 cells; a value names its point, and none is known where y is 5."""
    found = SparseValues((17, 9, 9))
    found.allocate(np.ones(found.index.shape, np.bool_))
    points = np.indices(found.shape, np.int32).reshape(3, -1).T
    points = points[points[:, 1] != 5]
    found.put(points, (points @ [10_000, 100, 1]).astype(np.float32))
    return found


def test_known_values_are_those_on_inner_faces(values):
    # the lattice begins 2 cells before the tile
    faces, first = Faces.of(row(2, 3, 1), row(2, 3, 1).tiles[1]), np.array([6, 0, 0])
    points, known = faces.known(values, first)
    np.testing.assert_array_equal(known, (points - first) @ [10_000, 100, 1])
    assert set(points[:, 0].tolist()) == {8, 20}
    # 9 x 9 points on each face, less a row that is not known
    assert len(points) == len(np.unique(points, axis=0)) == 2 * 72
    alone = row(2)
    assert len(Faces.of(alone, alone.tiles[0]).known(values, np.zeros(3, np.int64))[0]) == 0


def saved(scratch: Scratch, number: int, points, values, numbers, owner) -> None:
    """What a tile leaves; a vertex is at its number."""
    numbers, owner = np.array(numbers).reshape(-1, 2), np.array(owner).reshape(-1, 2)
    place = np.repeat(numbers[:, :1].astype(np.float64), 3, axis=1)
    scratch.save(
        "seam",
        number,
        points=np.array(points).reshape(-1, 3),
        values=np.array(values, np.float64),
        numbers=numbers,
        owner=owner,
        vertices=place,
        normals=place,
        over=np.zeros(len(numbers)),
    )


def test_a_tile_takes_over_what_those_before_it_left(tmp_path):
    scratch, tiling = Scratch(tmp_path), row(2, 3, 1)
    # tiles 0 and 2 have the first color, 1 the second
    assert tiling.colors == [0, 1, 0]
    saved(
        scratch, 0, [[8, 0, 0], [8, 1, 1], [8, 20, 0]], [1.0, 2.0, 3.0], [[5, -1], [5, 9]], [[0, 3], [0, 4]]
    )
    saved(scratch, 2, [[20, 0, 0]], [4.0], [[7, -1]], [[2, 6]])
    first, shape = np.array([5, 0, 0]), np.array([18, 8, 8])
    points, values = known_before(scratch, tiling, tiling.tiles[1], first, shape)
    # one of them is not on the tile's box
    assert points.tolist() == [[3, 0, 0], [3, 1, 1], [15, 0, 0]] and values.tolist() == [1.0, 2.0, 4.0]
    seam = Seam.before(scratch, tiling, tiling.tiles[1])
    asked = np.array([[7, NOBODY], [5, 9], [9, 5], [5, NOBODY], [8, NOBODY]])
    rows = seam.rows_of(asked)
    assert rows[[2, 4]].tolist() == [-1, -1]
    np.testing.assert_array_equal(seam.numbers[rows[[0, 1, 3]]], asked[[0, 1, 3]])
    assert seam.owner[rows[[0, 1, 3]]].tolist() == [[2, 6], [0, 4], [0, 3]]
    nothing = Seam.before(scratch, tiling, tiling.tiles[0])
    assert nothing.rows_of(asked).tolist() == [-1] * 5
    assert len(known_before(scratch, tiling, tiling.tiles[0], first, shape)[0]) == 0


def test_a_vertex_that_one_tile_lost_is_taken_from_one_that_has_it(tmp_path):
    tiles = [Tile(n, (x, y, 0), (x + 1, y + 1, 1), 1, 0.5) for n, (x, y) in enumerate(np.ndindex(2, 2))]
    tiling = Tiling(np.zeros(3), 1.0, 4, np.zeros(3, np.int64), np.array([2, 2, 1]), tuple(tiles))
    scratch = Scratch(tmp_path)
    saved(scratch, 0, [], [], [[5, -1], [6, -1]], [[NOBODY, NOBODY], [NOBODY, NOBODY]])
    saved(scratch, 1, [], [], [[5, -1]], [[1, 8]])
    saved(scratch, 2, [], [], [], [])
    seam = Seam.before(scratch, tiling, tiling.tiles[3])
    rows = seam.rows_of(np.array([[5, -1], [6, -1]]))
    assert seam.owner[rows].tolist() == [[1, 8], [NOBODY, NOBODY]]


def test_a_lattice_that_is_too_long_is_refused():
    check_lattice(row(1, LONGEST // 4 - 2))
    with pytest.raises(UsageError, match=r"1,048,\d+ lattice cells long.*edge length above 0\.25"):
        check_lattice(row(1, LONGEST // 4))
