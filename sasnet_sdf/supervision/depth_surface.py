"""Fits a smooth surface to rounded depths, over the image that the sensor saw.

Quadrics are fitted to the depths in windows of many widths, so that some of them span several steps wherever
the surface spans more than one. A window counts if rounding and the noise around it explain its residual.
Wider windows count more, since terraces are wide where the surface is parallel to the image. Wider windows
are fitted to means of more pixels, so that all windows have about the same number of samples.
"""

from __future__ import annotations

import numpy as np

from ..geometry import Array, Indices
from ..runtime.compiled import kernel, over_ranges, part
from ..runtime.progress import steps
from ..spatial import Tree, find_around, morton_order
from .quadrics import SUMS, TERMS, add_to_sums, quadric_terms, solve_quadric

_FLATNESS = 0.5  # length of a step, in pixels, when distances between points are computed
_DOUBLINGS = 7  # doublings of a window's width: the widest is 768 pixels across, a whole image
_LEFT, _AROUND = TERMS, TERMS + 1  # columns after the terms: the residual, and the noise around the window
_RADIUS = 6.0  # of windows, in samples: about 110 samples each
_MOST, _FEWEST = 2048, 12  # largest and least number of samples of a window
# residuals, in steps. _ROUNDING: that of rounding, sqrt(1/12), with some curvature; _TWO: from which on a
# window contains two surfaces
_ROUNDING, _TWO = 0.33, 1.0
_EXCESS = 1.5  # the largest residual, in units of the noise around it
_FADE = 0.15  # the share of that residual over which a window's weight falls to zero
_OFF, _LEAST_OFF = 4.0, 1.0  # largest distance of points from a window's surface: in residuals, and in steps
_WIDER = 8.0  # weight of a window relative to that of one half as wide


def corrections(image: Array) -> Array:
    """Corrections (N,), in steps, that move depths onto a smooth surface; 0 where none was found.

    image: (N, 3) the positions of points in pixels, and their depths in steps.
    """
    pixels = image * [1, 1, _FLATNESS]
    order = _order(pixels)
    pixels = np.ascontiguousarray(pixels[order])
    noise, sums = np.full(len(pixels), _TWO), np.zeros((len(pixels), 2))
    step = steps()
    for round_, doubling in enumerate([1, *range(_DOUBLINGS)]):  # the first round measures the noise
        step((round_ + 1) / (_DOUBLINGS + 1))
        samples, weights, around = _means(pixels, noise, 1 << doubling)
        tree, radius = Tree.of(samples), _RADIUS * (1 << doubling)
        flat = tree.points.ravel(), tree.boxes.ravel()
        fits = np.empty((len(samples), TERMS + 2))
        over_ranges(_fit, len(samples), *flat, weights, around, radius, fits)
        if round_ == 0:
            over_ranges(_least, len(pixels), pixels, *flat, radius, fits, noise)
        else:
            over_ranges(_gather, len(pixels), pixels, *flat, radius, fits, _WIDER**doubling, sums)
    found, held = np.zeros(len(pixels)), sums[:, 0] > 0
    found[order[held]] = sums[held, 1] / sums[held, 0]
    return found


def _order(places: Array) -> Indices:
    """The indices (N,) that sort places (N, 3), in any units, along a Z-curve."""
    low, high = places.min(0), places.max(0)
    return morton_order((places - (low + high) / 2) / max((high - low).max(), 1e-300))


def _means(pixels: Array, noise: Array, size: int) -> tuple[Array, Array, Array]:
    """Means over voxels of a size, in Morton order: places (M, 3), numbers of points (M,), noise (M,)."""
    if size == 1:
        return pixels, np.ones(len(pixels)), noise
    voxels = np.floor((pixels - pixels.min(0)) / size).astype(np.int64)
    counts = voxels.max(0) + 1
    codes = (voxels[:, 0] * counts[1] + voxels[:, 1]) * counts[2] + voxels[:, 2]
    group = np.unique(codes, return_inverse=True)[1].reshape(-1)
    weights = np.bincount(group).astype(np.float64)
    places = np.stack([np.bincount(group, pixels[:, axis]) for axis in range(3)], 1) / weights[:, None]
    order = _order(places)
    around = np.bincount(group, noise) / weights
    return np.ascontiguousarray(places[order]), weights[order], around[order]


