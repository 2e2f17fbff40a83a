"""Where the samples of a signal lie: index, world and unit cube."""

from __future__ import annotations

import numpy as np
import pytest

from sasnet_sdf.signals import Grid


def test_an_images_pixels():
    grid = Grid.of_image(4, 6)
    assert np.allclose(grid.to_world([[0, 0], [3, 5]]), [[0.5, 0.5], [5.5, 3.5]])  # x, y of row, column
    assert np.allclose(grid.to_unit([[-0.5, -0.5], [3.5, 5.5]]), [[-4 / 6, -1], [4 / 6, 1]])
    assert grid.half == 3 and np.allclose(grid.spacing, 1)


def test_a_volumes_voxels_keep_their_spacing():
    grid = Grid.of_volume((10, 20, 5), (2.0, 0.5, 1.0))
    assert np.allclose(grid.to_world([[9, 19, 4]]), [[18, 9.5, 4]])
    # 20 x 10 x 5 world units
    assert grid.half == 10
    assert np.allclose(grid.to_unit([[9.5, 19.5, 4.5]]), [[1, 0.5, 0.25]])


@pytest.mark.parametrize("dim", [2, 3])
def test_ways_there_and_back(dim):
    rng = np.random.default_rng(dim)
    affine = np.eye(dim + 1)
    affine[:-1] = rng.normal(size=(dim, dim + 1))
    grid = Grid(tuple(range(5, 5 + dim)), affine)
    index = rng.uniform(-1, 5, (50, dim))
    assert np.allclose(grid.to_index(grid.to_world(index)), index)
    assert np.allclose(grid.from_unit(grid.to_unit(index)), index)
    again = Grid.from_dict(grid.to_dict())
    assert again.shape == grid.shape and np.array_equal(again.affine, grid.affine)


def test_the_domain_is_all_cells_and_no_more():
    grid = Grid.of_image(4, 6)
    index = np.array([[-0.5, 0], [-0.51, 0], [3.5, 5.5], [3.51, 0], [0, 5.51]])
    assert grid.covers(index).tolist() == [True, False, True, False, False]


@pytest.mark.parametrize(
    "values",
    [
        {"shape": [4], "affine": np.eye(2).tolist()},
        {"shape": [4, 0], "affine": np.eye(3).tolist()},
        {"shape": [4, 4], "affine": np.eye(4).tolist()},
    ],
)
def test_what_is_no_grid_is_refused(values):
    with pytest.raises(ValueError, match="none of an image or a volume"):
        Grid.from_dict(values)
