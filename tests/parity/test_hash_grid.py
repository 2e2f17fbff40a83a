"""The reference's derivatives against difference quotients, and every other engine against the reference.

The reference runs in float64, the engines in float32.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch

from sasnet_sdf.engines import ENGINES
from sasnet_sdf.model_config import GridConfig
from sasnet_sdf.networks.hash_grid import encode, grid_layout

GRIDS = {
    "dense": GridConfig(levels=3, log2_table=14, coarsest=4, finest=20),
    "hashed": GridConfig(levels=4, log2_table=6, coarsest=10, finest=60),
    "one level": GridConfig(levels=1, features=1, log2_table=12, coarsest=8, finest=8),
    "deep": GridConfig(levels=8, log2_table=12, coarsest=8, finest=256),
    "wide": GridConfig(levels=5, features=4, log2_table=9, coarsest=4, finest=64),
}
TOLERANCE = 5e-4
"""Float32 places a point in a cell of the finest grid to some 1e-5 of the cell; derivatives inherit it."""


def points_inside_cells(layout, count, margin=0.02):
    """Points (count, d) float32 in [-1, 1] at least `margin` cells away from every border of a cell.

    There the derivatives of linear interpolation, and the second ones of smoothstep, exist.
    """
    points = np.random.default_rng(0).uniform(-1, 1, (50 * count, layout.dim)).astype(np.float32)
    position = (points.astype(np.float64) + 1) / 2 * layout.scales[:, None, None].astype(np.float64) + 0.5
    away = (np.abs(position % 1 - 0.5) < 0.5 - margin).all((0, 2))
    assert away.sum() >= count
    return torch.from_numpy(points[away][:count])


@pytest.mark.parametrize("interpolation", ["linear", "smoothstep"])
@pytest.mark.parametrize("dim", [2, 3])
def test_reference_against_difference_quotients(dim, interpolation):
    layout = grid_layout(GridConfig(levels=2, features=1, log2_table=5, coarsest=2, finest=5), dim)
    assert layout.hashed.tolist() == [False, dim == 3]
    points = points_inside_cells(layout, 3).double().requires_grad_()
    table = torch.randn(layout.entries, 1, dtype=torch.float64, requires_grad=True)

    def features(x, t):
        return encode(x, t, layout, interpolation)

    assert torch.autograd.gradcheck(features, (points, table))
    assert torch.autograd.gradgradcheck(features, (points, table))


@pytest.fixture(params=[name for name in ENGINES if name != "torch"])
def engine(request):
    engine = ENGINES[request.param]
    if reason := engine.missing():
        pytest.skip(reason)
    if engine.device == "cuda" and not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    return engine


def derivatives(encode, inputs, layout, interpolation):
    """Value, gradients, and the gradients of a loss on the gradient by the points.

    inputs: points (N, d), table (entries, F), cotangent (levels * F, N).
    """
    points, table, cotangent = (tensor.detach().requires_grad_() for tensor in inputs)
    features = encode(points, table, layout, interpolation)
    by_points, by_table = torch.autograd.grad(features, (points, table), cotangent, create_graph=True)
    loss = (by_points.norm(dim=1) - 1).square().sum()
    second = torch.autograd.grad(loss, (points, table, cotangent))
    names = ("value", "points", "table", "loss, points", "loss, table", "loss, cotangent")
    return dict(zip(names, (features, by_points, by_table, *second), strict=True))


def assert_same(found, expected, tolerance):
    """Equal up to `tolerance` of the largest entry."""
    assert found.keys() == expected.keys()
    for name, reference in expected.items():
        value, scale = found[name].detach().cpu().double(), reference.detach().abs().max()
        assert scale > 0, name
        assert value.shape == reference.shape, name
        error = ((value - reference.detach()).abs().max() / scale).item()
        assert error < tolerance, f"{name}: off by {error:.1e} of its largest entry"


def device_of(engine):
    return engine.device or "cpu"


def inputs_for(layout, points):
    generator = torch.Generator().manual_seed(1)
    features = layout.config.features
    table = torch.randn(layout.entries, features, generator=generator)
    cotangent = torch.randn(layout.config.levels * features, len(points), generator=generator)
    return points, table, cotangent


@pytest.mark.parametrize("interpolation", ["linear", "smoothstep"])
@pytest.mark.parametrize("dim", [2, 3])
@pytest.mark.parametrize("grid", GRIDS)
def test_value_and_derivatives(engine, grid, dim, interpolation):
    layout = grid_layout(GRIDS[grid], dim)
    inputs = inputs_for(layout, points_inside_cells(layout, 700))
    found = derivatives(engine.load(), [i.to(device_of(engine)) for i in inputs], layout, interpolation)
    expected = derivatives(encode, [i.double() for i in inputs], layout, interpolation)
    assert_same(found, expected, TOLERANCE)


@pytest.mark.parametrize("interpolation", ["linear", "smoothstep"])
def test_at_the_border_and_outside(engine, interpolation):
    layout = grid_layout(GRIDS["hashed"], 3)
    points = torch.tensor([[1.0, 0.3, -1.0], [1.7, -0.2, 0.1], [-3.0, 9.0, 0.7], [0.0, 0.11, -1.01]])
    inputs = inputs_for(layout, points)
    found = derivatives(engine.load(), [i.to(device_of(engine)) for i in inputs], layout, interpolation)
    expected = derivatives(encode, [i.double() for i in inputs], layout, interpolation)
    assert_same(found, expected, TOLERANCE)
    assert (found["points"][1:].cpu()[points[1:].abs() > 1] == 0).all()


@pytest.mark.parametrize("interpolation", ["linear", "smoothstep"])
@pytest.mark.parametrize("dim", [2, 3])
def test_derivatives_of_the_table_gradient(engine, dim, interpolation):
    if engine.name == "tinycudann":
        pytest.skip("tiny-cuda-nn has none; its adapter raises")
    layout = grid_layout(GRIDS["hashed"], dim)
    inputs = inputs_for(layout, points_inside_cells(layout, 700))
    direction = torch.randn(inputs[1].shape, generator=torch.Generator().manual_seed(2))

    def second(encode, inputs, direction):
        points, table, cotangent = (tensor.detach().requires_grad_() for tensor in inputs)
        features = encode(points, table, layout, interpolation)
        (by_table,) = torch.autograd.grad(features, table, cotangent, create_graph=True)
        loss = (by_table * direction).sum()
        return dict(zip(("points", "cotangent"), torch.autograd.grad(loss, (points, cotangent)), strict=True))

    found = second(engine.load(), inputs, direction)
    expected = second(encode, [i.double() for i in inputs], direction.double())
    assert_same(found, expected, TOLERANCE)


def test_no_points(engine):
    layout = grid_layout(GRIDS["wide"], 3)
    table = torch.zeros(layout.entries, 4, device=device_of(engine))
    points = torch.empty(0, 3, device=device_of(engine))
    assert engine.load()(points, table, layout, "linear").shape == (20, 0)
