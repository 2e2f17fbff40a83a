"""SASNet: Spatially-Adaptive Sinusoidal Networks (Feng et al., CVPR 2026, arXiv 2503.09750)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..config import ModelConfig
from ..layers.frequencies import draw_frequencies
from ..layers.mask_network import MaskNetwork
from ..layers.masked_sine import masked_sine


class SASNet(nn.Module):
    """Sines of frozen frequencies, then sine layers, every neuron gated in space by a mask.

    h0 = sin(W0 x + b0) with W0 = (2 pi / period) K frozen; h_i = sin(omega0 (W_i (M_{i-1} h_{i-1}) + b_i));
    output linear. M_0 masks the high bands of layer 0, M_i the groups of layer i. All masks come
    from one MaskNetwork, trained together with the sines.
    """

    def __init__(
        self, config: ModelConfig, dim: int = 3, outputs: int = 1, engine: str = "torch", seed: int = 0
    ):
        super().__init__()
        self.config, self.dim, self.outputs = config, dim, outputs
        generator = torch.Generator().manual_seed(seed)
        frequencies, band_of = draw_frequencies(
            dim,
            config.width,
            config.low,
            config.band,
            config.low_share,
            config.bands,
            np.random.default_rng(seed),
        )
        self.register_buffer("frequencies", torch.from_numpy(frequencies).float())
        width, layers = config.width, config.hidden_layers
        self.phases = nn.Parameter(torch.empty(width, 1).uniform_(-math.pi, math.pi, generator=generator))
        bound = (6 / width) ** 0.5 / config.omega0
        self.weights = nn.ParameterList(
            torch.empty(width, width).uniform_(-bound, bound, generator=generator) for _ in range(layers)
        )
        self.biases = nn.ParameterList(
            torch.empty(width, 1).uniform_(-bound, bound, generator=generator) for _ in range(layers)
        )
        self.output_weight = nn.Parameter(
            torch.empty(outputs, width).uniform_(-bound, bound, generator=generator)
        )
        self.output_bias = nn.Parameter(torch.zeros(outputs, 1))
        self.masks = MaskNetwork(config, dim, config.bands + layers * config.groups, engine, generator)
        group_of = np.arange(width) * config.groups // width
        self.mask_rows = [band_of] + [group_of.astype(np.int64) for _ in range(layers)]

    def forward(self, points: Tensor) -> Tensor:
        """Values (N, outputs) at points (N, dim) in [-1, 1]."""
        return self.with_masks(points)[0]

    def with_masks(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """Values (N, outputs) and every mask (masks, N): bands first, then layer after layer."""
        config = self.config
        parts = self.masks(points)
        bands, *groups = parts.split([config.bands] + [config.groups] * config.hidden_layers)
        scaled = self.frequencies * (2 * math.pi / config.period)
        h = masked_sine(torch.addmm(self.phases, scaled, points.t()), bands, self.mask_rows[0], 1.0)
        for weight, bias, group, rows in zip(
            self.weights, self.biases, groups, self.mask_rows[1:], strict=True
        ):
            h = masked_sine(torch.addmm(bias, weight, h), group, rows, config.omega0)
        return torch.addmm(self.output_bias, self.output_weight, h).t(), parts

    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        """The trainable parameters by the rate that they learn at: backbone, decoder, table."""
        decoder = [p for name, p in self.masks.named_parameters() if not name.startswith("grid.")]
        mask_ids = {id(p) for p in self.masks.parameters()}
        return {
            "backbone": [p for p in self.parameters() if id(p) not in mask_ids],
            "decoder": decoder,
            "table": list(self.masks.grid.parameters()),
        }

    def architecture(self) -> dict[str, Any]:
        """What a model file needs to build this network again."""
        return {"model": "sasnet", "dim": self.dim, "outputs": self.outputs}
