"""SASNet under autograd, computed by compiled kernels: values, and values with trainable gradients.

The gradients with respect to the parameters are computed in parts, whose number depends only on the batch,
and the parts are added in a fixed order, so that the result does not depend on the number of threads.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor
from torch.autograd import Function

from ..runtime.compiled import over_ranges
from .grid_kernels import TILE, Floats
from .numba_engine import add_scattered, as_array, grid_arrays
from .sasnet_kernels import Indices, Kept, Layers, Where, evaluate
from .sasnet_reverse_kernels import reverse

if TYPE_CHECKING:
    from .sasnet import MaskNetwork, SASNet


PARTS = 16
"""Largest number of parts in which gradients are summed; each part is processed by one thread."""

PIECE = 64 * TILE
"""Number of points whose gradients are computed at once if no parameter is trained on them."""


class Spare:
    """Memory that a model keeps for the next batch: allocating it at each step takes longer than using it."""

    SIZES = 3
    """Number of batch sizes for which memory is kept."""

    def __init__(self) -> None:
        self.kept: dict[int, Kept] = {}

    def take(self, tiles: int) -> Kept | None:
        """Remove and return the memory kept for a batch of so many tiles, if there is any."""
        return self.kept.pop(tiles, None)

    def give(self, tiles: int, kept: Kept) -> None:
        """Keep the memory of a batch of so many tiles; drops the oldest if there are more than SIZES."""
        self.kept[tiles] = kept
        while len(self.kept) > self.SIZES:
            self.kept.pop(next(iter(self.kept)))


def values(model: SASNet, points: Tensor) -> Tensor:
    """Values (N, outputs) at points (N, d); differentiable once, by the points and the parameters."""
    flat, table = _flat(model), _masks(model).grid.table
    _check(points, model)
    keeps = torch.is_grad_enabled() and any(t.requires_grad for t in (points, flat, table))
    return _Values.apply(points.contiguous(), flat, table, model, keeps).t()


def value_and_gradient(model: SASNet, points: Tensor) -> tuple[Tensor, Tensor]:
    """f (N,) and df/dx (N, d) of a network with one output; both are differentiable by the parameters."""
    flat, table = _flat(model), _masks(model).grid.table
    _check(points, model)
    if model.outputs != 1:
        raise ValueError(f"the gradient is that of one output, this network has {model.outputs}")
    if torch.is_grad_enabled() and any(t.requires_grad for t in (flat, table)):
        return _ValuesAndGradients.apply(points.contiguous(), flat, table, model)
    # no backward pass follows: computed in pieces that reuse the same memory
    pieces = [_evaluated(piece.contiguous(), flat, table, model) for piece in points.split(PIECE)]
    values, gradients = zip(*pieces, strict=True)
    return torch.cat(values), torch.cat(gradients)


def _evaluated(points: Tensor, flat: Tensor, table: Tensor, model: SASNet) -> tuple[Tensor, Tensor]:
    batch = _Batch(points, flat, table, model, keeps=True)
    result = batch.evaluate()[0], batch.gradient()
    batch.close()
    return result


def kept_bytes(model: SASNet) -> int:
    """Bytes per point that a batch keeps for the backward pass and allocates during it."""
    (hidden, features), (masks, _), (width, _), *others = [weight.shape for weight, _ in _layers(model)]
    # the decoder, sines and cosines of _Batch._memory, and the gradients by the features, twice
    return 4 * (features + hidden + masks + 1 + 2 * len(others) * width + 2 * features)


def _check(points: Tensor, model: SASNet) -> None:
    if points.ndim != 2 or points.shape[1] != model.dim:
        raise ValueError(f"points must have the shape (N, {model.dim}), found {tuple(points.shape)}")


def _masks(model: SASNet) -> MaskNetwork:
    assert model.masks is not None  # the compiled passes are only for networks with masks
    return model.masks


def _layers(model: SASNet) -> list[tuple[Tensor, Tensor]]:
    """The linear layers in the order of the kernels."""
    masks = _masks(model)
    return [
        (masks.hidden_weight, masks.hidden_bias),
        (masks.mask_weight, masks.mask_bias),
        (model.scaled_frequencies, model.phases),
        *zip(model.weights, model.biases, strict=True),
        (model.output_weight, model.output_bias),
    ]


def _flat(model: SASNet) -> Tensor:
    return torch.cat([part.reshape(-1) for layer in _layers(model) for part in layer])


def _transposed(flat: Floats, shapes: Indices) -> Floats:
    """The parameters of all layers, with every matrix transposed."""
    out, start = flat.copy(), 0
    for rows, columns in shapes:
        matrix = slice(start, start + rows * columns)
        out[matrix] = flat[matrix].reshape(rows, columns).T.ravel()
        start += rows * (columns + 1)
    return out


class _Batch:
    """A batch of points passing through the kernels, with the parameters at the time of the forward pass."""

    def __init__(self, points: Tensor, flat: Tensor, table: Tensor, model: SASNet, keeps: bool):
        self.points, self.table, self.keeps, self.outputs = points, table, keeps, model.outputs
        self.flat, self.shapes = as_array(flat), np.array([weight.shape for weight, _ in _layers(model)])
        self.layout, self.smooth = _masks(model).grid.layout, model.config.grid.interpolation == "smoothstep"
        self.where: Where = (as_array(points), as_array(table), grid_arrays(self.layout), self.smooth)
        self.layers: Layers = (self.flat, self.shapes, model.mask_rows, model.omegas)
        self.tiles = -(-len(points) // TILE)
        self.tiles_a_part = max(1, -(-self.tiles // PARTS))
        self.parts = -(-self.tiles // self.tiles_a_part)
        self._spare = model.spare
        self.kept: Kept | None = None
        if keeps:
            self.kept = self._spare.take(self.tiles) or self._memory(self.tiles)

    def close(self) -> None:
        """Return the kept memory to the model."""
        assert self.kept is not None
        self._spare.give(self.tiles, self.kept)
        self.kept = None

    def _memory(self, tiles: int) -> Kept:
        (hidden, features), (masks, _), (width, _), *others = self.shapes
        sines = (tiles, len(others), width, TILE)
        decoder = np.empty((tiles, features + hidden + masks + 1, TILE), np.float32)
        return decoder, np.empty(sines, np.float32), np.empty(sines, np.float32)

    def evaluate(self) -> Tensor:
        """Values (O, N)."""
        out = torch.empty(self.outputs, len(self.points))
        y = out.numpy()

        def some(first: int, end: int) -> None:
            evaluate(first, end, self.where, self.layers, self.keeps, self.kept or self._memory(1), y)

        over_ranges(some, self.tiles)
        return out

    def gradient(self) -> Tensor:
        """The sum over the outputs of their gradients (N, d) with respect to the points."""
        by_points = torch.empty_like(self.points)
        self._reverse(torch.ones(self.outputs, len(self.points)), by_points=by_points)
        return by_points

    def learn(
        self, by_values: Tensor, directions: Tensor | None = None, by_points: Tensor | None = None
    ) -> tuple[Tensor, Tensor | None]:
        """The gradients of <by_values (O, N), values> with respect to `flat` and the table.

        With directions (N, d), the derivatives of the values along them are included. Fills by_points.
        """
        terms = [None] if directions is None else [None, directions]
        sums = np.zeros((self.parts, len(self.flat)), np.float32)
        by_features = torch.empty(len(terms), int(self.shapes[0, 1]), len(self.points))
        self._reverse(by_values, directions, sums, by_features, by_points)
        # None if the gradient was added to the sums that the table's optimizer keeps
        kept = getattr(self.table, "gradient_sums", None)
        out = torch.zeros_like(self.table) if kept is None else kept
        for tangent, part in zip(terms, by_features, strict=True):
            add_scattered(self.points, tangent, part, self.layout, self.smooth, out)
        return torch.from_numpy(sums.sum(0)), out if kept is None else None

    def _reverse(
        self,
        by_values: Tensor,
        directions: Tensor | None = None,
        sums: Floats | None = None,
        by_features: Tensor | None = None,
        by_points: Tensor | None = None,
    ) -> None:
        if self.kept is None:
            raise RuntimeError(
                "this graph has been gone through backward already: evaluate the network again"
            )
        transposed = _transposed(self.flat, self.shapes)
        nowhere = torch.empty(0, self.points.shape[1])
        over_ranges(
            reverse,
            self.parts,
            *(self.tiles_a_part, self.where, self.layers, transposed, self.kept),
            *(as_array(by_values), as_array(nowhere if directions is None else directions)),
            np.empty((0, 0), np.float32) if sums is None else sums,
            np.empty((0, 0, 0), np.float32) if by_features is None else by_features.numpy(),
            (nowhere if by_points is None else by_points).numpy(),
        )


def _once(ctx: Any) -> None:
    """Refuse second derivatives, which would silently be zero, and points or parameters that have changed."""
    if torch.is_grad_enabled():
        raise RuntimeError(
            "the numba engine's gradients cannot be differentiated again: "
            "ask for value_and_gradient, or use the torch engine"
        )
    _ = ctx.saved_tensors  # raises where one of them was modified


class _Values(Function):
    """y = f(x)."""

    @staticmethod
    def forward(ctx: Any, points: Tensor, flat: Tensor, table: Tensor, model: SASNet, keeps: bool) -> Tensor:
        ctx.batch = _Batch(points, flat, table, model, keeps)
        ctx.save_for_backward(points, flat, table)
        return ctx.batch.evaluate()

    @staticmethod
    def backward(ctx: Any, by_values: Tensor) -> tuple:
        _once(ctx)
        by_points = torch.empty_like(ctx.batch.points) if ctx.needs_input_grad[0] else None
        by_parameters = ctx.batch.learn(by_values, by_points=by_points)
        ctx.batch.close()
        return by_points, *by_parameters, None, None


class _ValuesAndGradients(Function):
    """y = f(x) and its gradient with respect to x, for one output."""

    @staticmethod
    def forward(
        ctx: Any, points: Tensor, flat: Tensor, table: Tensor, model: SASNet
    ) -> tuple[Tensor, Tensor]:
        ctx.batch = _Batch(points, flat, table, model, keeps=True)
        ctx.save_for_backward(points, flat, table)
        return ctx.batch.evaluate()[0], ctx.batch.gradient()

    @staticmethod
    def backward(ctx: Any, by_values: Tensor, by_gradients: Tensor) -> tuple:
        _once(ctx)
        if ctx.needs_input_grad[0]:
            raise RuntimeError("the numba engine has no second derivatives by the points: use engine torch")
        by_parameters = ctx.batch.learn(by_values[None], directions=by_gradients)
        ctx.batch.close()
        return None, *by_parameters, None
