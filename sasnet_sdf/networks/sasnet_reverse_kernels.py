"""SASNet's gradients by the parameters and the points on the CPU, also of directional derivatives.

The network, the tiles and what they keep are those of sasnet_kernels.py. `along` in a name marks the
derivative along a given direction, one per point. In arrays with 2 * TILE columns, the second half holds the
derivatives. `kept` is what a tile keeps. `moved` holds its derivatives: state_along those of the features,
the hidden neurons, the masks' arguments and the masks; z_along those of the sine layers' arguments.
"""

from __future__ import annotations

import numpy as np

from .grid_kernels import TILE, Floats, interpolate, pull_back
from .kernels import add_outer, add_product, add_rows, clear, copy
from .sasnet_kernels import (
    FREQUENCIES,
    HIDDEN,
    MASKS,
    Kept,
    Layers,
    Where,
    decoder_row,
    entry,
    jit,
    load,
    mask,
    part,
    start_of,
)


@jit
def _mask_along(sines, cosines, z_along, masks, masks_along, rows, column, out):
    """Columns of out (C, ...) = the derivative of `mask` along the directions, from that of z (C, TILE)."""
    for c in range(len(sines)):
        m = rows[c]
        for i in range(TILE):
            out[c, column + i] = masks[m, i] * cosines[c, i] * z_along[c, i] + masks_along[m, i] * sines[c, i]


@part
def _inputs_of(layer, layers, points, first, v, kept, along, moved, inputs):
    """The inputs of a layer's matrix, followed by their derivatives along the directions."""
    _, shapes, mask_rows, _ = layers
    state, sines, cosines = kept
    state_along, z_along = moved
    first_mask = shapes[HIDDEN, 1] + shapes[HIDDEN, 0]
    masks = state[first_mask:]
    if layer > FREQUENCIES:
        s = layer - FREQUENCIES - 1
        rows = mask_rows[s]
        mask(sines[s], masks, rows, inputs)
        if along:
            masks_along = state_along[first_mask + len(masks) :]
            _mask_along(sines[s], cosines[s], z_along[s], masks, masks_along, rows, np.int64(TILE), inputs)
    elif layer == FREQUENCIES:
        load(points, first, inputs)
        if along:
            copy(v, inputs, np.int64(TILE))
    else:
        start = decoder_row(shapes, layer) - len(inputs)
        copy(state[start:], inputs, np.int64(0))
        if along:
            copy(state_along[start:], inputs, np.int64(TILE))


@part
def _forward_along(layers, kept, v, moved, h):
    """Fill `moved`, in which the features are given. v (d, TILE) holds the directions; h is scratch."""
    flat, shapes, mask_rows, _ = layers
    state, sines, cosines = kept
    state_along, z_along = moved
    first_mask = shapes[HIDDEN, 1] + shapes[HIDDEN, 0]
    masks = state[first_mask:]
    masks_along = state_along[first_mask + len(masks) :]
    for layer in range(len(shapes) - 1):
        rows, depth, start = shapes[layer, 0], shapes[layer, 1], start_of(shapes, layer)
        if layer < FREQUENCIES:
            row = decoder_row(shapes, layer)
            source, target = state_along[row - depth : row], state_along[row : row + rows]
        else:
            source, target = v if layer == FREQUENCIES else h, z_along[layer - FREQUENCIES]
        clear(target)
        add_product(flat, start, source, target)
        if layer == HIDDEN:
            _gate(state[depth:first_mask], target)
        elif layer == MASKS:
            copy(target, masks_along, np.int64(0))
            _back_through_sigmoids(masks, masks_along)
        else:
            s = layer - FREQUENCIES
            _mask_along(sines[s], cosines[s], z_along[s], masks, masks_along, mask_rows[s], np.int64(0), h)


@jit
def _gate(hidden, values):
    """Keep values (H, columns) where the hidden layer (H, TILE) is positive: the derivative of ReLU."""
    for c in range(len(hidden)):
        for start in range(0, values.shape[1], TILE):
            for i in range(TILE):
                values[c, start + i] = values[c, start + i] if hidden[c, i] > 0 else np.float32(0)


