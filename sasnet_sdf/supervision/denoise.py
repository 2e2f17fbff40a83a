"""Noise taken off a cloud: its points moved, along its normals, onto the surface that they sample.

Quadrics are fitted around all points, to windows that grow while what is left over is no more
than the noise: far where the surface is smooth, hardly where it is not (Lepski's choice of a
bandwidth, by a test of lack of fit). Every point then goes to the weighted mean of all windows
that hold it, so that beside an edge those on its own side of it decide (aggregation of overlapping
windows, as of Katkovnik et al. 2010, "From local kernel to nonlocal multiple-model denoising").
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ..geometry import Array
from ..threads import over_ranges
from .planes import fit_planes
from .quadrics import TERMS, fit_quadrics, gather
from .tree import Tree

WINDOWS = np.array([12, 24, 48, 96, 160])
DOUBT = 3.0  # standard deviations by which residuals may exceed the noise
TOLERANCE = 8.0  # standard deviations of the noise by which a point may lie off its surface
_FRAME = 32  # neighbours of the planes over which heights are measured
_NOISE_WINDOW, _NOISE_NEIGHBOURS = 24, 48  # of residuals, and of the median over them
_PIECE = 1 << 18  # points whose neighbours are in memory at once


@dataclass(frozen=True)
class Denoised:
    """points (N, 3); unit normals (N, 3) of either sign; noise (N,), the standard deviation of the
    displacements along the normals; supported (N,): whether any surface holds the point."""

    points: Array
    normals: Array
    noise: Array
    supported: np.ndarray


def denoise(tree: Tree) -> Denoised:
    """The points of a tree on the surface that they sample."""
    points, count = tree.points, len(tree.points)
    normals, residuals, variances = np.empty((count, 3)), np.empty(count), np.empty(count)
    quadrics = np.empty((count, TERMS + 2))
    everything = np.full(count, np.inf)
    pieces = _Pieces(tree, int(WINDOWS[-1]) - 1)
    for first, lists in pieces:
        rows = np.arange(first, first + len(lists))
        normals[rows] = fit_planes(points, lists[:, : _FRAME - 1], rows, first)[0]
        window = np.array([min(_NOISE_WINDOW, lists.shape[1] + 1)])
        fit = points, normals, lists, window, everything, DOUBT, quadrics, residuals
        over_ranges(fit_quadrics, len(lists), first, *fit)
    for first, lists in pieces:
        around = residuals[lists[:, : _NOISE_NEIGHBOURS : 3]]
        variances[first : first + len(lists)] = np.median(around, axis=1)
    np.maximum(variances, 1e-18, out=variances)
    for first, lists in pieces:
        sizes = np.append(WINDOWS[WINDOWS <= lists.shape[1]], lists.shape[1] + 1)
        fit = points, normals, lists, sizes, variances, DOUBT, quadrics, residuals
        over_ranges(fit_quadrics, len(lists), first, *fit)
    moved, turned = np.empty((count, 3)), np.empty((count, 3))
    for first, lists in pieces:
        seen = points, normals, lists, variances, quadrics, TOLERANCE, moved, turned
        over_ranges(gather, len(lists), first, *seen)
    return Denoised(moved, turned, np.sqrt(variances), np.isfinite(turned[:, 0]))


class _Pieces:
    """(first, lists) of runs of points; the neighbours of a large cloud are never all in memory."""

    def __init__(self, tree: Tree, count: int):
        self._tree, self._count = tree, count
        self._only = self._lists(0) if len(tree.points) <= _PIECE else None

    def __iter__(self) -> Iterator[tuple[int, np.ndarray]]:
        for first in range(0, len(self._tree.points), _PIECE):
            yield first, self._lists(first) if self._only is None else self._only

    def _lists(self, first: int) -> np.ndarray:
        return self._tree.neighbours(self._count, first, first + _PIECE)[0]
