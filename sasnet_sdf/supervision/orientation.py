"""Which way normals point where no sensor says it."""

from __future__ import annotations

import numpy as np

from ..geometry import Array
from ..runtime.progress import pieces, steps
from ..spatial import Tree
from .consensus import PAIRED, agree, correct, dipole_votes, offsets
from .winding import WindingNumber, surfels_of

# squared depths over which dipoles are smeared, in squared quartiles of the neighbours' offsets:
# little tells close sheets apart, much outvotes points that noise put behind their neighbours
_LITTLE, _MUCH = 10.0, 40.0
_STEP = 0.5  # spacings to either side of the surface
_PROBES = 10_000  # points, about, at which the winding number is asked
_SMALL, _SHARE = 50, 2000  # points, and one in so many: groups of fewer are not probed
_CLEAR = 0.1  # the part of a winding number by which neighbours are overruled
# mean winding number on the surface above which its side is certain: a ball has 0.47, half a ball 0.31,
# two walls of a corner 0.11, a gentle terrain 0.04, a flat sheet 0; on the other side it is negative
_CERTAIN = 0.2
_PIECE = 1 << 17  # points that are looked at together
_ROUNDS = 8  # surfaces inside surfaces take one each


def orient(tree: Tree, normals: Array, lists: np.ndarray, spacing: Array) -> tuple[Array, float]:
    """Normals (N, 3) of either sign turned alike, and outward where the surface is closed.

    lists (N, k): neighbours, nearest first. spacing (N,): mean distance of the nearest ones. Also
    returns the confidence, from 0 to 1: the share of points whose side the points around them
    agree about, and on which the winding number tells which of the two is outside. It is 0 for a flat
    sheet, of which nothing tells that, and 1 for a closed surface.

    Neighbours vote as dipoles do, by the energy of the winding number's field (Metzer et al. 2021,
    Orienting point clouds with dipole propagation): beside each other alike, behind each other
    opposite, which is right on close sheets. The winding number itself, which should be 1 inside
    and 0 outside (Lin et al. 2024, Fast and globally consistent normal orientation based on the
    winding number normal consistency), says which side of each connected part is out, and decides
    about groups whose votes contradict each other.
    """
    step = steps()
    step(0.05)
    blur = _mean_of_others(offsets(tree.points, normals, lists) ** 2, lists[:, :PAIRED])
    small = min(max(_SMALL, len(normals) // _SHARE), len(normals))
    step(0.1)
    votes = dipole_votes(tree.points, normals, lists, spacing, _LITTLE * blur)
    step(0.5)
    found = agree(votes, small)
    del votes
    step(0.6)
    # the square root of a point's area, from the disc that holds all neighbours: noise spreads them
    # in depth, and the nearest look too far apart
    reach = np.linalg.norm(tree.points[lists[:, -1]] - tree.points, axis=1)
    apart = np.maximum(reach * np.sqrt(np.pi / (lists.shape[1] + 0.5)), 1e-9)
    signs = found.signs
    sided = _turn_groups(tree, normals, signs, apart, found.parts, 0.0)
    for number, groups in enumerate(found.doubtful, 1):
        step(0.6 + 0.3 * number / len(found.doubtful))
        _turn_groups(tree, normals, signs, apart, groups, _CLEAR)
    step(0.95)
    votes = dipole_votes(tree.points, normals, lists, spacing, _MUCH * blur)
    step(1.0)
    correct(votes, signs)
    doubt = max((float((groups >= 0).mean()) for groups in found.doubtful), default=0.0)
    return normals * signs[:, None], (1 - doubt) * _sure(sided, found.parts)


def _sure(right: Array, groups: np.ndarray) -> float:
    """How sure the sides of groups (N,), -1 for none, are, from 0 to 1, by how right each is."""
    sizes = np.unique(groups[groups >= 0], return_counts=True)[1]
    return float((sizes * np.clip(right / _CERTAIN, 0, 1)).sum() / max(sizes.sum(), 1))


def _mean_of_others(values: Array, lists: np.ndarray) -> Array:
    """The mean of values (N,) over the rows that lists (N, k) name."""
    mean = np.empty(len(lists))
    for part in pieces(len(lists), _PIECE):
        mean[part] = values[lists[part]].mean(1)
    return mean


def _turn_groups(
    tree: Tree, normals: Array, signs: Array, spacing: Array, groups: np.ndarray, clear: float
) -> Array:
    """Turn groups (N,) of points, -1 for none, where that makes the winding number clearly more right.

    Changes `signs` (N,). Returns how right each group is at the end, from -1 to 1. The winding number
    should be 1 inside and 0 outside, 1/2 on the surface; a group that encloses nothing goes with the
    field of the others, and one alone is turned so that more of it looks outward than inward.
    """
    if groups.max() < 0:
        return np.empty(0)
    order = np.argsort(groups, kind="stable")
    order = order[np.searchsorted(groups[order], 0) :]
    members = np.split(order, np.flatnonzero(np.diff(groups[order])) + 1)
    apart = _STEP * spacing[:, None] * normals
    step = steps()
    counts = [min(len(rows), max(_SMALL, _PROBES * len(rows) // len(signs))) for rows in members]
    probes, own = [], []
    for number, (rows, count) in enumerate(zip(members, counts, strict=True), 1):
        step(0.3 * number / len(members))
        probes.append(rows[np.linspace(0, len(rows) - 1, count).astype(np.int64)])
        turned = normals[rows] * signs[rows, None]
        part = tree.points[rows]
        winding = WindingNumber.of_closed(Tree.of(part), surfels_of(part, turned), spacing[rows])
        own.append(_beside(winding, tree.points[probes[-1]], apart[probes[-1]]))
    probe, own = np.concatenate(probes), np.concatenate(own, 1)
    group = np.repeat(np.arange(len(members)), counts)
    outward, turn = signs[probe], np.ones(len(members))
    for number in range(1, _ROUNDS + 1):
        step(0.3 + 0.7 * number / _ROUNDS)
        winding = WindingNumber.of_closed(tree, surfels_of(tree.points, normals * signs[:, None]), spacing)
        mine = own * turn[group]
        above, below = _beside(winding, tree.points[probe], apart[probe]) - mine
        # the others' field should be short of 1/2 by one's own, and fall along the normal
        right = mine.mean(0) * (1 - above - below) + outward * turn[group] * (below - above)
        mean = np.bincount(group, right) / counts
        wrong = np.flatnonzero(mean < -clear)
        if not len(wrong):
            break
        turn[wrong] *= -1
        for k in wrong:
            signs[members[k]] *= -1
        mean = np.where(mean < -clear, -mean, mean)
    return mean


def _beside(number: WindingNumber, points: Array, step: Array) -> Array:
    """The winding number (2, M) a step (M, 3) away from points (M, 3), and as far on the other side."""
    return np.stack([number.number(points + step), number.number(points - step)])
