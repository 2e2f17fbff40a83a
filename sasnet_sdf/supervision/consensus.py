"""Determines signs by the votes of pairs of points, from fine to coarse and back; votes of dipoles."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array

from ..geometry import Array, Indices
from ..runtime.compiled import kernel, over_ranges
from ..runtime.progress import pieces, steps, tick

PAIRED = 12  # number of nearest neighbors with which a point forms pairs
_SWEEPS = 20  # largest number of correction sweeps at each level; few are needed
_WEAK = 0.4  # votes contradict each other if their net share is below this
_PIECE = 1 << 18  # points that are processed together
_BEND = 0.1  # largest offset that curvature leaves, in units of the distance times 1 - cos between normals


@dataclass(frozen=True)
class Votes:
    """Votes of pairs of nodes: above zero for the same sign, below zero for opposite signs.

    count: number of nodes. first, second: (E,) the nodes of each pair, first < second. votes: (E,) float32.
    weights: (E,) float32 sums of the absolute values of the individual votes whose sums are in `votes`.
    """

    count: int
    first: Indices
    second: Indices
    votes: Array
    weights: Array


def agree(votes: Votes, small: int) -> tuple[Array, Indices, list[Indices]]:
    """Signs that satisfy as many votes as possible, by a greedy search.

    Each node joins the one with the strongest vote, in rounds as in Boruvka's spanning tree. The votes
    between the joined groups are added, so that a wrong pair is outvoted by the pairs around it, whereas a
    spanning tree would propagate the error. On the way back from coarse to fine, groups are turned if that
    satisfies more votes.

    Returns the signs (N,); the connected part (N,) of each node, -1 in parts of fewer than `small` nodes; and
    a list of groups from coarse to fine. The list has an entry for each level at which groups of at least
    `small` nodes have contradictory votes with the rest: the group (N,) of each node, -1 for nodes in other
    groups.
    """
    level, size, joined = votes, np.ones(votes.count), []
    done, step = 0.0, steps()
    while len(level.votes):
        done += 0.6 * (0.5 - done)  # each level has half the nodes of the one before, or fewer
        step(done)
        group, turn = np.empty(level.count, np.int32), np.empty(level.count)
        parts = _join(0, level.count, level.first, level.second, level.votes, group, turn)
        joined.append((level, size, group, turn))
        level = _between(level, parts, group, turn)
        tick(0.9)
        size = np.bincount(group, size, parts)
    signs, doubtful = np.ones(level.count), []
    parts = np.where(size >= small, np.arange(level.count), -1)
    for level, size, group, turn in reversed(joined):
        done += 0.6 * (1.0 - done)
        step(done)
        signs, parts = turn * signs[group], parts[group]
        doubtful = [labels[group] for labels in doubtful]
        correct(level, signs)
        weak = _weakly_held(level, signs) & (size >= small) & (size <= votes.count / 2)
        if weak.any():
            doubtful.append(np.where(weak, np.arange(level.count), -1))
    return signs, parts, doubtful


def correct(votes: Votes, signs: Array) -> None:
    """Turn the signs (N,) of the nodes that are outvoted, in place."""
    for sweep in range(_SWEEPS):
        tick(sweep / _SWEEPS)
        if _correct(0, votes.count, votes.first, votes.second, votes.votes, signs):
            break


def _between(votes: Votes, count: int, group: Indices, turn: Array) -> Votes:
    """The votes between groups of nodes, after the nodes have turned."""
    tick(0.3)
    first, second = group[votes.first], group[votes.second]
    apart = np.flatnonzero(first != second)
    first, second = first[apart], second[apart]
    # as real and imaginary parts, so that one pass sums both
    values = np.empty(len(apart), np.complex64)
    values.real = votes.votes[apart] * turn[votes.first[apart]] * turn[votes.second[apart]]
    values.imag = votes.weights[apart]
    ends = np.minimum(first, second), np.maximum(first, second)
    tick(0.5)
    sums = csr_array(coo_array((values, ends), (count, count)))
    first = np.repeat(np.arange(count, dtype=np.int32), np.diff(sums.indptr))
    both = np.asarray(sums.data)
    return Votes(count, first, np.asarray(sums.indices, np.int32), both.real.copy(), both.imag.copy())


def _weakly_held(votes: Votes, signs: Array) -> NDArray[np.bool_]:
    """Whether the votes of each node (N,) with others contradict each other."""
    support, total = np.zeros(votes.count), np.zeros(votes.count)
    kept = votes.votes * signs[votes.first] * signs[votes.second]
    for end in (votes.first, votes.second):
        tick()
        support += np.bincount(end, kept, votes.count)
        tick()
        total += np.bincount(end, votes.weights, votes.count)
    tick()
    return support < _WEAK * total


@kernel
def _join(start, stop, first, second, votes, group, turn):
    """Join each node along its strongest vote; writes `group` and `turn`, returns the number of groups."""
    surest, above, parent = np.empty(stop, np.int64), np.empty(stop), np.empty(stop, np.int64)
    for i in range(start, stop):
        surest[i], above[i], parent[i], turn[i] = -1, -1.0, i, 1.0
    for e in range(len(votes)):
        sure = abs(votes[e])
        if sure > above[first[e]]:
            above[first[e]], surest[first[e]] = sure, e
        if sure > above[second[e]]:
            above[second[e]], surest[second[e]] = sure, e
    for i in range(start, stop):
        e = surest[i]
        if e < 0:
            continue
        low, high, sign = np.int64(first[e]), np.int64(second[e]), 1.0 if votes[e] >= 0 else -1.0
        while parent[low] != low:
            sign *= turn[low]
            low = parent[low]
        while parent[high] != high:
            sign *= turn[high]
            high = parent[high]
        if low != high:
            parent[max(low, high)], turn[max(low, high)] = min(low, high), sign
    count = 0
    for i in range(start, stop):  # parents come before their children
        if parent[i] == i:
            group[i] = count
            count += 1
        else:
            group[i] = group[parent[i]]
            turn[i] *= turn[parent[i]]
    return count


@kernel
def _correct(start, stop, first, second, votes, signs):
    """Turn the nodes that are outvoted more than their neighbors; returns whether there were none."""
    support, least = np.zeros(stop), np.zeros(stop)
    for e in range(len(votes)):
        vote = votes[e] * signs[first[e]] * signs[second[e]]
        support[first[e]] += vote
        support[second[e]] += vote
    for e in range(len(votes)):
        least[first[e]] = min(least[first[e]], support[second[e]])
        least[second[e]] = min(least[second[e]], support[first[e]])
    done = True
    for i in range(start, stop):
        if support[i] < 0 and support[i] <= least[i]:
            signs[i] = -signs[i]
            done = False
    return done


def dipole_votes(points: Array, normals: Array, lists: Indices, spacing: Array, blur: Array) -> Votes:
    """The votes of neighbors on the signs of their normals: the energies of pairs of dipoles.

    points, normals: (N, 3). lists: (N, k) neighbors. spacing: (N,). blur: (N,) squared depth over which
    dipoles are smeared. The energy is (n.m - 3 (n.r)(m.r) / r^2) / r^3, with r^3 in spacings; r^2 includes
    the blur of both.
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


def offsets(points: Array, normals: Array, lists: Indices, *, bent: bool = False) -> Array:
    """The lower quartile (N,) of the distances of each point's neighbors along its normal.

    It is about half the standard deviation of the noise, even if the neighbors lie on two close sheets. bent:
    measure along the mean of the normals of the point and the neighbor, which point to the same side of the
    surface, so that curvature cancels to second order; the result is reduced by the residual that curvature
    may leave if the normals differ.
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
            counted = False  # whether the neighbor counts this pair, since this point is one of its neighbors
            if j < i:
                for k in range(width):
                    counted |= lists[j, k] == i
            if counted:
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
        least[:] = np.inf
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
