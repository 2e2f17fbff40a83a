"""SASNet on the CPU, tile by tile: what a tile computes is used before it leaves the cache.

Two passes: `evaluate` gives values, `reverse` the gradients by parameters and points, and those of
derivatives along given directions. The formulae are those of models/sasnet.py, the reference that
these are tested against.

The network is a row of linear layers, each followed by its activation, in the order in which they
run: the decoder's hidden layer (ReLU), the masks (sigmoid), the frequencies and the hidden layers
(masked sines), the output (none). `shapes` (L, 2) holds the rows and columns of their matrices,
`flat` all their numbers: matrix, then bias, layer after layer.

Arrays are float32, one column a point; a tile that reaches beyond the last point is padded. Masks
are numbered bands first, then the groups of layer after layer; neuron c of sine layer s is
multiplied by row mask_rows[s, c] of the masks, or by 1 where that is -1. With F features, H
neurons and M masks of the decoder, S sine layers of C neurons, a tile keeps decoder (F + H + M,
TILE), sines (S, C, TILE), and cosines (S, C, TILE) times omega.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from ..encodings.grid_kernels import TILE, interpolate, interpolate_along, pull_back
from ..layers.elementwise_kernels import sigmoids_of, sines_of
from ..layers.matrix_kernels import FAST, add_outer, add_product, add_rows, fill_rows

_jit = njit(nogil=True, fastmath=FAST, error_model="numpy")
_entry = njit(nogil=True, fastmath=FAST, error_model="numpy", cache=True)

HIDDEN, MASKS, FREQUENCIES = 0, 1, 2
"""The first layers; the hidden sines and the output follow."""


@_jit
def _start(shapes, layer):
    """Where a layer's numbers begin in `flat`."""
    start = 0
    for n in range(layer):
        start += shapes[n, 0] * (shapes[n, 1] + 1)
    return start


@_jit
def _decoder_row(shapes, layer):
    """Where the output of a layer of the decoder begins in what a tile keeps; its input lies before."""
    return shapes[HIDDEN, 1] + (shapes[HIDDEN, 0] if layer == MASKS else 0)


@_jit
def _load(points, first, out):
    """A tile's points into the first columns of out (d, ...), zero beyond the last point."""
    for i in range(TILE):
        for a in range(points.shape[1]):
            out[a, i] = points[first + i, a] if first + i < len(points) else np.float32(0)


@_jit
def _mask(sines, masks, rows, out):
    """out (C, ...) = each neuron's sines (C, TILE) times its mask."""
    for c in range(len(sines)):
        m = rows[c]
        if m < 0:
            for i in range(TILE):
                out[c, i] = sines[c, i]
        else:
            for i in range(TILE):
                out[c, i] = masks[m, i] * sines[c, i]


@_jit
def _mask_along(sines, cosines, z_along, masks, masks_along, rows, out):
    """out (C, TILE) = the derivative of `_mask` along the directions, from that of z (C, TILE)."""
    for c in range(len(sines)):
        m = rows[c]
        if m < 0:
            for i in range(TILE):
                out[c, i] = cosines[c, i] * z_along[c, i]
        else:
            for i in range(TILE):
                out[c, i] = masks[m, i] * cosines[c, i] * z_along[c, i] + masks_along[m, i] * sines[c, i]


