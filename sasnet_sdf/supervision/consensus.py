"""Two-valued choices that pairs vote on: merging from fine to coarse, then correcting from coarse to fine."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_array

from ..geometry import Array
from .compiled import kernel

_SWEEPS = 20  # of corrections at each level; few are needed


@dataclass(frozen=True)
class Votes:
    """What pairs first < second, (E,) each, of `count` nodes say: above zero alike, below zero opposite."""

    count: int
    first: np.ndarray
    second: np.ndarray
    votes: Array


def agree(votes: Votes) -> tuple[Array, np.ndarray]:
    """Signs (N,) that satisfy as many votes as can be found, and the connected part (N,) of each node.

    Every node joins the one it is surest about, in rounds as in Borůvka's tree, but the votes
    between what has joined add up: a wrong pair is outvoted by the pairs around it, where a tree
    would hand it on. On the way back down, groups of every size turn where that satisfies more.
    """
    levels, groups, turns = [votes], [], []
    while len(levels[-1].votes):
        group, turn = np.empty(levels[-1].count, np.int32), np.empty(levels[-1].count)
        parts = _join(0, levels[-1].count, *_edges(levels[-1]), group, turn)
        levels.append(_between(levels[-1], parts, group, turn))
        groups.append(group)
        turns.append(turn)
    signs, parts = np.ones(levels[-1].count), np.arange(levels[-1].count)
    for level, group, turn in zip(levels[-2::-1], groups[::-1], turns[::-1], strict=True):
        signs, parts = turn * signs[group], parts[group]
        _correct(0, _SWEEPS, *_edges(level), signs)
    return signs, parts


def _edges(votes: Votes) -> tuple[np.ndarray, np.ndarray, Array]:
    return votes.first, votes.second, votes.votes


def _between(votes: Votes, count: int, group: np.ndarray, turn: Array) -> Votes:
    """The sums of votes between groups of nodes, after the nodes have turned."""
    first, second = group[votes.first], group[votes.second]
    apart = np.flatnonzero(first != second)
    first, second = first[apart], second[apart]
    values = votes.votes[apart] * turn[votes.first[apart]] * turn[votes.second[apart]]
    low, high = np.minimum(first, second), np.maximum(first, second)
    sums = coo_array((values, (low, high)), (count, count)).tocsr()  # adds up what is between the same two
    first = np.repeat(np.arange(count, dtype=np.int32), np.diff(sums.indptr))
    return Votes(count, first, sums.indices.astype(np.int32, copy=False), sums.data)


@kernel
def _join(start, stop, first, second, votes, group, turn):
    """Groups of nodes joined along the surest pair of each, and whether to turn for it; how many groups."""
    surest, above = np.full(stop, -1), np.full(stop, -1.0)
    for e in range(len(votes)):
        sure = abs(votes[e])
        if sure > above[first[e]]:
            above[first[e]], surest[first[e]] = sure, e
        if sure > above[second[e]]:
            above[second[e]], surest[second[e]] = sure, e
    parent = np.arange(stop)
    for i in range(start, stop):
        turn[i] = 1.0
    for i in range(start, stop):
        e = surest[i]
        if e < 0:
            continue
        low, high, sign = first[e], second[e], 1.0 if votes[e] >= 0 else -1.0
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
    """Turn nodes that are outvoted, the most outvoted among neighbours first."""
    support, least = np.empty(len(signs)), np.empty(len(signs))
    for _ in range(start, stop):
        support[:] = 0.0
        for e in range(len(votes)):
            vote = votes[e] * signs[first[e]] * signs[second[e]]
            support[first[e]] += vote
            support[second[e]] += vote
        least[:] = 0.0
        for e in range(len(votes)):
            least[first[e]] = min(least[first[e]], support[second[e]])
            least[second[e]] = min(least[second[e]], support[first[e]])
        done = True
        for i in range(len(signs)):
            if support[i] < 0 and support[i] <= least[i]:
                signs[i] = -signs[i]
                done = False
        if done:
            break
