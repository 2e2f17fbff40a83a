"""Which way normals point where no sensor says it."""

from __future__ import annotations

import numpy as np

from ..geometry import Array
from .consensus import agree, correct
from .dipoles import PAIRED, dipole_votes, offsets
from .tree import Tree
from .winding import WindingNumber

# squared widths over which dipoles are smeared, in squared quartiles of the neighbours' offsets:
# narrow tells close sheets apart, wide outvotes points that noise put behind their neighbours
_NARROW, _WIDE = 10.0, 40.0
_STEP = 0.5  # spacings to either side of the surface
_PROBES, _FEWEST = 10_000, 50  # points, about, at which the winding number is asked; of each part
_ROUNDS = 8  # parts inside parts take a round for each
_SMALL = 50  # points; parts of fewer are no surfaces


def orient(tree: Tree, normals: Array, lists: np.ndarray, spacing: Array) -> tuple[Array, float]:
    """Normals (N, 3) of either sign turned alike, and outward where the surface is closed.

    lists (N, k): neighbours, nearest first. spacing (N,): mean distance of the nearest ones. Also
    returns the confidence, from 0 to 1: the share of points whose side the points around them
    agree about.

    Neighbours vote as dipoles do, by the energy of the winding number's field (Metzer et al. 2021,
    Orienting point clouds with dipole propagation): beside each other alike, behind each other
    opposite, which is right on close sheets. Then the winding number decides which side of each
    connected part is out: as in Lin et al. 2024 (Fast and globally consistent normal orientation
    based on the winding number normal consistency), it should be 1 inside and 0 outside.
    """
    points = tree.points
    quartile = offsets(points, normals, lists)
    blur = (quartile**2)[lists[:, :PAIRED]].mean(1)
    found = agree(dipole_votes(points, normals, lists, spacing, _NARROW * blur))
    correct(dipole_votes(points, normals, lists, spacing, _WIDE * blur), found.signs)
    turned = normals * found.signs[:, None]
    # the square root of a point's area, from the disc that holds all neighbours: noise spreads them
    # in depth, and the nearest look too far apart
    reach = np.linalg.norm(points[lists[:, -1]] - points, axis=1)
    apart = np.maximum(reach * np.sqrt(np.pi / (lists.shape[1] + 0.5)), 1e-9)
    outward = _outward(tree, turned, apart, found.parts)
    return turned * outward[found.parts, None], 1 - found.doubt


def _outward(tree: Tree, normals: Array, spacing: Array, parts: np.ndarray) -> Array:
    """The sign (P,) of each part with which the winding number is nearest to 1 inside and 0 outside.

    A part that encloses nothing goes with the field of the others; one alone is turned so that
    more of it looks outward than inward.
    """
    size = np.bincount(parts)
    members = np.split(np.argsort(parts, kind="stable"), np.cumsum(size)[:-1])
    step = _STEP * spacing[:, None] * normals
    rows, own = [np.empty(0, np.int64)], [np.empty((2, 0))]
    for member in members:
        if len(member) < _SMALL:
            continue
        count = min(len(member), max(_FEWEST, _PROBES * len(member) // len(parts)))
        rows.append(member[np.linspace(0, len(member) - 1, count).astype(np.int64)])
        number = WindingNumber.of_cloud(Tree.of(tree.points[member]), normals[member], spacing[member], _STEP)
        own.append(_beside(number, tree.points[rows[-1]], step[rows[-1]]))
    rows, own = np.concatenate(rows), np.concatenate(own, 1)
    part, signs = parts[rows], np.ones(len(size))
    for _ in range(_ROUNDS):
        number = WindingNumber.of_cloud(tree, normals * signs[parts, None], spacing, _STEP)
        above, below = _beside(number, tree.points[rows], step[rows]) - signs[part] * own
        # on the surface the number should be 1/2, and around it fall along the normal
        nearer = own.mean(0) * (1 - above - below) + (below - above)
        wrong = signs * np.bincount(part, nearer, len(size)) < 0
        if not wrong.any():
            break
        signs[wrong] *= -1
    return signs


def _beside(number: WindingNumber, points: Array, step: Array) -> Array:
    """The winding number (2, M) a step (M, 3) away from points (M, 3), and as far on the other side."""
    return np.stack([number.number(points + step), number.number(points - step)])
