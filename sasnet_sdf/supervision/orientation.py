"""Which way normals point where no sensor says it."""

from __future__ import annotations

import numpy as np

from ..geometry import Array
from ..threads import over_ranges
from .compiled import kernel
from .consensus import Votes, agree
from .tree import Tree
from .winding import WindingNumber

PAIRED = 12  # neighbours that a point forms pairs with
_BLUR = 10.0
_STEP = 1.5


def orient(tree: Tree, normals: Array, lists: np.ndarray, spacing: Array) -> tuple[Array, dict]:
    signs, parts = agree(_dipole_votes(tree.points, normals, lists, spacing))
    turned = normals * signs[:, None]
    return _turn_parts(tree, turned, spacing, parts)


def _dipole_votes(points: Array, normals: Array, lists: np.ndarray, spacing: Array) -> Votes:
    count = len(points)
    flat = points.ravel(), normals.ravel(), lists
    quartile = np.empty(count)
    over_ranges(_offsets, count, *flat, quartile)
    blur = _BLUR * (quartile**2).astype(np.float32)[lists[:, :PAIRED]].mean(1, dtype=np.float64)
    votes = np.empty((count, min(PAIRED, lists.shape[1])), np.float64)
    over_ranges(_vote, count, *flat, spacing, blur, votes)
    rows, columns = np.nonzero(np.isfinite(votes))
    first, second = rows.astype(np.int32), lists[rows, columns]
    return Votes(count, np.minimum(first, second), np.maximum(first, second), votes[rows, columns])


@kernel
def _offsets(start, stop, points, normals, lists, quartile):
    last = lists.shape[1] // 4
    least = np.empty(last + 1)
    for i in range(start, stop):
        for k in range(last + 1):
            least[k] = np.inf
        for column in range(lists.shape[1]):
            offset = 0.0
            for a in range(3):
                offset += (points[3 * lists[i, column] + a] - points[3 * i + a]) * normals[3 * i + a]
            offset = abs(offset)
            if offset < least[last]:
                k = last
                while k > 0 and least[k - 1] > offset:
                    least[k] = least[k - 1]
                    k -= 1
                least[k] = offset
        quartile[i] = least[last]


@kernel
def _vote(start, stop, points, normals, lists, spacing, blur, votes):
    for i in range(start, stop):
        for column in range(votes.shape[1]):
            j = lists[i, column]
            votes[i, column] = np.nan
            if j < i:
                mutual = False
                for k in range(votes.shape[1]):
                    mutual |= lists[j, k] == i
                if mutual:
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


def _turn_parts(tree, normals, spacing, parts):
    import os
    count = parts.max() + 1
    N = len(parts)
    size = np.bincount(parts)
    order = np.argsort(parts, kind="stable"); begin = np.cumsum(size) - size
    rows, owner, own_out, own_in = [], [], [], []
    for part in np.argsort(-size, kind="stable"):
        if size[part] < 50: break
        member = order[begin[part]: begin[part] + size[part]]
        n = int(max(8, min(size[part], 10000 * size[part] // N)))
        some = member[np.linspace(0, len(member) - 1, n).astype(np.int64)]
        wind = WindingNumber.of_cloud(Tree.of(tree.points[member]), normals[member], spacing[member], 1.5)
        step = _STEP * spacing[some, None] * normals[some]
        rows.append(some); owner.append(np.full(n, part))
        own_out.append(wind.number(tree.points[some] + step)); own_in.append(wind.number(tree.points[some] - step))
    some, owner, oo, oi = map(np.concatenate, (rows, owner, own_out, own_in))
    step = _STEP * spacing[some, None] * normals[some]
    up, down = tree.points[some] + step, tree.points[some] - step
    s = np.ones(count)
    for round in range(8):
        w = WindingNumber.of_cloud(tree, normals * s[parts][:, None], spacing, 1.5)
        wo, wi = w.number(up), w.number(down)
        o, i = oo * s[owner], oi * s[owner]
        m = (wo + wi - o - i) / 2; d = ((wi - i) - (wo - o)) * s[owner]
        keep = np.bincount(owner, (o + i) / 2 * (1 - 2 * m) + d, count)
        flip = keep < 0
        if not flip.any(): break
        s[flip] *= -1
    return normals * s[parts][:, None], dict(rounds=round, count=count, some=some, wo=np.where(s[owner]>0,wo,wi), wi=np.where(s[owner]>0,wi,wo), keep=keep/np.bincount(owner,minlength=count))
