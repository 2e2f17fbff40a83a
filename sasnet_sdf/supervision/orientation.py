"""Determines which side of a cloud is outside: winding numbers, and turning of unoriented normals."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..geometry import Array, Indices
from ..runtime.compiled import kernel, over_ranges
from ..runtime.progress import pieces, steps, tick
from ..spatial import LEAF, Tree, combine_up
from .consensus import PAIRED, agree, correct, dipole_votes, offsets

_OFFSET = 1.5  # distance from the surface on both sides, in spacings, at which the level is measured
_BETA = 1.5  # distance, in radii of a node, from which on its points count as one (Barill et al. 2018)
_LEVEL_SAMPLES, _INFORMED = 2000, 0.05  # points at which the level is measured; least usable share of these


@dataclass(frozen=True)
class WindingNumber:
    """The generalized winding number of an oriented cloud (Barill et al. 2018): 1 inside, 0 outside.

    surfels: (6 N,) points and normals, flat. areas: (N,). nodes: (7 * 2 L,) flat; for each node of the tree:
    the center, the sum of dipoles, and the squared distance from which on the sum replaces the node's points.
    level: the winding number on the surface, 1/2 for a closed one and about 0 for an open sheet.
    """

    surfels: Array
    areas: Array
    nodes: Array
    level: float

    def number(self, queries: Array) -> Array:
        """The winding number (M,) at queries (M, 3)."""
        numbers = np.empty(len(queries))
        over_ranges(_wind, len(queries), self.surfels, self.areas, self.nodes, queries, numbers)
        return numbers

    @classmethod
    def of_cloud(cls, tree: Tree, surfels: Array, spacing: Array) -> WindingNumber:
        """The winding number of points; its level is measured on both sides of the surface.

        surfels: (6 N,) points and outward unit normals, flat. spacing: (N,) distance to the nearest ones.
        """
        return cls.of_closed(tree, surfels, spacing).leveled(surfels, spacing)

    def leveled(self, surfels: Array, spacing: Array) -> WindingNumber:
        """The winding number with its level measured on both sides of points (6 N,), of this spacing (N,)."""
        rows = surfels.reshape(-1, 6)
        some = np.linspace(0, len(rows) - 1, min(len(rows), _LEVEL_SAMPLES)).astype(np.int64)
        outer, inner = _beside(self, rows[some, :3], _OFFSET * spacing[some, None] * rows[some, 3:])
        # points where the inward step leaves the solid again, or where there is no solid, are not usable
        across = inner - outer > 0.5
        level = np.median((outer + inner)[across]) / 2 if across.mean() > _INFORMED else 0.5
        return replace(self, level=float(level))

    @classmethod
    def of_closed(cls, tree: Tree, surfels: Array, spacing: Array) -> WindingNumber:
        """The winding number of points, with a level of 1/2; the arguments are those of of_cloud."""
        # a lone point far from the others would otherwise stand for a large area
        return cls.of_areas(tree, surfels, np.minimum(spacing, 2 * np.median(spacing)) ** 2)

    @classmethod
    def of_areas(cls, tree: Tree, surfels: Array, areas: Array) -> WindingNumber:
        """The winding number of points that stand for areas (N,), with a level of 1/2."""
        weighted = np.concatenate([areas[:, None], areas[:, None] * surfels.reshape(-1, 6)], 1)
        tick()
        sums = combine_up(weighted, np.add, 0.0)
        tick()
        center = sums[:, 1:4] / np.maximum(sums[:, :1], 1e-300)
        corner = np.maximum(center - tree.boxes[:, :3], tree.boxes[:, 3:] - center)
        clear = _BETA**2 * (np.maximum(corner, 0) ** 2).sum(1)  # zero where the node is empty
        nodes = np.concatenate([center, sums[:, 4:], clear[:, None]], 1)
        return cls(surfels, areas, nodes.ravel(), 0.5)


def surfels_of(points: Array, normals: Array) -> Array:
    """Points and normals (N, 3) interleaved, flat (6 N,), so that each is read from one place in memory."""
    return np.concatenate([points, normals], 1).ravel()


@kernel
def _wind(start, stop, surfels, areas, nodes, queries, numbers):
    leaves, stack = len(nodes) // 14, np.empty(64, np.int64)
    for q in range(start, stop):
        x, y, z = queries[q, 0], queries[q, 1], queries[q, 2]
        total, top = 0.0, 0
        stack[0] = 1
        while top >= 0:
            node = stack[top]
            top -= 1
            n = 7 * node
            dx, dy, dz = nodes[n] - x, nodes[n + 1] - y, nodes[n + 2] - z
            squared = dx * dx + dy * dy + dz * dz
            if squared > nodes[n + 6]:
                flux = dx * nodes[n + 3] + dy * nodes[n + 4] + dz * nodes[n + 5]
                total += flux / (squared * np.sqrt(squared))
            elif node < leaves:
                stack[top + 1], stack[top + 2] = 2 * node, 2 * node + 1
                top += 2
            else:
                begin = (node - leaves) * LEAF
                for i in range(begin, min(begin + LEAF, len(areas))):
                    s = 6 * i
                    dx, dy, dz = surfels[s] - x, surfels[s + 1] - y, surfels[s + 2] - z
                    squared = dx * dx + dy * dy + dz * dz + 1e-300
                    flux = dx * surfels[s + 3] + dy * surfels[s + 4] + dz * surfels[s + 5]
                    total += areas[i] * flux / (squared * np.sqrt(squared))
        numbers[q] = total / (4 * np.pi)


# squared depths over which dipoles are smeared, in squared quartiles of the neighbors' offsets: a small depth
# separates close sheets; a large one outvotes points that noise moved behind their neighbors
_LITTLE, _MUCH = 10.0, 40.0
_STEP = 0.5  # spacings to either side of the surface
_PROBES = 10_000  # approximate number of points at which the winding number is evaluated
_SMALL, _SHARE = 50, 2000  # groups of fewer points, or of a smaller share (one in _SHARE), are not probed
_CLEAR = 0.1  # least advantage, in winding numbers, for overruling neighbors
# mean winding number on the surface above which the outside is certain: 0.47 for a ball, 0.31 for half a
# ball, 0.11 for two walls of a corner, 0.04 for a gentle terrain, 0 for a flat sheet; negative if turned
# wrongly
_CERTAIN = 0.2
_PIECE = 1 << 17  # points that are processed together
_ROUNDS = 8  # each surface inside another takes one round


def orient(tree: Tree, normals: Array, lists: Indices, spacing: Array) -> tuple[Array, float]:
    """Turns normals of arbitrary sign consistently, and outward where the surface is closed.

    normals: (N, 3). lists: (N, k) neighbors, nearest first. spacing: (N,) mean distance of the nearest ones.
    Returns the turned normals and the confidence, from 0 to 1: the share of points on whose side the
    neighbors agree, and for which the winding number shows which of the two sides is outside. It is 0 for
    a flat sheet, where nothing shows that, and 1 for a closed surface.

    Neighbors vote as dipoles do, by the energy of the winding number's field (Metzer et al. 2021, Orienting
    point clouds with dipole propagation): the same side if points lie next to each other, opposite sides if
    they lie behind each other, which is right for close sheets. The winding number itself, which should be 1
    inside and 0 outside (Lin et al. 2024, Fast and globally consistent normal orientation based on the
    winding number normal consistency), shows which side of each connected part is outside, and decides for
    groups whose votes contradict each other.
    """
    step = steps()
    step(0.05)
    squares, blur, near = offsets(tree.points, normals, lists) ** 2, np.empty(len(normals)), lists[:, :PAIRED]
    for part in pieces(len(normals), _PIECE):
        blur[part] = squares[near[part]].mean(1)
    small = min(max(_SMALL, len(normals) // _SHARE), len(normals))
    step(0.1)
    votes = dipole_votes(tree.points, normals, lists, spacing, _LITTLE * blur)
    step(0.5)
    signs, parts, doubtful = agree(votes, small)
    del votes
    step(0.6)
    # the square root of a point's area, from the disc that contains all neighbors: noise spreads them in
    # depth, so that the nearest ones seem too far apart
    reach = np.linalg.norm(tree.points[lists[:, -1]] - tree.points, axis=1)
    apart = np.maximum(reach * np.sqrt(np.pi / (lists.shape[1] + 0.5)), 1e-9)
    sided = _turn_groups(tree, normals, signs, apart, parts, 0.0)
    for number, groups in enumerate(doubtful, 1):
        step(0.6 + 0.3 * number / len(doubtful))
        _turn_groups(tree, normals, signs, apart, groups, _CLEAR)
    step(0.95)
    votes = dipole_votes(tree.points, normals, lists, spacing, _MUCH * blur)
    step(1.0)
    correct(votes, signs)
    doubt = max((float((groups >= 0).mean()) for groups in doubtful), default=0.0)
    sizes = np.unique(parts[parts >= 0], return_counts=True)[1]
    sure = float((sizes * np.clip(sided / _CERTAIN, 0, 1)).sum() / max(sizes.sum(), 1))
    return normals * signs[:, None], (1 - doubt) * sure


def _turn_groups(
    tree: Tree, normals: Array, signs: Array, spacing: Array, groups: Indices, clear: float
) -> Array:
    """Turn groups (N,) of points (-1: none) if that makes the winding number clearly more correct.

    Changes `signs` (N,). Returns how correct each group is at the end, from -1 to 1. The winding number
    should be 1 inside, 0 outside and 1/2 on the surface. A group that encloses nothing follows the field of
    the others. A single group is turned so that more of it faces outward than inward.
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
        # the field of the other groups should be 1/2 minus that of the group, and fall along the normal
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
    """The winding number (2, M) at `step` (M, 3) from points (M, 3), and at -`step`."""
    return np.stack([number.number(points + step), number.number(points - step)])
