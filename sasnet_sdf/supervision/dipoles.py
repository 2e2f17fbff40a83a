"""What neighbours say about each other's side, as dipoles along their normals would."""

from __future__ import annotations

import numpy as np

from ..geometry import Array
from ..progress import pieces, steps
from ..threads import over_ranges
from .compiled import kernel
from .consensus import Votes

_PIECE = 1 << 18  # points that are looked at together
PAIRED = 12  # nearest neighbours that a point forms pairs with
_BEND = 0.1  # of 1 - cos between normals, times the distance: what curvature leaves


def dipole_votes(points: Array, normals: Array, lists: np.ndarray, spacing: Array, blur: Array) -> Votes:
    """Votes of pairs of neighbours about the sides of their normals (N, 3), from lists (N, k).

    The energy of two dipoles: n.m - 3 (n.r)(m.r) / r^2, over r^3 in spacings (N,). r^2 is longer by
    blur (N,), squared, of both: dipoles that are smeared over the depth of the noise.
    """
    step = steps()
    step(0.4)
    votes = np.empty((len(points), min(PAIRED, lists.shape[1])), np.float32)
    over_ranges(_vote, len(points), points.ravel(), normals.ravel(), lists, spacing, blur, votes)
    step(0.9)
    parts = []
    for part in pieces(len(points), _PIECE):
        rows, columns = np.nonzero(np.isfinite(votes[part]))
        first = (rows + part.start).astype(np.int32)
        parts.append((first, lists[first, columns], votes[first, columns]))
    step(1.0)
    first, second, values = (np.concatenate(of_all) for of_all in zip(*parts, strict=True))
    return Votes(len(points), first, second, values, np.abs(values))


def offsets(points: Array, normals: Array, lists: np.ndarray, *, bent: bool = False) -> Array:
    """How far along its normal a quarter of each point's neighbours lie at most: (N,).

    About half the noise's standard deviation, and also where the neighbours are of two close sheets.
    bent: along the mean of its normal and the neighbour's, on the same side of the surface, where
    curvature cancels to second order, and less what it may leave where normals differ much.
    """
    quartile = np.empty(len(points))
    over_ranges(_offsets, len(points), points.ravel(), normals.ravel(), lists, bent, quartile)
    return quartile


@kernel
def _vote(start, stop, points, normals, lists, spacing, blur, votes):
    width = votes.shape[1]
    for i in range(start, stop):
        for column in range(width):
            j = lists[i, column]
            said = False  # by the neighbour, whose neighbour this point is too
            if j < i:
                for k in range(width):
                    said |= lists[j, k] == i
            if said:
                votes[i, column] = np.nan
                continue
            squared, cosine, along_i, along_j = blur[i] + blur[j], 0.0, 0.0, 0.0
            for a in range(3):
                step = points[3 * j + a] - points[3 * i + a]
                squared += step * step
                cosine += normals[3 * i + a] * normals[3 * j + a]
                along_i += step * normals[3 * i + a]
                along_j += step * normals[3 * j + a]
            near = spacing[i] * spacing[j] / squared
            votes[i, column] = (cosine - 3 * along_i * along_j / squared) * near * np.sqrt(near)


@kernel
def _offsets(start, stop, points, normals, lists, bent, quartile):
    last = lists.shape[1] // 4
    least = np.empty(last + 1)
    for i in range(start, stop):
        for k in range(last + 1):
            least[k] = np.inf
        for column in range(lists.shape[1]):
            offset, squared, unlike = 0.0, 0.0, 1.0
            for a in range(3):
                i_a, j_a = 3 * i + a, 3 * lists[i, column] + a
                step = points[j_a] - points[i_a]
                offset += step * ((normals[i_a] + normals[j_a]) / 2 if bent else normals[i_a])
                squared += step * step
                unlike -= normals[i_a] * normals[j_a]
            offset = abs(offset)
            if bent:
                offset = max(offset - _BEND * np.sqrt(squared) * unlike, 0.0)
            if offset < least[last]:
                k = last
                while k > 0 and least[k - 1] > offset:
                    least[k] = least[k - 1]
                    k -= 1
                least[k] = offset
        quartile[i] = least[last]
