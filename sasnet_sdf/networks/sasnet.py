"""SASNet: Spatially-Adaptive Sinusoidal Networks (Feng et al., CVPR 2026, arXiv 2503.09750)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..model_config import SASNetConfig
from . import sasnet_cpu
from .layers import MaskNetwork, draw_frequencies, uniform, value_and_gradient


class SASNet(nn.Module):
    """Sines of frozen frequencies, then sine layers, every neuron gated in space by a mask.

    h0 = sin(W0 x + b0) with W0 = (2 pi / period) K frozen; h_i = sin(omega0 (W_i (M_{i-1} h_{i-1}) + b_i));
    output linear. M_0 masks the high bands of layer 0, M_i the groups of layer i. All masks come
    from one MaskNetwork, trained together with the sines. The ablations of the settings train W0
    too, draw it as SIREN's first layer, h0 = sin(omega0 (W0 x + b0)), or have no masks.
    """

    def __init__(
        self, config: SASNetConfig, dim: int = 3, outputs: int = 1, engine: str = "torch", seed: int = 0
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
        drawn = torch.from_numpy(frequencies).float()
        if not config.sampled:
            # in order of size, so that the bands rise here too
            drawn = torch.empty(config.width, dim).uniform_(-1 / dim, 1 / dim, generator=generator)
            drawn = drawn[drawn.abs().amax(1).argsort()]
        if config.frozen:
            self.register_buffer("frequencies", drawn)
        else:
            self.frequencies = nn.Parameter(drawn)
        width, layers = config.width, config.hidden_layers
        bound = (6 / width) ** 0.5 / config.omega0

        self.phases = uniform(math.pi, width, generator=generator)
        self.weights = uniform(bound, layers, width, width, generator=generator)
        self.biases = uniform(bound, layers, width, generator=generator)
        self.output_weight = uniform(bound, outputs, width, generator=generator)
        self.output_bias = nn.Parameter(torch.zeros(outputs))
        self.masks: Any = None
        if config.masks:
            self.masks = MaskNetwork(config, dim, config.bands + layers * config.groups, engine, generator)
        # the compiled passes are of the whole method; its ablations are PyTorch's
        whole = config.frozen and config.masks and config.sampled
        self.engine = engine if config.masks else "torch"
        self.compiled = whole and engine == "numba"
        groups = np.arange(width) * config.groups // width
        first_of_layer = config.bands + config.groups * np.arange(layers)[:, None]
        self.mask_rows = np.concatenate([band_of[None], first_of_layer + groups])
        rows = np.where(self.mask_rows < 0, config.bands + layers * config.groups, self.mask_rows)
        self.gate_rows: Any
        self.register_buffer("gate_rows", torch.from_numpy(rows), persistent=False)
        self.spare_room: dict[int, tuple[np.ndarray, ...]] = {}  # sasnet_cpu's, by size
        self.omegas = np.array([1.0] + [config.omega0] * layers, np.float32)

    @property
    def scaled_frequencies(self) -> Tensor:
        """W0 (width, dim) = (2 pi / period) K; of SIREN's first layer omega0 W0."""
        scale = 2 * math.pi / self.config.period if self.config.sampled else self.config.omega0
        return self.frequencies * scale  # pyright: ignore[reportOperatorIssue]

    def forward(self, points: Tensor) -> Tensor:
        """Values (N, outputs) at points (N, dim) in [-1, 1]."""
        if self._compiled(points):
            return sasnet_cpu.values(self, points)
        return self.with_masks(points)[0]

    def value_and_gradient(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """f (N,) and df/dx (N, dim) of a network of one output, both to train on."""
        if self._compiled(points):
            return sasnet_cpu.value_and_gradient(self, points)
        return value_and_gradient(lambda x: self.with_masks(x)[0], points, torch.is_grad_enabled())

    def _compiled(self, points: Tensor) -> bool:
        return self.compiled and points.dtype == torch.float32

    def with_masks(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """Values (N, outputs) and every mask (masks, N): bands first, then layer after layer.

        In plain torch: what the compiled passes of sasnet_cpu are tested against.
        """
        h = torch.sin(self.scaled_frequencies @ points.t() + self.phases[:, None])
        if self.masks is None:
            masks = points.new_empty(0, len(points))
            gates = [None] * len(self.mask_rows)
        else:
            masks = self.masks(points)
            unit = torch.cat([masks, masks.new_ones(1, len(points))])  # the last row: no mask
            gates = [unit.index_select(0, row) for row in self.gate_rows]
        h = h if gates[0] is None else gates[0] * h
        for weight, bias, gate in zip(self.weights, self.biases, gates[1:], strict=True):
            h = torch.sin(self.config.omega0 * (weight @ h + bias[:, None]))
            h = h if gate is None else gate * h
        return (self.output_weight @ h + self.output_bias[:, None]).t(), masks

    def parameter_groups(self) -> list[dict[str, Any]]:
        """The trainable parameters and their rates: the sines', the masks' network's, the matrices'."""
        config = self.config
        masks = [] if self.masks is None else list(self.masks.parameters())
        muon = [self.weights] if config.muon_rate else []
        others = {id(p) for p in (*masks, *muon)}
        sines = [p for p in self.parameters() if id(p) not in others]
        groups = [
            {"params": sines, "lr": config.rate},
            {"params": masks, "lr": config.grid_rate},
            {"params": muon, "lr": config.muon_rate / config.omega0, "muon": True},
        ]
        return [group for group in groups if group["params"]]

    def architecture(self) -> dict[str, Any]:
        """What a model file needs to build this network again."""
        return {"model": "sasnet", "dim": self.dim, "outputs": self.outputs}