@part
def _back_through_sines(sines, cosines, masks, rows, by_h, by_masks, by_z):
    """Gradients by z (C, TILE) from those by h = m sin(omega z); those by the masks are added to by_masks."""
    for c in range(len(sines)):
        m = rows[c]
        for i in range(TILE):
            by_z[c, i] = by_h[c, i] * masks[m, i] * cosines[c, i]
            by_masks[m, i] += by_h[c, i] * sines[c, i]


@part
def _back_through_sines_along(omega, sines, cosines, z_along, masks, masks_along, rows, by_h, by_masks, by_z):
    """_back_through_sines, with derivatives in the columns from TILE on.

    With s = sin(omega z) and s' = omega cos(omega z) z': h = m s and h' = m s' + m' s.
    """
    for c in range(len(sines)):
        m = rows[c]
        for i in range(TILE):
            bend = omega * omega * sines[c, i] * z_along[c, i]
            by_sine = by_h[c, i] * masks[m, i] + by_h[c, TILE + i] * masks_along[m, i]
            by_sine_along = by_h[c, TILE + i] * masks[m, i]
            by_z[c, i] = by_sine * cosines[c, i] - by_sine_along * bend
            by_z[c, TILE + i] = by_sine_along * cosines[c, i]
        for i in range(TILE):
            by_masks[m, i] += by_h[c, i] * sines[c, i] + by_h[c, TILE + i] * cosines[c, i] * z_along[c, i]
            by_masks[m, TILE + i] += by_h[c, TILE + i] * sines[c, i]


@jit
def _back_through_sigmoids(masks, by_masks):
    """In place, gradients by a from those by m = sigmoid(a): m' = m (1 - m) a'. (M, TILE)."""
    for m in range(len(masks)):  # for neurons without a mask m is 1, and 1 - m is 0
        for i in range(TILE):
            by_masks[m, i] *= masks[m, i] * (np.float32(1) - masks[m, i])


@part
def _back_through_sigmoids_along(masks, a_along, by_masks):
    """_back_through_sigmoids, with derivatives in the columns from TILE on; a_along (M, TILE)."""
    for m in range(len(masks)):
        for i in range(TILE):
            slope = masks[m, i] * (np.float32(1) - masks[m, i])
            bend = slope * (np.float32(1) - np.float32(2) * masks[m, i]) * a_along[m, i]
            by_masks[m, i] = by_masks[m, i] * slope + by_masks[m, TILE + i] * bend
            by_masks[m, TILE + i] *= slope


@part
def _gradients_by_z(layer, layers, kept, along, moved, by_out, by_masks, by_z):
    """Computes by_z, the gradients by the matrix product of a layer, from by_out, those by its output."""
    _, shapes, mask_rows, omegas = layers
    state, sines, cosines = kept
    state_along, z_along = moved
    features, hidden, last = shapes[HIDDEN, 1], shapes[HIDDEN, 0], len(shapes) - 1
    first_mask = features + hidden
    masks = state[first_mask:]
    a_along = state_along[first_mask : first_mask + len(masks)]
    masks_along = state_along[first_mask + len(masks) :]
    if layer == last:
        copy(by_out, by_z, np.int64(0))
    elif layer >= FREQUENCIES:
        s = layer - FREQUENCIES
        rows = mask_rows[s]
        if along:
            z = z_along[s]
            _back_through_sines_along(
                omegas[s], sines[s], cosines[s], z, masks, masks_along, rows, by_out, by_masks, by_z
            )
        else:
            _back_through_sines(sines[s], cosines[s], masks, rows, by_out, by_masks, by_z)
    elif layer == MASKS:
        if along:
            _back_through_sigmoids_along(masks, a_along, by_masks)
        else:
            _back_through_sigmoids(masks, by_masks)
        copy(by_masks, by_z, np.int64(0))
    else:
        copy(by_out, by_z, np.int64(0))
        _gate(state[features:first_mask], by_z)


