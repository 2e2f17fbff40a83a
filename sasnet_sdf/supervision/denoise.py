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
from .quadrics import TERMS, fit_quadrics, gather, tangent_planes
from .tree import Tree

WINDOWS = np.array([1.9, 2.6, 3.7, 5.3, 7.0])  # spacings: about 12, 24, 48, 96 and 170 points
DOUBT = 3.0  # standard deviations by which residuals may exceed the noise
TOLERANCE = 8.0  # standard deviations of the noise by which a point may lie off its surface
_NOISE_WINDOW = 1  # that residuals are measured in
_SLENDER = 0.3  # noise, in radii of that window, that it still tells from the shape of the surface
_WIDEST = 2.5


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
    count = len(tree.points)
    around = tree.points.ravel(), tree.boxes.ravel(), spacing
    normals, residuals, quadrics = np.empty((count, 3)), np.empty(count), np.empty((count, TERMS + 2))
    anything = np.full(count, np.inf)
    scale, noise = 1.0, anything
    while True:
        window = scale * WINDOWS[_NOISE_WINDOW : _NOISE_WINDOW + 1]
        over_ranges(tangent_planes, count, *around, scale * WINDOWS[_NOISE_WINDOW], normals)
        over_ranges(fit_quadrics, count, *around, window, normals, anything, DOUBT, quadrics, residuals)
        slender = np.sqrt(np.median(residuals)) / (window[0] * np.median(spacing))
        if slender <= _SLENDER or scale >= _WIDEST:
            break
        scale = min(scale * max(slender / _SLENDER, 1.2), _WIDEST)
    noise = np.maximum(np.median(residuals[lists], axis=1), 1e-18)
    widths = scale * WINDOWS
    over_ranges(fit_quadrics, count, *around, widths, normals, noise, DOUBT, quadrics, residuals)
    moved, turned = np.empty((count, 3)), np.empty((count, 3))
    over_ranges(gather, count, *around, widths[-1], normals, noise, quadrics, TOLERANCE, moved, turned)
    return Denoised(moved, turned, np.sqrt(noise), np.isfinite(turned[:, 0]))
