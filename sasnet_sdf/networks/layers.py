"""Layers: frozen frequencies (Novello et al., TUNER; Feng et al. 2026), linear layers, the mask network.

Initial values come from a generator, so that the seed determines all of a network.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..model_config import SASNetConfig
from .hash_grid import HashGrid

MOST_VECTORS = 2_000_000
"""Integer vectors up to the band, all of which are laid out before some are drawn: 48 MB in 3-D."""


def draw_frequencies(
    dim: int, width: int, low: int, band: int, low_share: float, bands: int, rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Integer frequency vectors (width, dim) and the band of each (width,), -1 for the low group.

    The low group is the unit vectors and vectors from the box max|k| <= low; the rest is spread
    evenly over `bands` equal ranges of max|k| up to `band`, rising. One of k and -k is kept, as
    they differ by a phase only. Raises ValueError where a range holds too few vectors, or too many.
    """
    if not 1 <= low <= band or (2 * band + 1) ** dim > MOST_VECTORS:
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
    """Every integer vector with above < max|k| <= up_to whose first non-zero entry is positive."""
    axis = np.arange(-up_to, up_to + 1)
    k = np.stack(np.meshgrid(*[axis] * dim, indexing="ij"), -1).reshape(-1, dim)
    k = k[len(k) // 2 + 1 :]  # lexicographic order: the second half has a positive leading entry
    return k[np.abs(k).max(1) > above]


def _draw(candidates: NDArray[np.int64], count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    if count > len(candidates):
        raise ValueError(f"{count} frequencies asked of a range that holds {len(candidates)}: widen the band")
    return candidates[np.sort(rng.choice(len(candidates), count, replace=False))]


LEAST = -60.0
"""exp(-60) is 10^-26: what is less changes no sum of floats, but its products, gradients above all, fall
below the smallest float of full precision, and processors take many times as long for those."""


def decay(exponent: Tensor) -> Tensor:
    """exp(exponent), and zero below LEAST."""
    return torch.where(exponent > LEAST, torch.exp(exponent.clamp(min=LEAST)), 0.0)


def uniform(bound: float, *shape: int, generator: torch.Generator) -> nn.Parameter:
    """Numbers drawn evenly from [-bound, bound]."""
    return nn.Parameter(torch.empty(shape).uniform_(-bound, bound, generator=generator))


class Linear(nn.Module):
    """y = W x + b over the last axis, weight (outputs, inputs) from U(-bound, bound).

    The biases are from U(-1 / sqrt(inputs), 1 / sqrt(inputs)), PyTorch's default, which is also the
    weights' where no bound is given.
    """

    def __init__(self, inputs: int, outputs: int, generator: torch.Generator, bound: float | None = None):
        super().__init__()
        default = inputs**-0.5
        self.weight = uniform(default if bound is None else bound, outputs, inputs, generator=generator)
        self.bias = uniform(default, outputs, generator=generator)

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.linear(x, self.weight, self.bias)


class ComplexLinear(nn.Module):
    """The same of complex numbers, whose real and imaginary parts are drawn alike; they are kept side by
    side in real parameters (..., 2), so that optimisers and files need not know."""

    def __init__(self, inputs: int, outputs: int, generator: torch.Generator):
        super().__init__()
        default = inputs**-0.5
        self.weight = uniform(default, outputs, inputs, 2, generator=generator)
        self.bias = uniform(default, outputs, 2, generator=generator)

    def forward(self, x: Tensor) -> Tensor:
        weight, bias = torch.view_as_complex(self.weight), torch.view_as_complex(self.bias)
        return nn.functional.linear(x, weight, bias)


def hidden(width: int, count: int, generator: torch.Generator, bound: float | None = None) -> nn.ModuleList:
    """`count` layers from `width` numbers to as many."""
    return nn.ModuleList([Linear(width, width, generator, bound) for _ in range(count)])


class MaskNetwork(nn.Module):
    """Masks (masks, N) in [0, 1] of points (N, dim) in [-1, 1] (Feng et al. 2026, sec. 3)."""

    def __init__(self, config: SASNetConfig, dim: int, masks: int, engine: str, generator: torch.Generator):
        super().__init__()
        self.grid = HashGrid(config.grid, dim, engine, generator)
        self.count = masks
        features, hidden = config.grid.levels * config.grid.features, config.decoder_width
        self.hidden_weight = nn.Parameter(_kaiming(hidden, features, generator))
        self.hidden_bias = nn.Parameter(torch.zeros(hidden))
        self.mask_weight = nn.Parameter(_kaiming(masks, hidden, generator))
        self.mask_bias = nn.Parameter(torch.full((masks,), config.mask_bias))

    def forward(self, points: Tensor) -> Tensor:
        hidden = torch.relu(self.hidden_weight @ self.grid(points) + self.hidden_bias[:, None])
        return torch.sigmoid(self.mask_weight @ hidden + self.mask_bias[:, None])


def _kaiming(rows: int, columns: int, generator: torch.Generator) -> Tensor:
    """He et al. 2015 for ReLU: uniform, variance 2 / columns."""
    bound = (6 / columns) ** 0.5
    return torch.empty(rows, columns).uniform_(-bound, bound, generator=generator)


def value_and_gradient(
    field: Callable[[Tensor], Tensor], points: Tensor, create_graph: bool = False
) -> tuple[Tensor, Tensor]:
    """f (N,) and df/dx (N, d) of a scalar field at points (N, d).

    `create_graph` keeps what is needed to train on the gradient. A field that has a method
    `value_and_gradient(points)` of its own, faster than autograd's, is asked for it.
    """
    if own := getattr(field, "value_and_gradient", None):
        with torch.set_grad_enabled(create_graph):
            return own(points)
    with torch.enable_grad():
        points = points.detach().requires_grad_(True)
        values = field(points).reshape(-1)
        (gradient,) = torch.autograd.grad(values.sum(), points, create_graph=create_graph)
    return (values if create_graph else values.detach()), gradient
