"""Products with a tile of points against numpy, for shapes that fill no block."""

from __future__ import annotations

import numpy as np
import pytest

from sasnet_sdf.networks.grid_kernels import TILE
from sasnet_sdf.networks.kernels import add_outer, add_product, add_rows, clear, copy, fill_rows

SHAPES = [(1, 1), (1, 3), (3, 1), (4, 4), (5, 7), (8, 16), (17, 2), (50, 33)]
START = 11
"""Where the matrix begins among the numbers of a network."""


@pytest.fixture
def random():
    generator = np.random.default_rng(0)
    return lambda *shape: generator.normal(size=shape).astype(np.float32)


def assert_close(found, expected, terms):
    """Equal up to the rounding of a float32 sum of so many terms."""
    assert np.abs(found - expected).max() < 4e-7 * terms**0.5 * max(np.abs(expected).max(), 1)


@pytest.mark.parametrize("columns", [TILE, 2 * TILE])
@pytest.mark.parametrize("rows, depth", SHAPES)
def test_product_is_added(compiled, random, rows, depth, columns):
    numbers, inputs, before = random(START + rows * depth + 9), random(depth, columns), random(rows, columns)
    out = before.copy()
    compiled(add_product)(numbers, START, inputs, out)
    matrix = numbers[START : START + rows * depth].reshape(rows, depth).astype(np.float64)
    assert_close(out, before + matrix @ inputs, depth + 1)


@pytest.mark.parametrize("columns", [TILE, 2 * TILE])
@pytest.mark.parametrize("rows, depth", SHAPES)
def test_outer_product_is_added(compiled, random, rows, depth, columns):
    left, right = random(rows, columns), random(depth, columns)
    before = random(START + rows * depth + 9)
    numbers = before.copy()
    compiled(add_outer)(left, right, numbers, START)
    expected, end = left.astype(np.float64) @ right.T, START + rows * depth
    assert_close(numbers[START:end], before[START:end] + expected.ravel(), columns)
    assert np.array_equal(numbers[:START], before[:START]) and np.array_equal(numbers[end:], before[end:])


@pytest.mark.parametrize("columns", [1, 77, TILE])
def test_rows_are_summed_over_the_first_columns(compiled, random, columns):
    values, before = random(7, 2 * TILE), random(START + 7 + 5)
    numbers = before.copy()
    compiled(add_rows)(values, columns, numbers, START)
    sums = values[:, :columns].sum(1, dtype=np.float64)
    assert_close(numbers[START : START + 7], before[START : START + 7] + sums, columns)
    assert np.array_equal(numbers[:START], before[:START])
    assert np.array_equal(numbers[START + 7 :], before[START + 7 :])


def test_rows_of_a_larger_array(compiled, random):
    """A tile's rows are slices of what the tile keeps."""
    state, numbers = random(40, TILE), random(6 * 9)
    expected = state[20:26] + numbers.reshape(6, 9).astype(np.float64) @ state[5:14]
    others = np.delete(state, slice(20, 26), axis=0).copy()
    compiled(add_product)(numbers, 0, state[5:14], state[20:26])
    assert_close(state[20:26], expected, 10)
    assert np.array_equal(np.delete(state, slice(20, 26), axis=0), others)


def test_fill_clear_copy(compiled, random):
    numbers, out = random(20), random(6, TILE)
    compiled(fill_rows)(numbers, 4, out)
    assert np.array_equal(out, np.repeat(numbers[4:10, None], TILE, axis=1))

    source, target = random(8, 2 * TILE), random(6, 2 * TILE)
    left = target[:, :TILE].copy()
    compiled(copy)(source, target, TILE)
    assert np.array_equal(target[:, :TILE], left)
    assert np.array_equal(target[:, TILE:], source[:6, :TILE])

    compiled(clear)(target)
    assert (target == 0).all()
