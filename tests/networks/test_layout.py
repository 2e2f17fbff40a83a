"""The table's layout is tiny-cuda-nn's, number by number."""

from __future__ import annotations

import numpy as np
import pytest

from sasnet_sdf.errors import UsageError
from sasnet_sdf.model_config import GridConfig
from sasnet_sdf.networks.hash_grid import grid_layout


def test_levels_by_hand():
    # b = 4 ^ (1/2) = 2: 4, 8 and 16 vertices an axis, of which 64, 512 and 2^9 of 4096 have a row each
    layout = grid_layout(GridConfig(levels=3, log2_table=9, coarsest=4, finest=16), dim=3)
    assert layout.scales.dtype == np.float32
    np.testing.assert_allclose(layout.scales, [3, 7, 15], rtol=1e-5)
    assert layout.resolutions.tolist() == [4, 8, 16]
    assert layout.offsets.tolist() == [0, 64, 64 + 512, 64 + 512 + 512]
    assert layout.hashed.tolist() == [False, False, True]
    assert layout.entries == 1088


def test_rows_are_rounded_up_to_eight():
    layout = grid_layout(GridConfig(levels=1, log2_table=10, coarsest=5, finest=5), dim=2)
    assert layout.entries == 32 and not layout.hashed[0]  # 25 vertices


@pytest.mark.parametrize(
    ("config", "dim", "numbers"),
    [
        # what tiny-cuda-nn's own users see as params.shape
        (GridConfig(levels=16, log2_table=19, coarsest=16, finest=2048), 3, 12_196_240),
        (GridConfig(levels=8, features=8, log2_table=16, coarsest=2, finest=256), 2, 699_072),
    ],
)
def test_sizes_known_from_tinycudann(config, dim, numbers):
    assert grid_layout(config, dim).entries * config.features == numbers


@pytest.mark.parametrize("levels", range(2, 17))
@pytest.mark.parametrize("finest", [128, 256, 512, 1000, 2048])
def test_finest_level_has_as_many_vertices_as_asked_for(levels, finest):
    layout = grid_layout(GridConfig(levels=levels, coarsest=8, finest=finest), dim=3)
    assert layout.resolutions[0] == 8
    assert layout.resolutions[-1] == finest
    # ... and would have under any engine's rounding of the last bits
    assert np.ceil(layout.scales[-1] * np.float32(1 + 2e-6)) == finest - 1


def test_equal_levels():
    layout = grid_layout(GridConfig(levels=3, coarsest=16, finest=16), dim=3)
    assert layout.resolutions.tolist() == [16, 16, 16]


@pytest.mark.parametrize(
    ("changes", "dim"),
    [
        ({}, 4),
        ({"levels": 0}, 3),
        ({"features": 3}, 3),
        ({"log2_table": 2}, 3),
        ({"log2_table": 22}, 3),
        ({"coarsest": 1}, 3),
        ({"coarsest": 1024}, 3),
        ({"interpolation": "cubic"}, 3),
    ],
)
def test_settings_without_meaning_are_refused(changes, dim):
    with pytest.raises((ValueError, UsageError)):
        grid_layout(GridConfig(**changes), dim)