@_entry
def evaluate(
    first_tile,
    end_tile,
    points,
    table,
    grid,
    smooth,
    flat,
    shapes,
    mask_rows,
    omegas,
    keeps,
    decoder,
    sines,
    cosines,
    y,
):
    """Values y (O, N) at points (N, d); with `keeps`, every tile keeps what `reverse` needs."""
    last, features = len(shapes) - 1, shapes[HIDDEN, 1]
    x = np.empty((points.shape[1], TILE), np.float32)
    h, z = np.empty((shapes[last, 1], TILE), np.float32), np.empty((shapes[last, 1], TILE), np.float32)
    out = np.empty((shapes[last, 0], TILE), np.float32)
    for tile in range(first_tile, end_tile):
        slot = tile if keeps else 0
        state = decoder[slot]
        first = tile * TILE
        size = min(TILE, len(points) - first)
        _load(points, first, x)
        interpolate(points, first, size, table, grid, smooth, state[:features])
        masks = state[features + shapes[HIDDEN, 0] :]
        for layer in range(last + 1):
            rows, depth, start = shapes[layer, 0], shapes[layer, 1], _start(shapes, layer)
            middle = start + rows * depth
            if layer < FREQUENCIES:
                row = _decoder_row(shapes, layer)
                source, target = state[row - depth : row], state[row : row + rows]
            else:
                source, target = x if layer == FREQUENCIES else h, z if layer < last else out
            fill_rows(flat[middle : middle + rows], target)
            add_product(flat[start:middle].reshape(rows, depth), source, target)
            if layer == HIDDEN:
                for c in range(len(target)):
                    for i in range(TILE):
                        target[c, i] = max(target[c, i], np.float32(0))
            elif layer == MASKS:
                sigmoids_of(target)
            elif layer < last:
                s = layer - FREQUENCIES
                sines_of(z, omegas[s], sines[slot, s], cosines[slot, s])
                _mask(sines[slot, s], masks, mask_rows[s], h)
        y[:, first : first + size] = out[:, :size]


@_jit
def _forward_along(flat, shapes, mask_rows, state, sines, cosines, v, state_along, z_along, h):
    """Fill state_along (its features are given) and z_along of `reverse`; v (d, TILE), h scratch."""
    first_mask = shapes[HIDDEN, 1] + shapes[HIDDEN, 0]
    masks = state[first_mask:]
    masks_along = state_along[first_mask + len(masks) :]
    for layer in range(len(shapes) - 1):
        rows, depth, start = shapes[layer, 0], shapes[layer, 1], _start(shapes, layer)
        if layer < FREQUENCIES:
            row = _decoder_row(shapes, layer)
            source, target = state_along[row - depth : row], state_along[row : row + rows]
        else:
            source, target = v if layer == FREQUENCIES else h, z_along[layer - FREQUENCIES]
        target[:] = 0
        add_product(flat[start : start + rows * depth].reshape(rows, depth), source, target)
        if layer == HIDDEN:
            _gate(state[depth:first_mask], target)
        elif layer == MASKS:
            masks_along[:] = target
            _back_through_sigmoids(masks, masks_along)
        else:
            s = layer - FREQUENCIES
            _mask_along(sines[s], cosines[s], z_along[s], masks, masks_along, mask_rows[s], h)


@_jit
def _gate(hidden, values):
    """Values (H, columns) where the decoder's hidden layer (H, TILE) is positive, else 0: ReLU's derivative."""
    for c in range(len(hidden)):
        for start in range(0, values.shape[1], TILE):
            for i in range(TILE):
                values[c, start + i] = values[c, start + i] if hidden[c, i] > 0 else np.float32(0)


@_jit
def _back_through_sines(sines, cosines, masks, rows, by_h, by_masks, by_z):
    """Gradients by z (C, TILE) from those by h = m sin(omega z); those by the masks are added up."""
    for c in range(len(sines)):
        m = rows[c]
        if m < 0:
            for i in range(TILE):
                by_z[c, i] = by_h[c, i] * cosines[c, i]
        else:
            for i in range(TILE):
                by_z[c, i] = by_h[c, i] * masks[m, i] * cosines[c, i]
            for i in range(TILE):
                by_masks[m, i] += by_h[c, i] * sines[c, i]


