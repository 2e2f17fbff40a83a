"""The reference: the rows that vertices own, and interpolation; its derivatives are in tests/parity."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from sasnet_sdf.model_config import GridConfig
from sasnet_sdf.networks.hash_grid import encode, grid_layout


def row_of(vertex: tuple[int, ...], layout, level: int) -> int:
    """The convention once more, in Python's whole numbers."""
    size = int(layout.offsets[level + 1] - layout.offsets[level])
    if layout.hashed[level]:
        index = 0
        for coordinate, prime in zip(vertex, (1, 2654435761, 805459861), strict=False):
            index ^= coordinate * prime % 2**32
    else:
        index = sum(c * int(layout.resolutions[level]) ** axis for axis, c in enumerate(vertex))
    return int(layout.offsets[level]) + index % size


@pytest.mark.parametrize("interpolation", ["linear", "smoothstep"])
@pytest.mark.parametrize("dim", [2, 3])
def test_value_at_a_vertex_is_its_row(dim, interpolation):
    config = GridConfig(levels=2, features=2, log2_table=7 if dim == 3 else 5, coarsest=4, finest=9)
    layout = grid_layout(config, dim)
    assert layout.hashed.tolist() == [False, True]
    table = torch.arange(2.0 * layout.entries, dtype=torch.float64).view(-1, 2)
    for level in range(2):
        vertices = list(itertools.product(range(1, int(layout.resolutions[level]) - 1), repeat=dim))
        unit = (torch.tensor(vertices, dtype=torch.float64) - 0.5) / float(layout.scales[level])
        features = encode(2 * unit - 1, table, layout, interpolation)
        rows = [row_of(vertex, layout, level) for vertex in vertices]
        np.testing.assert_allclose(features[2 * level : 2 * level + 2].T, table[rows], atol=1e-9)


def test_rows_by_hand():
    layout = grid_layout(GridConfig(levels=2, log2_table=7, coarsest=4, finest=9), dim=3)
    assert row_of((1, 2, 3), layout, 0) == 1 + 2 * 4 + 3 * 16
    # 2 * 2654435761 = 5308871522 = 1013904226 mod 2^32; 3 * 805459861 = 2416379583;
    # modulo 128: 1 ^ 98 ^ 63 = 92, after the 64 rows of the first level
    assert row_of((1, 2, 3), layout, 1) == 64 + 92


def test_border_of_a_dense_level_wraps():
    layout = grid_layout(GridConfig(levels=1, features=1, log2_table=10, coarsest=4, finest=4), dim=2)
    assert layout.scales[0] == 3 and layout.entries == 16
    table = torch.arange(16.0, dtype=torch.float64)[:, None]
    # (1, 1) lies at vertex 3.5, between (3, 3), (4, 3), (3, 4), (4, 4): 15, 16, 19, 20 modulo 16
    value = encode(torch.ones(1, 2, dtype=torch.float64), table, layout, "linear")
    assert value.item() == pytest.approx((15 + 0 + 3 + 4) / 4)


@pytest.mark.parametrize(("interpolation", "upper"), [("linear", 0.25), ("smoothstep", 0.15625)])
def test_weight_within_a_cell(interpolation, upper):
    layout = grid_layout(GridConfig(levels=1, features=1, log2_table=10, coarsest=9, finest=9), dim=2)
    table = torch.zeros(layout.entries, 1, dtype=torch.float64)
    table[3 + 9 * 2] = 1.0
    unit = (torch.tensor([[2.25, 2.0]], dtype=torch.float64) - 0.5) / 8
    value = encode(2 * unit - 1, table, layout, interpolation)
    assert value.item() == pytest.approx(upper)  # t, and 3 t^2 - 2 t^3, at t = 1/4


def test_outside_the_cube_is_its_border():
    layout = grid_layout(GridConfig(levels=3, log2_table=8, coarsest=4, finest=16), dim=3)
    table = torch.randn(layout.entries, 2, dtype=torch.float64)
    outside = torch.tensor([[1.5, 0.3, -7.0], [0.2, -1.1, 0.4]], dtype=torch.float64, requires_grad=True)
    features = encode(outside, table, layout, "linear")
    np.testing.assert_array_equal(
        features.detach(), encode(outside.detach().clamp(-1, 1), table, layout, "linear")
    )
    (gradient,) = torch.autograd.grad(features.square().sum(), outside)
    assert ((gradient == 0) == (outside.detach().abs() > 1)).all()


def test_shape_type_and_no_points():
    layout = grid_layout(GridConfig(levels=3, features=4, log2_table=8, coarsest=4, finest=16), dim=2)
    table = torch.randn(layout.entries, 4)
    features = encode(torch.rand(7, 2), table, layout, "linear")
    assert features.shape == (12, 7) and features.dtype == torch.float32 and features.is_contiguous()
    assert encode(torch.empty(0, 2), table, layout, "linear").shape == (12, 0)
