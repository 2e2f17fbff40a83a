"""SASNet on the CPU, tile by tile: intermediate results of a tile are used before they leave the cache.

`evaluate` computes values; the backward pass is in sasnet_reverse_kernels.py. The formulas are those of
networks/sasnet.py, the reference that these kernels are tested against.

The network is a sequence of linear layers, each followed by its activation, in the order of execution: the
decoder's hidden layer (ReLU), the masks (sigmoid), the frequencies and the hidden layers (masked sines), the
output (none). `shapes` (L, 2) holds the rows and columns of their matrices, `flat` all their numbers: matrix,
then bias, layer after layer.

Arrays are float32 with one column per point; a tile that extends beyond the last point is padded. Masks are
numbered with the bands first, then the groups of each layer in turn. Neuron c of sine layer s is multiplied
by row mask_rows[s, c] of the masks; an additional last row is 1, for neurons without a mask. For a decoder
with F features, H neurons and M masks, and for S sine layers of C neurons, a tile keeps decoder
(F + H + M + 1, TILE), sines (S, C, TILE), and cosines (S, C, TILE) times omega.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ..runtime.compiled import kept
from .grid_kernels import NO_WRAPPERS, TILE, Floats, Grid, interpolate
from .kernels import FAST, add_product, fill_rows, sigmoids_of, sines_of

Indices = NDArray[np.int64]

Where = tuple[Floats, Floats, Grid, bool]
"""Points (N, d), the table of the hash grid, its layout, and whether it interpolates smoothly."""

Layers = tuple[Floats, Indices, Indices, Floats]
"""flat, shapes, mask_rows, and the omega of each sine layer."""

Kept = tuple[Floats, Floats, Floats]
"""What the tiles keep for the backward pass, tile after tile: decoder, sines, cosines."""

jit: Any = njit(fastmath=FAST, error_model="numpy", **NO_WRAPPERS)
part: Any = njit(fastmath=FAST, error_model="numpy", inline="always")
entry: Any = kept(nogil=True, fastmath=FAST, error_model="numpy")

HIDDEN, MASKS, FREQUENCIES = 0, 1, 2
"""The first layers; the hidden sines and the output follow."""


@jit
def start_of(shapes: Indices, layer: int) -> int:
    """The index in `flat` of a layer's first parameter."""
    start = 0
    for n in range(layer):
        start += shapes[n, 0] * (shapes[n, 1] + 1)
    return start


@part
def decoder_row(shapes: Indices, layer: int) -> int:
    """The first row of a decoder layer's output in what a tile keeps; its input precedes it."""
    return shapes[HIDDEN, 1] + (shapes[HIDDEN, 0] if layer == MASKS else 0)


@jit
def load(points: Floats, first: int, out: Floats) -> None:
    """Write a tile's points to the first columns of out (d, ...), with zeros beyond the last point."""
    for i in range(TILE):
        for a in range(points.shape[1]):
            out[a, i] = points[first + i, a] if first + i < len(points) else np.float32(0)


@jit
def mask(sines: Floats, masks: Floats, rows: Indices, out: Floats) -> None:
    """out (C, ...) = each neuron's sines (C, TILE) times its mask."""
    for c in range(len(sines)):
        m = rows[c]
        for i in range(TILE):
            out[c, i] = masks[m, i] * sines[c, i]


@entry
def evaluate(
    first_tile: int, end_tile: int, where: Where, layers: Layers, keeps: bool, memory: Kept, y: Floats
) -> None:
    """Values y (O, N) at points (N, d).

    With `keeps`, every tile keeps what `reverse` needs; otherwise all tiles share the memory of one.
    """
    points, table, grid, smooth = where
    flat, shapes, mask_rows, omegas = layers
    decoder, sines, cosines = memory
    last, features = len(shapes) - 1, shapes[HIDDEN, 1]
    x = np.empty((points.shape[1], TILE), np.float32)
    h, z = np.empty((shapes[last, 1], TILE), np.float32), np.empty((shapes[last, 1], TILE), np.float32)
    out = np.empty((shapes[last, 0], TILE), np.float32)
    for tile in range(first_tile, end_tile):
        slot = tile if keeps else 0
        state = decoder[slot]
        first = tile * TILE
        size = min(TILE, len(points) - first)
        load(points, first, x)
        interpolate(points, points, False, first, size, table, grid, smooth, state[:features])
        masks = state[features + shapes[HIDDEN, 0] :]
        for layer in range(last + 1):
            rows, depth, start = shapes[layer, 0], shapes[layer, 1], start_of(shapes, layer)
            if layer < FREQUENCIES:
                row = decoder_row(shapes, layer)
                source, target = state[row - depth : row], state[row : row + rows]
            else:
                source, target = x if layer == FREQUENCIES else h, z if layer < last else out
            fill_rows(flat, start + rows * depth, target)
            add_product(flat, start, source, target)
            if layer == HIDDEN:
                for c in range(len(target)):
                    for i in range(TILE):
                        target[c, i] = max(target[c, i], np.float32(0))
            elif layer == MASKS:
                sigmoids_of(target)
                for i in range(TILE):
                    state[row + rows, i] = 1
            elif layer < last:
                s = layer - FREQUENCIES
                sines_of(z, omegas[s], sines[slot, s], cosines[slot, s])
                mask(sines[slot, s], masks, mask_rows[s], h)
        for o in range(len(out)):
            for i in range(size):
                y[o, first + i] = out[o, i]