@_jit
def _back_through_sines_along(omega, sines, cosines, z_along, masks, masks_along, rows, by_h, by_masks, by_z):
    """The same with derivatives along the directions in columns TILE and on.

    With s = sin(omega z) and s' = omega cos(omega z) z': h = m s and h' = m s' + m' s.
    """
    for c in range(len(sines)):
        m = rows[c]
        for i in range(TILE):
            bend = omega * omega * sines[c, i] * z_along[c, i]
            mask = masks[m, i] if m >= 0 else np.float32(1)
            mask_along = masks_along[m, i] if m >= 0 else np.float32(0)
            by_sine = by_h[c, i] * mask + by_h[c, TILE + i] * mask_along
            by_sine_along = by_h[c, TILE + i] * mask
            by_z[c, i] = by_sine * cosines[c, i] - by_sine_along * bend
            by_z[c, TILE + i] = by_sine_along * cosines[c, i]
        if m >= 0:
            for i in range(TILE):
                by_masks[m, i] += by_h[c, i] * sines[c, i] + by_h[c, TILE + i] * cosines[c, i] * z_along[c, i]
                by_masks[m, TILE + i] += by_h[c, TILE + i] * sines[c, i]


@_jit
def _back_through_sigmoids(masks, by_masks):
    """In place, gradients by a from those by m = sigmoid(a): m' = m (1 - m) a'. (M, TILE)."""
    for m in range(len(masks)):
        for i in range(TILE):
            by_masks[m, i] *= masks[m, i] * (np.float32(1) - masks[m, i])


@_jit
def _back_through_sigmoids_along(masks, a_along, by_masks):
    """The same with derivatives along the directions in columns TILE and on; a_along (M, TILE)."""
    for m in range(len(masks)):
        for i in range(TILE):
            slope = masks[m, i] * (np.float32(1) - masks[m, i])
            bend = slope * (np.float32(1) - np.float32(2) * masks[m, i]) * a_along[m, i]
            by_masks[m, i] = by_masks[m, i] * slope + by_masks[m, TILE + i] * bend
            by_masks[m, TILE + i] *= slope


@_jit
def _gradients_by_z(
    layer, shapes, omegas, mask_rows, state, sines, cosines, along, state_along, z_along, by_out, by_masks, by_z
):
    """From gradients by a layer's output, by_out, to those by what its matrix gives, by_z, of `reverse`."""
    features, hidden, last = shapes[HIDDEN, 1], shapes[HIDDEN, 0], len(shapes) - 1
    first_mask = features + hidden
    masks = state[first_mask:]
    a_along, masks_along = (
        state_along[first_mask : first_mask + len(masks)],
        state_along[first_mask + len(masks) :],
    )
    if layer == last:
        by_z[:] = by_out[: len(by_z)]
    elif layer >= FREQUENCIES:
        s = layer - FREQUENCIES
        if along:
            _back_through_sines_along(
                omegas[s],
                sines[s],
                cosines[s],
                z_along[s],
                masks,
                masks_along,
                mask_rows[s],
                by_out,
                by_masks,
                by_z,
            )
        else:
            _back_through_sines(sines[s], cosines[s], masks, mask_rows[s], by_out, by_masks, by_z)
    elif layer == MASKS:
        if along:
            _back_through_sigmoids_along(masks, a_along, by_masks)
        else:
            _back_through_sigmoids(masks, by_masks)
        by_z[:] = by_masks
    else:
        by_z[:] = by_out[: len(by_z)]
        _gate(state[features:first_mask], by_z)


@_jit
def _inputs(
    layer, shapes, mask_rows, points, first, v, state, sines, cosines, along, state_along, z_along, inputs
):
    """What a layer's matrix was multiplied with, and behind it its derivative along the directions."""
    first_mask = shapes[HIDDEN, 1] + shapes[HIDDEN, 0]
    masks = state[first_mask:]
    masks_along = state_along[first_mask + len(masks) :]
    if layer > FREQUENCIES:
        s = layer - FREQUENCIES - 1
        _mask(sines[s], masks, mask_rows[s], inputs)
        if along:
            _mask_along(
                sines[s], cosines[s], z_along[s], masks, masks_along, mask_rows[s], inputs[:, TILE:]
            )
    elif layer == FREQUENCIES:
        _load(points, first, inputs)
        if along:
            inputs[:, TILE:] = v
    else:
        start = _decoder_row(shapes, layer) - len(inputs)
        inputs[:, :TILE] = state[start : start + len(inputs)]
        if along:
            inputs[:, TILE:] = state_along[start : start + len(inputs)]