@kernel
def _fit(start, stop, points, boxes, weights, noise, radius, fits):
    """Fit quadrics around samples by weighted least squares, over places in radii of the window.

    points, boxes: those of the samples' tree, (3 M,) points. weights, noise: (M,) of the samples. fits: (M,
    8) the terms, the root-mean-square residual (infinite without a fit), and the mean noise of the samples.
    """
    found, sums, terms = np.empty(_MOST, np.int64), np.empty((1, SUMS)), np.empty(TERMS)
    row = np.int64(0)
    for i in range(start, stop):
        x, y, z = points[3 * i], points[3 * i + 1], points[3 * i + 2]
        count = find_around(points, boxes, x, y, z, radius * radius, found)
        fits[i, _LEFT], fits[i, _AROUND] = np.inf, _TWO
        if count < _FEWEST:
            continue
        sums[:], around = 0.0, 0.0
        for n in range(count):
            j = found[n]
            u, v = (points[3 * j] - x) / radius, (points[3 * j + 1] - y) / radius
            add_to_sums(sums, row, u, v, (points[3 * j + 2] - z) / _FLATNESS, weights[j], terms)
            around += weights[j] * noise[j]
        if solve_quadric(sums, row, 1e-9, fits[i]) < 0:
            continue
        squares, total = sums[0, SUMS - 2], sums[0, 0]
        for a in range(TERMS):
            squares -= fits[i, a] * sums[0, SUMS - 2 - TERMS + a]
        fits[i, _LEFT] = np.sqrt(max(squares, 0.0) / total * count / (count - TERMS))
        fits[i, _AROUND] = around / total


@kernel
def _least(start, stop, pixels, points, boxes, radius, fits, noise):
    """Write to noise (N,) the least residual of the windows over each pixel.

    Next to a jump, this is the residual of a window on the pixel's own side.
    """
    found, terms = np.empty(_MOST, np.int64), np.empty(TERMS)
    for i in range(start, stop):
        x, y, z = pixels[i, 0], pixels[i, 1], pixels[i, 2]
        for n in range(find_around(points, boxes, x, y, z, radius * radius, found)):
            j = found[n]
            if abs(_height(points, fits, j, x, y, z, radius, terms)) < _LEAST_OFF:
                noise[i] = min(noise[i], fits[j, _LEFT])


@kernel
def _gather(start, stop, pixels, points, boxes, radius, fits, gain, sums):
    """Add to sums (N, 2) the weights of the windows that contain a pixel, and their weighted heights."""
    found, terms = np.empty(_MOST, np.int64), np.empty(TERMS)
    for i in range(start, stop):
        x, y, z = pixels[i, 0], pixels[i, 1], pixels[i, 2]
        for n in range(find_around(points, boxes, x, y, z, radius * radius, found)):
            j = found[n]
            most = max(_ROUNDING, min(_TWO, _EXCESS * fits[j, _AROUND]))
            if fits[j, _LEFT] >= most:
                continue
            height = _height(points, fits, j, x, y, z, radius, terms)
            off = height / max(_LEAST_OFF, _OFF * most)
            apart = (x - points[3 * j]) ** 2 + (y - points[3 * j + 1]) ** 2 + (z - points[3 * j + 2]) ** 2
            if off * off < 1:
                weight = gain * (1 - apart / (radius * radius)) * (1 - off * off) ** 2
                weight *= min(1.0, (1 - fits[j, _LEFT] / most) / _FADE)
                sums[i, 0] += weight
                sums[i, 1] += weight * height


@part
def _height(points, fits, j, x, y, z, radius, terms):
    """The height of the surface of window j over a pixel, in steps."""
    quadric_terms((x - points[3 * j]) / radius, (y - points[3 * j + 1]) / radius, terms)
    height = (points[3 * j + 2] - z) / _FLATNESS
    for a in range(TERMS):
        height += fits[j, a] * terms[a]
    return height
