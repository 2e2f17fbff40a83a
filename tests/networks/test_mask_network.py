"""The masks: their formula where the grid says nothing, their range, their start."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from sasnet_sdf.model_config import GridConfig, SASNetConfig
from sasnet_sdf.networks.sasnet import MaskNetwork

GRID = GridConfig(levels=3, features=2, log2_table=9, coarsest=4, finest=16)


def network(dim=3, masks=5, engine="torch", **changes):
    config = SASNetConfig(grid=GRID, **changes)
    return MaskNetwork(config, dim, masks, engine, torch.Generator().manual_seed(0))


@pytest.mark.parametrize("engine", ["torch", "numba"])
@pytest.mark.parametrize("dim", [2, 3])
def test_formula(dim, engine):
    """sigmoid(B relu(A features + a) + b)."""
    masks = network(dim, engine=engine, decoder_width=7)
    points = torch.rand(40, dim) * 2 - 1
    with torch.no_grad():
        masks.grid.table.mul_(100)
        masks.hidden_bias.uniform_(-1, 1)
        masks.mask_bias.uniform_(-3, 3)
        found = masks(points).numpy()
        features = masks.grid(points).double().numpy()
    a, b = masks.hidden_weight.detach().double().numpy(), masks.mask_weight.detach().double().numpy()
    hidden = np.maximum(a @ features + masks.hidden_bias.detach().numpy()[:, None], 0)
    expected = 1 / (1 + np.exp(-(b @ hidden + masks.mask_bias.detach().numpy()[:, None])))
    assert found.shape == (5, 40)
    assert 0 < (hidden == 0).mean() < 1
    assert np.abs(found - expected).max() < 1e-6
    assert found.std(axis=1).min() > 1e-3


def test_an_empty_grid_leaves_the_bias():
    masks = network(mask_bias=1.5)
    with torch.no_grad():
        masks.grid.table.zero_()
        found = masks(torch.rand(10, 3))
    torch.testing.assert_close(found, torch.full((5, 10), 1 / (1 + np.exp(-1.5))), rtol=1e-6, atol=0)


def test_within_zero_and_one_however_large_the_features():
    masks = network()
    with torch.no_grad():
        masks.grid.table.mul_(1e6)
        found = masks(torch.rand(500, 3) * 2 - 1)
    assert found.min() >= 0 and found.max() <= 1 and found.isfinite().all()


def test_start():
    masks = network(decoder_width=400, masks=300)
    for weight, inputs in ((masks.hidden_weight, 6), (masks.mask_weight, 400)):
        limit = (6 / inputs) ** 0.5
        assert weight.shape[1] == inputs and 0.98 * limit < weight.abs().max() <= limit
        assert weight.var().item() == pytest.approx(2 / inputs, rel=0.06)
    assert (masks.hidden_bias == 0).all()
    assert masks.grid.table.std().item() == pytest.approx(0.01, rel=0.1)
