"""What the CPU engine promises beyond the numbers that tests/parity compares."""

from __future__ import annotations

import pytest
import torch

from sasnet_sdf.model_config import GridConfig
from sasnet_sdf.networks.hash_grid import HashGrid

GRID = GridConfig(levels=4, log2_table=8, coarsest=4, finest=40, interpolation="smoothstep")


@pytest.fixture
def grid():
    return HashGrid(GRID, 3, "numba", torch.Generator().manual_seed(0))


def results(grid, points):
    points = points.clone().requires_grad_()
    features = grid(points)
    (slope,) = torch.autograd.grad(features.square().sum(), points, create_graph=True)
    return features, slope, *torch.autograd.grad(slope.square().sum(), (points, grid.table))


def test_same_bits_for_any_number_of_threads(grid, threads):
    points = torch.rand(3000, 3) * 2 - 1
    answers = []
    for count in (1, 2, 3):
        threads(count)
        answers.append(results(grid, points))
    for one, *others in zip(*answers, strict=True):
        assert all(torch.equal(one, several) for several in others)


def test_layout_of_the_arguments_does_not_matter(grid):
    points = torch.rand(3, 100).t() * 2 - 1
    assert not points.is_contiguous()
    for strided, packed in zip(results(grid, points), results(grid, points.contiguous()), strict=True):
        assert torch.equal(strided, packed)


def test_third_derivative_raises(grid):
    points = torch.rand(10, 3, requires_grad=True)
    (slope,) = torch.autograd.grad(grid(points).sum(), points, create_graph=True)
    (bend,) = torch.autograd.grad(slope.square().sum(), points, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        bend.sum().backward()


def test_other_types_are_refused(grid):
    with pytest.raises(TypeError, match="float32"):
        grid(torch.rand(5, 3, dtype=torch.float64))
