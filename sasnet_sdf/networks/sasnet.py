"""SASNet: Spatially-Adaptive Sinusoidal Networks (Feng et al., CVPR 2026, arXiv 2503.09750).

Its frozen frequencies are those of TUNER (Novello et al., CVPR 2025).
"""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..model_config import ModelConfig, SASNetConfig
from . import sasnet_cpu
from .hash_grid import HashGrid
from .network import Network, uniform, value_and_gradient

_MOST_VECTORS = 2_000_000
"""Largest number of integer vectors up to the band; all of them are listed (48 MB in 3-D) before some are
drawn."""


def draw_frequencies(
    dim: int, width: int, low: int, band: int, low_share: float, bands: int, rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Integer frequency vectors (width, dim) and the band of each (width,), -1 for the low group.

    The low group consists of the unit vectors and of vectors from the box max|k| <= low. The others are
    distributed evenly over `bands` equal ranges of max|k| up to `band`, in ascending order. Only one of k and
    -k is kept, since they differ only by a phase. Raises ValueError where a range holds too few vectors, or
    too many.
    """
    if not 1 <= low <= band or (2 * band + 1) ** dim > _MOST_VECTORS:
        raise ValueError(f"frequencies up to {low} and {band} cannot be drawn in {dim} dimensions")
    axes = np.eye(dim, dtype=np.int64)
    lowest = _half_space(dim, 0, low)
    lowest = lowest[np.abs(lowest).sum(1) > 1]
    low_count = max(dim, round(width * low_share))
    rows = [axes, _draw(lowest, low_count - dim, rng)]
    of_band = [np.full(low_count, -1)]
    edges = np.round(np.linspace(low, band, bands + 1)).astype(int)
    for number, share in enumerate(np.array_split(np.arange(width - low_count), bands)):
        rows.append(_draw(_half_space(dim, edges[number], edges[number + 1]), len(share), rng))
        of_band.append(np.full(len(share), number))
    return np.concatenate(rows), np.concatenate(of_band).astype(np.int64)


def _half_space(dim: int, above: int, up_to: int) -> NDArray[np.int64]:
    """All integer vectors with above < max|k| <= up_to whose first nonzero entry is positive."""
    axis = np.arange(-up_to, up_to + 1)
    k = np.stack(np.meshgrid(*[axis] * dim, indexing="ij"), -1).reshape(-1, dim)
    k = k[len(k) // 2 + 1 :]  # lexicographic order: the second half has a positive leading entry
    return k[np.abs(k).max(1) > above]


def _draw(candidates: NDArray[np.int64], count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    if count > len(candidates):
        raise ValueError(f"{count} frequencies asked of a range that holds {len(candidates)}: widen the band")
    return candidates[np.sort(rng.choice(len(candidates), count, replace=False))]


class MaskNetwork(nn.Module):
    """Masks (masks, N) in [0, 1] of points (N, dim) in [-1, 1] (Feng et al. 2026, sec. 3)."""

    def __init__(self, config: SASNetConfig, dim: int, masks: int, engine: str, generator: torch.Generator):
        super().__init__()
        self.grid: HashGrid = HashGrid(config.grid, dim, engine, generator)
        self.count: int = masks
        features, hidden = config.grid.levels * config.grid.features, config.decoder_width
        self.hidden_weight: nn.Parameter = _kaiming(hidden, features, generator)
        self.hidden_bias: nn.Parameter = nn.Parameter(torch.zeros(hidden))
        self.mask_weight: nn.Parameter = _kaiming(masks, hidden, generator)
        self.mask_bias: nn.Parameter = nn.Parameter(torch.full((masks,), config.mask_bias))

    def forward(self, points: Tensor) -> Tensor:
        """The masks at the points."""
        hidden = torch.relu(self.hidden_weight @ self.grid(points) + self.hidden_bias[:, None])
        return torch.sigmoid(self.mask_weight @ hidden + self.mask_bias[:, None])


def _kaiming(rows: int, columns: int, generator: torch.Generator) -> nn.Parameter:
    """The uniform initialization of He et al. 2015 for ReLU, with variance 2 / columns."""
    return uniform((6 / columns) ** 0.5, rows, columns, generator=generator)


class SASNet(Network[SASNetConfig]):
    """Sines of frozen frequencies, then sine layers, with every neuron spatially gated by a mask.

    h0 = sin(W0 x + b0) with W0 = (2 pi / period) K frozen; h_i = sin(omega0 (W_i (M_{i-1} h_{i-1}) + b_i));
    output linear. M_0 masks the high bands of layer 0, M_i the groups of layer i. All masks come from one
    MaskNetwork, which is trained together with the sines. Ablations can be chosen in the settings: W0 is
    trained too, W0 is drawn as in SIREN's first layer, h0 = sin(omega0 (W0 x + b0)), or there are no masks.
    """

    Config: ClassVar[type[ModelConfig]] = SASNetConfig
    frequencies: Tensor
    gate_rows: Tensor
    masks: MaskNetwork | None

    def build(self, generator: torch.Generator, engine: str) -> None:
        """Draw the frequencies, and make the layers and the mask network."""
        config, dim, outputs = self.config, self.dim, self.outputs
        frequencies, band_of = draw_frequencies(
            dim,
            config.width,
            config.low,
            config.band,
            config.low_share,
            config.bands,
            np.random.default_rng(generator.initial_seed()),
        )
        drawn = torch.from_numpy(frequencies).float()
        if not config.sampled:
            # sorted by size, so that the bands ascend here too
            drawn = torch.empty(config.width, dim).uniform_(-1 / dim, 1 / dim, generator=generator)
            drawn = drawn[drawn.abs().amax(1).argsort()]
        if config.frozen:
            self.register_buffer("frequencies", drawn)
        else:
            self.frequencies = nn.Parameter(drawn)
        width, layers = config.width, config.hidden_layers
        bound = (6 / width) ** 0.5 / config.omega0

        self.phases: nn.Parameter = uniform(math.pi, width, generator=generator)
        self.weights: nn.Parameter = uniform(bound, layers, width, width, generator=generator)
        self.biases: nn.Parameter = uniform(bound, layers, width, generator=generator)
        self.output_weight: nn.Parameter = uniform(bound, outputs, width, generator=generator)
        self.output_bias: nn.Parameter = nn.Parameter(torch.zeros(outputs))
        counts = config.masks_of_layers
        masks = sum(counts)
        self.masks = MaskNetwork(config, dim, masks, engine, generator) if config.masks else None
        # the compiled passes implement the complete method; ablations are computed by PyTorch
        whole = config.frozen and config.masks and config.sampled
        self.engine: str = engine if config.masks else "torch"
        self.compiled: bool = whole and engine == "numba"
        groups = np.arange(width) * config.groups // width
        of_layers = [np.where(band_of < 0, masks, band_of)]
        of_layers += [sum(counts[: layer + 1]) + groups for layer in range(layers)]
        unmasked = np.array(counts)[:, None] == 0
        # the number of each neuron's mask; the number after the last: it has none
        self.mask_rows: NDArray[np.int64] = np.where(unmasked, masks, np.stack(of_layers))
        self.register_buffer("gate_rows", torch.from_numpy(self.mask_rows), persistent=False)
        self.spare: sasnet_cpu.Spare = sasnet_cpu.Spare()
        self.omegas: NDArray[np.float32] = np.array([1.0] + [config.omega0] * layers, np.float32)

    @property
    def scaled_frequencies(self) -> Tensor:
        """W0 (width, dim) = (2 pi / period) K; for SIREN's first layer, omega0 W0."""
        scale = 2 * math.pi / self.config.period if self.config.sampled else self.config.omega0
        return self.frequencies * scale

    def forward(self, points: Tensor) -> Tensor:
        """Values (N, outputs) at points (N, dim) in [-1, 1]."""
        if self._compiled(points):
            return sasnet_cpu.values(self, points)
        return self.with_masks(points)[0]

    def value_and_gradient(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """f (N,) and df/dx (N, dim) of a network with one output, both differentiable if autograd is on."""
        if self._compiled(points):
            return sasnet_cpu.value_and_gradient(self, points)
        return value_and_gradient(lambda x: self.with_masks(x)[0], points, torch.is_grad_enabled())

    def _compiled(self, points: Tensor) -> bool:
        return self.compiled and points.dtype == torch.float32

    def with_masks(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """Values (N, outputs) and every mask (masks, N): bands first, then layer after layer.

        Computed in plain torch; the compiled passes of sasnet_cpu are tested against it.
        """
        h = torch.sin(self.scaled_frequencies @ points.t() + self.phases[:, None])
        if self.masks is None:
            masks = points.new_empty(0, len(points))
            gates: list[Tensor | None] = [None] * len(self.mask_rows)
        else:
            masks = self.masks(points)
            unit = torch.cat([masks, masks.new_ones(1, len(points))])  # the last row: no mask
            counts = self.config.masks_of_layers
            gates = [
                unit.index_select(0, row) if count else None
                for row, count in zip(self.gate_rows, counts, strict=True)
            ]
        h = h if gates[0] is None else gates[0] * h
        for weight, bias, gate in zip(self.weights, self.biases, gates[1:], strict=True):
            h = torch.sin(self.config.omega0 * (weight @ h + bias[:, None]))
            h = h if gate is None else gate * h
        return (self.output_weight @ h + self.output_bias[:, None]).t(), masks

    @property
    def mask_names(self) -> list[str]:
        """The names of the masks; empty where there are none."""
        return [] if self.masks is None else self.config.mask_names

    @property
    def bytes_per_sample(self) -> int:
        """Bytes that the compiled passes take per point in a training step."""
        return sasnet_cpu.kept_bytes(self) if self.compiled else 0

    def hidden_matrices(self) -> list[nn.Parameter]:
        """The matrices of all hidden layers, as one parameter (layers, width, width)."""
        return [self.weights]

    def parameter_groups(self) -> list[dict[str, Any]]:
        """The trainable parameters and their rates, for the sines, the mask network and the matrices."""
        masks: list[nn.Parameter] = [] if self.masks is None else list(self.masks.parameters())
        of_masks = {id(p) for p in masks}
        sines = [p for p in self.parameters() if id(p) not in of_masks]
        return self.with_muon(
            {"params": sines, "lr": self.config.rate}, {"params": masks, "lr": self.config.grid_rate}
        )
