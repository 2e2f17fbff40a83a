"""Lattices of overlapping boxes share their points; a cell has to be smaller than the box."""

import numpy as np
import pytest

from sasnet_sdf.errors import UsageError
from sasnet_sdf.extraction import lattice_around


def test_points_of_overlapping_boxes_agree():
    one = lattice_around([-0.5, -0.4, -0.3], [0.2, 0.3, 0.4], 2 / 77)
    two = lattice_around([-0.1, -0.6, 0.0], [0.9, 0.1, 0.8], 2 / 77)
    shift = np.rint((two.low - one.low) / one.cell).astype(int)
    low, high = np.maximum(shift, 0), np.minimum(np.array(two.shape) + shift, one.shape)
    assert (high > low + 5).all()
    indices = low + np.indices(high - low).reshape(3, -1).T
    np.testing.assert_allclose(one.points(indices), two.points(indices - shift), rtol=0, atol=1e-14)


@pytest.mark.parametrize("resolution", [64, 512, 2048])
def test_lattice_covers_the_box_with_a_margin_and_stays_in_the_cube(resolution):
    low, high = np.array([-0.95, -0.2, 0.1]), np.array([0.95, 0.3, 0.2])
    lattice = lattice_around(low, high, 2 / resolution)
    last, margin = lattice.points(lattice.shape), max(0.02, 3 * lattice.cell)
    assert (lattice.low >= -1).all() and (last <= 1 + 1e-12).all()
    assert (lattice.low <= np.maximum(low - margin, -1) + 1e-12).all()
    assert (last >= np.minimum(high + margin, 1) - 1e-12).all()


@pytest.mark.parametrize("cell", [0.0, -0.1, 2.0, float("nan")])
def test_a_cell_larger_than_the_box_is_refused(cell):
    with pytest.raises(UsageError, match="smaller"):
        lattice_around([-1, -1, -1], [1, 1, 1], cell)