@_entry
def reverse(
    first_part,
    end_part,
    tiles_a_part,
    points,
    table,
    grid,
    smooth,
    flat,
    transposed,
    shapes,
    mask_rows,
    omegas,
    decoder,
    sines,
    cosines,
    by_y,
    directions,
    sums,
    by_features,
    by_points,
):
    """The gradients of <by_y, y>, with by_y (O, N), from what `evaluate` kept.

    What is given room is computed: sums (parts, len(flat)), the gradients by the parameters, added
    up over each part's tiles, with by_features (1, F, N); by_points (N, d). transposed: `flat` with
    every matrix transposed.

    With directions (N, d), for one output: the gradients by the parameters of <by_y, y> plus the sum
    of the derivatives of y along the directions, by reverse mode over forward mode (Griewank & Walther
    2008, sec. 5.2). by_features (2, F, N) then has those by the features' own derivatives as well.
    Behind its TILE columns an array has those of the derivatives along the directions.
    """
    last, features = len(shapes) - 1, shapes[HIDDEN, 1]
    along, learns, locates = len(directions) > 0, len(sums) > 0, len(by_points) > 0
    columns, widest = 2 * TILE if along else TILE, shapes.max()
    by_out = np.empty((widest, columns), np.float32)
    by_z = np.empty((widest, columns), np.float32)
    inputs = np.empty((widest, columns), np.float32)
    by_masks = np.empty((shapes[MASKS, 0], columns), np.float32)
    by_x = np.empty((points.shape[1], TILE), np.float32)
    # the derivatives of features, hidden neurons, masks' arguments and masks, and of the sines' z
    state_along = np.zeros((decoder.shape[1] + shapes[MASKS, 0], TILE), np.float32)
    z_along = np.zeros((last - FREQUENCIES, shapes[last, 1], TILE), np.float32)
    v, h = np.zeros((points.shape[1], TILE), np.float32), np.empty((shapes[last, 1], TILE), np.float32)
    for tile in range(first_part * tiles_a_part, min(end_part * tiles_a_part, len(decoder))):
        part, first = tile // tiles_a_part, tile * TILE
        size = min(TILE, len(points) - first)
        state = decoder[tile]
        if along:
            _load(directions, first, v)
            interpolate_along(points, directions, first, size, table, grid, smooth, state_along[:features])
            _forward_along(
                flat, shapes, mask_rows, state, sines[tile], cosines[tile], v, state_along, z_along, h
            )
        by_masks.fill(0)
        by_out.fill(0)
        by_out[: len(by_y), :size] = by_y[:, first : first + size]
        if along:
            by_out[0, TILE : TILE + size] = 1
        for layer in range(last, -1, -1):
            rows, depth, start = shapes[layer, 0], shapes[layer, 1], _start(shapes, layer)
            middle = start + rows * depth
            of_z = by_z[:rows]
            _gradients_by_z(
                layer,
                shapes,
                omegas,
                mask_rows,
                state,
                sines[tile],
                cosines[tile],
                along,
                state_along,
                z_along,
                by_out,
                by_masks,
                of_z,
            )
            if learns:
                _inputs(
                    layer,
                    shapes,
                    mask_rows,
                    points,
                    first,
                    v,
                    state,
                    sines[tile],
                    cosines[tile],
                    along,
                    state_along,
                    z_along,
                    inputs[:depth],
                )
                add_outer(of_z, inputs[:depth], sums[part, start:middle].reshape(rows, depth))
                add_rows(of_z, TILE, sums[part, middle : middle + rows])
            by_out[:depth] = 0
            add_product(transposed[start:middle].reshape(depth, rows), of_z, by_out[:depth])
            if layer == FREQUENCIES:
                by_x[:] = by_out[:depth, :TILE]
        if learns:
            for n in range(len(by_features)):
                for f in range(features):
                    by_features[n, f, first : first + size] = by_out[f, n * TILE : n * TILE + size]
        if locates:
            pull_back(points, first, size, by_out, table, grid, smooth, by_x)
            by_points[first : first + size] = by_x[:, :size].T
