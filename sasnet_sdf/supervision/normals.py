"""Which way normals point: to the sensors that saw their points, else the way their neighbours do."""

from __future__ import annotations

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import breadth_first_order, connected_components, minimum_spanning_tree

from ..geometry import Array
from .compiled import kernel


def turn_to_sensors(points: Array, normals: Array, sensors: Array) -> Array:
    """The normals (N, 3), each flipped where it looks away from the sensor that saw its point."""
    away = ((sensors - points) * normals).sum(1) < 0
    return np.where(away[:, None], -normals, normals)


def propagate(points: Array, normals: Array, lists: np.ndarray) -> Array:
    """The normals (N, 3) oriented alike along a minimum spanning tree (Hoppe et al. 1992).

    Edges join neighbours (N, k) and cost 1 - |cos|; every connected part's root is its point of
    largest z, whose normal is turned up.
    """
    count, width = lists.shape
    rows, columns = np.repeat(np.arange(count), width), lists.ravel()
    cosine = (normals[rows] * normals[columns]).sum(1)
    cost = 1.001 - np.abs(cosine)  # zero would mean no edge
    graph = coo_matrix((cost, (rows, columns)), (count, count)).tocsr()
    tree = minimum_spanning_tree(graph.maximum(graph.T))
    parts, label = connected_components(tree, directed=False)
    sign = np.ones(count)
    by_height = np.argsort(points[:, 2], kind="stable")
    root_of = np.empty(parts, np.int64)
    root_of[label[by_height]] = by_height  # the last, highest, point of each part stays
    both_ways = tree.maximum(tree.T)
    for root in root_of:
        order, parent = breadth_first_order(both_ways, root, directed=False)
        sign[root] = 1.0 if normals[root, 2] >= 0 else -1.0
        agree = np.where((normals[order[1:]] * normals[parent[order[1:]]]).sum(1) < 0, -1.0, 1.0)
        _pass_down(order[1:], parent, agree, sign)
    return normals * sign[:, None]


@kernel
def _pass_down(order, parent, agree, sign):
    for k in range(len(order)):
        sign[order[k]] = sign[parent[order[k]]] * agree[k]
