"""Noise taken off a cloud: its points moved, along its normals, onto the surface that they sample.

Quadrics are fitted around all points. How wide their windows may be is chosen among the points
around, by how far quadrics of each width miss their own centres (cross-validation); within that a
window widens while what is left over is no more than the noise, so that it stops at edges. Every
point then goes to the weighted mean of all windows that hold it: beside an edge those on its own
side of it decide (aggregation of overlapping windows, Katkovnik et al. 2010, "From local kernel to
nonlocal multiple-model image denoising").
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..geometry import Array
from ..progress import steps
from ..threads import over_ranges
from .quadrics import TERMS, choose_widths, fit_quadrics, gather, tangent_planes
from .tree import Tree

WIDTHS = np.array([1.9, 2.7, 3.8, 5.4, 7.6])  # spacings: about 16, 32, 65, 130 and 260 points
DOUBT = 2.0  # standard deviations by which residuals may exceed the noise
TOLERANCE = 8.0  # standard deviations of the noise by which a point may lie off its surface
_PLANE, _AROUND = 2.7, 3.8  # widths of tangent planes, and of the surroundings that choose a width
_SLENDER = 0.25  # noise, in radii of a tangent plane, up to which it has a direction
_COARSEST = 3.0  # times as wide as that all windows may get
_PER_MISS = 1.2  # standard deviations to a mean modulus: of a normal distribution 1.25, and some is bias


@dataclass(frozen=True)
class Denoised:
    """points (N, 3); unit normals (N, 3) of either sign; noise (N,), the standard deviation of the
    displacements along the normals; supported (N,): whether any surface holds the point."""

    points: Array
    normals: Array
    noise: Array
    supported: np.ndarray


def denoise(tree: Tree, spacing: Array) -> Denoised:
    """The points of a tree on the surface that they sample; spacing (N,): distance of the nearest others."""
    count, last = len(tree.points), len(WIDTHS) - 1
    around = tree.points.ravel(), tree.boxes.ravel(), spacing
    normals, quadrics = np.empty((count, 3)), np.empty((count, TERMS + 2))
    misses, least = np.empty((count, last + 1)), np.empty(count)
    scale, done, step = 1.0, 0.0, steps()
    while True:
        done += 0.6 * (0.7 - done)  # nobody knows how often the windows will be widened
        step(done)
        part = steps()
        part(0.2)
        over_ranges(tangent_planes, count, *around, scale * _PLANE, normals)
        limits, noise = np.full(count, last), np.full(count, np.inf)
        part(0.7)
        fit = *around, scale * WIDTHS, normals, limits, noise, DOUBT, quadrics, misses
        over_ranges(fit_quadrics, count, *fit)
        part(1.0)
        over_ranges(choose_widths, count, *around, scale * _AROUND, misses, limits, least)
        slender = _PER_MISS * np.median(least) / (scale * _PLANE * np.median(spacing))
        if slender <= _SLENDER or scale >= _COARSEST:
            break
        scale = min(scale * max(slender / _SLENDER, 1.25), _COARSEST)
    least[np.isinf(least)] = np.median(least)
    np.maximum((_PER_MISS * least) ** 2, 1e-18, out=noise)
    step(0.9)
    over_ranges(fit_quadrics, count, *fit)
    moved, turned = np.empty((count, 3)), np.empty((count, 3))
    reach = scale * WIDTHS[-1]
    step(1.0)
    over_ranges(gather, count, *around, reach, normals, noise, quadrics, TOLERANCE, moved, turned)
    return Denoised(moved, turned, np.sqrt(noise), np.isfinite(turned[:, 0]))
