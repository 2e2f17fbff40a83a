"""The adapter to tiny-cuda-nn, against a stand-in with its documented interface; no GPU needed.

tests/parity compares the real one where there is one.
"""

from __future__ import annotations

import sys
from contextlib import nullcontext
from types import SimpleNamespace

import pytest
import torch

from sasnet_sdf.model_config import GridConfig
from sasnet_sdf.networks import tinycudann_engine
from sasnet_sdf.networks.hash_grid import HashGrid, encode, grid_layout

GRID = GridConfig(levels=3, log2_table=8, coarsest=4, finest=20, interpolation="smoothstep")


class Encoding(torch.nn.Module):
    """Takes points in [0, 1], owns its flat parameters, gives features (N, levels * F)."""

    spare = 0

    def __init__(self, n_input_dims, encoding_config, dtype):
        super().__init__()
        self.words, self.dim = encoding_config, n_input_dims
        assert dtype == torch.float32
        self.params = torch.nn.Parameter(
            torch.zeros(grid_layout(GRID, n_input_dims).entries * 2 + self.spare)
        )

    def forward(self, unit):
        assert self.words["interpolation"] == "Smoothstep"
        layout = grid_layout(GRID, self.dim)
        return encode(2 * unit - 1, self.params.view(-1, 2), layout, "smoothstep").t()


@pytest.fixture(autouse=True)
def stand_in(monkeypatch):
    monkeypatch.setitem(sys.modules, "tinycudann", SimpleNamespace(Encoding=Encoding))
    monkeypatch.setattr(torch.cuda, "device", lambda device: nullcontext())


def test_settings_in_its_words():
    assert tinycudann_engine.settings(grid_layout(GRID, 3), "smoothstep") == {
        "otype": "HashGrid",
        "n_levels": 3,
        "n_features_per_level": 2,
        "log2_hashmap_size": 8,
        "base_resolution": 4,
        "per_level_scale": pytest.approx(5**0.5, rel=1e-5),
        "interpolation": "Smoothstep",
    }


@pytest.mark.parametrize("dim", [2, 3])
def test_our_table_is_the_one_that_is_read_and_trained(dim):
    ours = HashGrid(GRID, dim, "tinycudann", torch.Generator().manual_seed(0))
    reference = HashGrid(GRID, dim, "torch", torch.Generator().manual_seed(0))
    assert list(ours.state_dict()) == ["table"]
    points = torch.rand(50, dim) * 2.2 - 1.1
    found, expected = ours(points), reference(points)
    torch.testing.assert_close(found, expected)
    found.square().sum().backward()
    expected.square().sum().backward()
    torch.testing.assert_close(ours.table.grad, reference.table.grad)


def test_a_loss_on_input_gradients_trains_the_table():
    points = torch.rand(50, 3, requires_grad=True)
    gradients = []
    for engine in ("tinycudann", "torch"):
        grid = HashGrid(GRID, 3, engine, torch.Generator().manual_seed(0))
        (slope,) = torch.autograd.grad(grid(points).sum(), points, create_graph=True)
        slope.square().sum().backward()
        gradients.append(grid.table.grad)
    torch.testing.assert_close(*gradients)


def test_what_it_cannot_differentiate_raises():
    grid = HashGrid(GRID, 3, "tinycudann", torch.Generator())
    (by_table,) = torch.autograd.grad(grid(torch.rand(5, 3)).square().sum(), grid.table, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        by_table.square().sum().backward()


def test_other_types_are_refused():
    grid = HashGrid(GRID, 3, "tinycudann", torch.Generator())
    with pytest.raises(TypeError, match="float32"):
        grid(torch.rand(5, 3, dtype=torch.float64))


def test_another_layout_is_refused(monkeypatch):
    monkeypatch.setattr(Encoding, "spare", 8)
    grid = HashGrid(GRID, 3, "tinycudann", torch.Generator())
    with pytest.raises(RuntimeError, match="another engine"):
        grid(torch.rand(5, 3))
