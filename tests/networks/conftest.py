"""Networks of many shapes, and points at which all their derivatives exist."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from numba import njit

from sasnet_sdf.model_config import GridConfig, SASNetConfig
from sasnet_sdf.networks.registry import build_model

GRID = GridConfig(log2_table=12, coarsest=8, finest=64)
SMOOTH = replace(GRID, interpolation="smoothstep")
SHAPES = {
    "usual": (SASNetConfig(grid=GRID), 3, 1),
    "odd": (
        SASNetConfig(
            width=50,
            hidden_layers=1,
            groups=7,
            decoder_width=17,
            bands=3,
            mask_bias=0.4,
            grid=replace(SMOOTH, levels=5, features=1),
        ),
        3,
        1,
    ),
    "color": (SASNetConfig(width=33, hidden_layers=3, grid=replace(SMOOTH, levels=3, features=4)), 2, 3),
    "three outputs": (SASNetConfig(width=37, groups=5, low_share=0.1, decoder_width=31, grid=GRID), 3, 3),
    "plane": (SASNetConfig(hidden_layers=2, bands=1, groups=1, omega0=15.0, grid=GRID), 2, 1),
    "all low": (SASNetConfig(width=19, low_share=1.0, grid=replace(GRID, levels=1, finest=8)), 3, 1),
}
TABLE_SCALE = 30
"""A fresh table gives masks of 0.5 all over: this makes them vary as after training."""


@pytest.fixture
def network():
    """network(name, engine): one of SHAPES, the same for every engine."""

    def build(name: str, engine: str = "numba", table_scale: float = TABLE_SCALE):
        config, dim, outputs = SHAPES[name]
        model = build_model(config, dim=dim, outputs=outputs, engine=engine, seed=3)
        with torch.no_grad():
            model.masks.grid.table.mul_(table_scale)
        return model

    return build


@pytest.fixture
def reference_of():
    """The same network in plain torch and float64."""

    def build(model):
        twin = build_model(model.config, dim=model.dim, outputs=model.outputs, engine="torch", seed=4)
        twin.double().load_state_dict(model.state_dict())
        return twin

    return build


@pytest.fixture
def smooth_points():
    """smooth_points(model, count): away from the borders of cells and the kinks of the hidden layer.

    There a rounding cannot put a point on the other side, where its derivatives are others.
    (count, dim) float32.
    """

    def draw(model, count):
        masks, scales = model.masks, model.masks.grid.layout.scales.astype(np.float64)
        points = np.random.default_rng(0).uniform(-1, 1, (2 * count + 100, model.dim)).astype(np.float32)
        position = (points.astype(np.float64) + 1) / 2 * scales[:, None, None] + 0.5
        away = (np.abs(position % 1 - 0.5) < 0.5 - 1e-3).all((0, 2))
        with torch.no_grad():
            hidden = masks.hidden_weight @ masks.grid(torch.from_numpy(points)) + masks.hidden_bias[:, None]
        points = points[away & (hidden.abs().amin(0) > 1e-5).numpy()]
        assert len(points) >= count
        return torch.from_numpy(points[:count])

    return draw


@pytest.fixture(scope="session")
def compiled():
    """compiled(kernel): a kernel that only kernels call, made callable from Python."""
    ways_in = {}

    def way_in(kernel):
        if kernel not in ways_in:

            @njit
            def call(*arguments):
                kernel(*arguments)

            ways_in[kernel] = call
        return ways_in[kernel]

    return way_in
