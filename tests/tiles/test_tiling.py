"""Weights that blend smoothly, colors, and which tiles are near."""

from __future__ import annotations

import json

import numpy as np
import pytest

from sasnet_sdf.tiles.tiling import Tile, Tiling, Voxels


@pytest.fixture(scope="module")
def tiling() -> Tiling:
    """A block of 4 x 4 x 2 voxels: one tile of half of it, one of a quarter, two of an eighth."""
    boxes = [((0, 0, 0), (2, 4, 2)), ((2, 0, 0), (4, 2, 2)), ((2, 2, 0), (4, 4, 1)), ((2, 2, 1), (4, 4, 2))]
    overlaps = [0.4, 0.3, 0.2, 0.2]
    tiles = [Tile(n, *box, 10, o) for n, (box, o) in enumerate(zip(boxes, overlaps, strict=True))]
    origin = np.array([-1.0, 2.0, 0.5])
    return Tiling(origin, 0.5, 4, np.zeros(3, np.int64), np.array([4, 4, 2]), tuple(tiles))


@pytest.fixture(scope="module")
def grid() -> Tiling:
    """27 tiles of a voxel each."""
    places = list(np.ndindex(3, 3, 3))
    tiles = [Tile(n, p, (p[0] + 1, p[1] + 1, p[2] + 1), 1, 0.25) for n, p in enumerate(places)]
    return Tiling(np.zeros(3), 1.0, 8, np.zeros(3, np.int64), np.full(3, 3), tuple(tiles))


def places(tiling: Tiling, count: int = 2000) -> np.ndarray:
    """Random points (N, 3) in the box of all tiles, and around it."""
    size = tiling.side * (tiling.high - tiling.low)
    return tiling.origin + size * np.random.default_rng(0).uniform(-0.2, 1.2, (count, 3))


def normalized(tiling: Tiling, points: np.ndarray) -> np.ndarray:
    weights = np.stack([tiling.weight(tile, points) for tile in tiling.tiles])
    return weights / weights.sum(0)


def test_weights_cover_everything_and_end_with_the_overlap(tiling):
    points = places(tiling)
    weights = np.stack([tiling.weight(tile, points) for tile in tiling.tiles])
    assert weights.min() == 0.0 and weights.max() == 1.0
    # also outside the box of all tiles, where the nearest tile's field goes on
    assert weights.sum(0).min() > 0.1
    np.testing.assert_allclose(normalized(tiling, points).sum(0), 1.0, atol=1e-12)
    for tile, weight in zip(tiling.tiles, weights, strict=True):
        low, high = tiling.box(tile)
        inner = np.array([tile.low > tiling.low, tile.high < tiling.high])
        away = np.where(inner[0], low - points, -1).max(1), np.where(inner[1], points - high, -1).max(1)
        away = np.maximum(*away)
        assert (weight[away >= tile.overlap] == 0).all()
        assert (weight[(away > -1) & (away < 0.99 * tile.overlap)] > 0).all()
        assert (weight[away < -tile.overlap] == 1).all()


def test_weights_have_two_continuous_derivatives(tiling):
    # a line that crosses three tiles; a kink of the second derivative would stand out from its neighbors
    t = np.linspace(0, 1, 4001)
    line = tiling.origin + np.stack([2 * t, 0.7 + 0.9 * t, 0.2 + 0.5 * t], 1)
    step = np.linalg.norm(line[1] - line[0])
    for weight in normalized(tiling, line):
        slope = np.diff(weight) / step
        bend = np.diff(slope) / step
        assert np.abs(np.diff(slope)).max() < 40 * step
        assert np.abs(np.diff(bend)).max() < 3000 * step


def test_touching_tiles_have_different_colors(tiling, grid):
    for some in (tiling, grid):
        for tile in some.tiles:
            for other in some.touching(tile):
                assert some.colors[tile.number] != some.colors[other.number]
                # one of two that touch comes first
                assert (other in some.before(tile)) != (tile in some.before(other))
    assert len(set(grid.colors)) == 8
    assert len(grid.touching(grid.tiles[13])) == 26 and len(grid.touching(grid.tiles[0])) == 7


def test_tiles_near_a_tile(tiling, grid):
    def numbers(tiles):
        return [tile.number for tile in tiles]

    assert numbers(tiling.touching(tiling.tiles[2])) == [0, 1, 3]
    corner = grid.tiles[0]
    assert len(grid.around(corner, 0.9)) == 7 and len(grid.around(corner, 1.0)) == 26
    # a field of the second next tile reaches a quarter into the next one, but not the corner's box
    assert len(grid.overlapping(corner)) == 7
    assert len(grid.overlapping(corner, 0.75)) == 7 and len(grid.overlapping(corner, 0.76)) == 26


def test_every_point_is_in_one_tile(tiling):
    points = places(tiling)
    found = tiling.at(points)
    for n, tile in enumerate(tiling.tiles):
        low, high = tiling.box(tile)
        np.testing.assert_array_equal(found == n, ((points >= low) & (points < high)).all(1))
    inside = ((points >= tiling.origin) & (points < tiling.origin + [2, 2, 1])).all(1)
    np.testing.assert_array_equal(found >= 0, inside)
    # a point on a face belongs to the tile above it
    assert tiling.at(np.array([[0.0, 2.1, 0.6], [-0.001, 2.1, 0.6]])).tolist() == [1, 0]


def test_lattice_points_of_tiles(tiling):
    assert tiling.cell == 0.125 and tiling.shape.tolist() == [16, 16, 8]
    low, high = tiling.corners(tiling.tiles[3])
    assert low.tolist() == [8, 8, 4] and high.tolist() == [16, 16, 8]
    np.testing.assert_allclose(tiling.origin + tiling.cell * low, tiling.box(tiling.tiles[3])[0])


def test_a_tiling_is_kept_as_json(tiling):
    told = json.loads(json.dumps(tiling.to_dict()))
    back = Tiling.from_dict(told)
    assert back.tiles == tiling.tiles and back.cells == 4 and back.side == 0.5
    np.testing.assert_array_equal(back.high, tiling.high)
    for name, wrong in (("origin", [0.0]), ("tiles", []), ("side", 0.0), ("low", 3)):
        with pytest.raises(ValueError):
            Tiling.from_dict({**told, name: wrong})
    with pytest.raises((ValueError, TypeError)):
        Tiling.from_dict({**told, "tiles": [[[0, 0, 0], [1, 1], 3, 0.1]]})


def test_the_typical_spacing_is_that_of_most_points():
    # 2000 points in a voxel, as on a plane through it, and a sparse rest
    found = np.array([[0, 0, 0], [0, 0, 1], [5, 5, 5]], np.int32)
    voxels = Voxels(np.zeros(3), 2.0, found, np.array([2000, 1, 1]))
    assert voxels.typical_spacing() == pytest.approx(2 * np.sqrt(2 / 3 / 2000))
    assert voxels.typical_spacing(np.array([1])) == pytest.approx(2 * np.sqrt(2 / 3))
    near = voxels.around(np.array([[0.5, 0.5, 0.5], [1.0, 1.0, 3.5]]))
    assert near.counts.tolist() == [2000, 1]