@entry
def reverse(
    first_part: int,
    end_part: int,
    tiles_a_part: int,
    where: Where,
    layers: Layers,
    transposed: Floats,
    memory: Kept,
    by_y: Floats,
    directions: Floats,
    sums: Floats,
    by_features: Floats,
    by_points: Floats,
) -> None:
    """The gradients of <by_y, y>, with by_y (O, N), from what `evaluate` kept.

    Only outputs that are not empty are computed: sums (parts, len(flat)), the gradients by the parameters
    summed over each part's tiles, together with by_features (1, F, N); and by_points (N, d). transposed:
    `flat` with every matrix transposed.

    With directions (N, d), for one output: the gradients by the parameters of <by_y, y> plus the sum of the
    derivatives of y along the directions, by reverse mode over forward mode (Griewank & Walther 2008, sec.
    5.2). by_features (2, F, N) then also holds the gradients by the features' derivatives.
    """
    points, table, grid, smooth = where
    shapes = layers[1]
    decoder, sines, cosines = memory
    last, features = len(shapes) - 1, shapes[HIDDEN, 1]
    along, learns, locates = len(directions) > 0, len(sums) > 0, len(by_points) > 0
    columns, widest = 2 * TILE if along else TILE, 0
    for layer in range(last + 1):
        widest = max(widest, shapes[layer, 0], shapes[layer, 1])
    by_out = np.empty((widest, columns), np.float32)
    by_z = np.empty((widest, columns), np.float32)
    inputs = np.empty((widest, columns), np.float32)
    by_masks = np.empty((shapes[MASKS, 0] + 1, columns), np.float32)
    by_x = np.empty((points.shape[1], TILE), np.float32)
    state_along = np.empty((decoder.shape[1] + shapes[MASKS, 0] + 1, TILE), np.float32)
    z_along = np.empty((last - FREQUENCIES, shapes[last, 1], TILE), np.float32)
    moved = state_along, z_along
    v, h = np.empty((points.shape[1], TILE), np.float32), np.empty((shapes[last, 1], TILE), np.float32)
    clear(state_along)  # the derivative of the constant mask is zero
    for tile in range(first_part * tiles_a_part, min(end_part * tiles_a_part, len(decoder))):
        number, first = tile // tiles_a_part, tile * TILE
        size = min(TILE, len(points) - first)
        kept = decoder[tile], sines[tile], cosines[tile]
        if along:
            load(directions, first, v)
            interpolate(points, directions, True, first, size, table, grid, smooth, state_along[:features])
            _forward_along(layers, kept, v, moved, h)
        clear(by_masks)
        clear(by_out)
        for o in range(len(by_y)):
            for i in range(size):
                by_out[o, i] = by_y[o, first + i]
        if along:
            for i in range(size):
                by_out[0, TILE + i] = 1
        for layer in range(last, -1, -1):
            rows, depth, start = shapes[layer, 0], shapes[layer, 1], start_of(shapes, layer)
            of_z = by_z[:rows]
            _gradients_by_z(layer, layers, kept, along, moved, by_out, by_masks, of_z)
            if learns:
                _inputs_of(layer, layers, points, first, v, kept, along, moved, inputs[:depth])
                add_outer(of_z, inputs[:depth], sums[number], start)
                add_rows(of_z, TILE, sums[number], start + rows * depth)
            clear(by_out[:depth])
            add_product(transposed, start, of_z, by_out[:depth])
            if layer == FREQUENCIES:
                copy(by_out, by_x, np.int64(0))
        if learns:
            for n in range(len(by_features)):
                for f in range(features):
                    for i in range(size):  # assignment to a slice would take seconds to compile
                        by_features[n, f, first + i] = by_out[f, n * TILE + i]
        if locates:
            pull_back(points, points, False, first, size, by_out, table, grid, smooth, by_x)
            for i in range(size):
                for a in range(len(by_x)):
                    by_points[first + i, a] = by_x[a, i]
