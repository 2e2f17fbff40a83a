"""Noise taken off a cloud: its points moved, along its normals, onto the surface that they sample.

Quadrics are fitted around all points, in windows that widen while what is left over is no more
than the noise: far where the surface is smooth, hardly where it is not (Lepski's choice of a
bandwidth, by a test of lack of fit). Every point then goes to the weighted mean of all windows
that hold it, so that beside an edge those on its own side of it decide (aggregation of overlapping
windows, as of Katkovnik et al. 2010, "From local kernel to nonlocal multiple-model denoising").
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..geometry import Array
from ..threads import over_ranges
from .quadrics import TERMS, choose_widths, fit_quadrics, gather, tangent_planes
from .tree import Tree

WIDTHS = np.array([1.9, 2.7, 3.8, 5.4, 7.6])  # spacings: about 16, 32, 65, 130 and 260 points
SC=1.0
DOUBT = 3.0  # standard deviations by which residuals may exceed the noise
TOLERANCE = 8.0  # standard deviations of the noise by which a point may lie off its surface
_PLANE, _AROUND = 2.7, 5.4  # widths of tangent planes, and of the surroundings that choose a width
_SLENDER = 0.3  # noise, in radii of a tangent plane, up to which it has a direction
_COARSEST = 3.0  # times as wide as that all windows may get
_PER_MISS = np.sqrt(np.pi / 2)  # standard deviations of a normal distribution to its mean modulus


@dataclass(frozen=True)
class Denoised:
    """points (N, 3); unit normals (N, 3) of either sign; noise (N,), the standard deviation of the
    displacements along the normals; supported (N,): whether any surface holds the point."""

    points: Array
    normals: Array
    noise: Array
    supported: np.ndarray


def denoise(tree: Tree, spacing: Array, lists: np.ndarray) -> Denoised:
    """The points of a tree on the surface that they sample. spacing (N,); lists (N, k): neighbours."""
    count, last = len(tree.points), len(WIDTHS) - 1
    around = tree.points.ravel(), tree.boxes.ravel(), spacing
    normals, quadrics = np.empty((count, 3)), np.empty((count, TERMS + 2))
    misses, least = np.empty((count, last + 1)), np.empty(count)
    scale = 1.0
    while True:
        over_ranges(tangent_planes, count, *around, scale * _PLANE, normals)
        limits, noise = np.full(count, last), np.full(count, np.inf)
        fit = *around, scale * WIDTHS, normals, limits, noise, DOUBT, quadrics, misses
        over_ranges(fit_quadrics, count, *fit)
        over_ranges(choose_widths, count, *around, scale * _AROUND, misses, limits, least)
        slender = _PER_MISS * np.median(least) / (scale * _PLANE * np.median(spacing))
        if slender <= _SLENDER or scale >= _COARSEST:
            break
        scale = min(scale * max(slender / _SLENDER, 1.25), _COARSEST)
    np.maximum((_PER_MISS * SC * least) ** 2, 1e-18, out=noise)
    over_ranges(fit_quadrics, count, *fit)
    moved, turned = np.empty((count, 3)), np.empty((count, 3))
    reach = scale * WIDTHS[-1]
    over_ranges(gather, count, *around, reach, normals, noise, quadrics, TOLERANCE, moved, turned)
    return Denoised(moved, turned, np.sqrt(noise), np.isfinite(turned[:, 0]))
