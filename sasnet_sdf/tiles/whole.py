"""The surface of all tiles as a graph: components and border vertices, and what is open or branches there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse.csgraph import connected_components

from ..errors import UsageError
from ..mesh import edge_graph
from .summary import BOUNDARY, BRANCHING, COVERED, FACES, LOOPS, POINTS, Summary

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Whole:
    """The components (C) and the shared vertices (S) of all tiles, tile by tile, and what connects them.

    tallies: (C, 8) those of the summaries. component_ends, border_ends: (T,) where each tile's end. group:
    (C + S,) the component of the whole that each is in. edges: (E, 2) border edges as shared vertices, once
    for each tile that uses one. uses: (E,) of them in that tile. chains: (L, 2) a connected set of boundary
    edges, and a shared vertex in it.
    """

    tallies: NDArray[np.float64]
    component_ends: NDArray[np.int64]
    border_ends: NDArray[np.int64]
    group: NDArray[np.int32]
    edges: NDArray[np.int64]
    uses: NDArray[np.int64]
    chains: NDArray[np.int64]

    @classmethod
    def of(cls, summaries: Mapping[int, Summary], name: Callable[[int], object]) -> Whole:
        """Connect the components of tiles at the vertices that several use.

        name: of a tile's file. Raises UsageError where a tile uses a vertex that no tile shares.
        """
        tiles = list(summaries.values())
        component_ends = np.cumsum([len(tile.tallies) for tile in tiles], dtype=np.int64)
        border_ends = np.cumsum([tile.shared for tile in tiles], dtype=np.int64)
        first = np.zeros(max(summaries, default=0) + 1, np.int64)
        shared = np.zeros_like(first)
        first[list(summaries)] = border_ends - [tile.shared for tile in tiles]
        shared[list(summaries)] = [tile.shared for tile in tiles]

        components, border, edges, chains, sets = [], [], [], [], 0
        for (number, tile), end in zip(summaries.items(), component_ends, strict=True):
            owner, index = tile.owners.T
            if (owner >= len(shared)).any() or (index >= shared[owner]).any():
                raise UsageError(
                    f"{name(number)}: does not fit the surfaces of the tiles around it: delete the "
                    "folder that it is in"
                )
            at = first[owner] + index
            components.append(end - len(tile.tallies) + tile.component)
            border.append(at)
            edges.append(np.sort(at[tile.edges], 1))
            chains.append(np.stack([sets + tile.chains[:, 0], at[tile.chains[:, 1]]], 1))
            sets += int(tile.chains[:, 0].max(initial=-1)) + 1

        count, total = (int(ends[-1]) if len(ends) else 0 for ends in (component_ends, border_ends))
        links = np.stack([_all(components), count + _all(border)], 1)
        return cls(
            _all([tile.tallies for tile in tiles], COVERED + 1, kind=np.float64),
            component_ends,
            border_ends,
            _groups(links, count + total),
            _all(edges, 2),
            _all([tile.uses for tile in tiles]),
            _all(chains, 2),
        )

    def stays(self, fewest: float) -> tuple[Mask, Mask, int]:
        """Which components (C,) and shared vertices (S,) stay, and the number of components that do not.

        A component of the whole stays if at least `fewest` data points support it; the best supported one
        always does.
        """
        groups = self.group[: len(self.tallies)]
        points = np.bincount(groups, self.tallies[:, POINTS], int(self.group.max(initial=-1)) + 1)
        there = np.bincount(groups, minlength=len(points)) > 0  # others are shared vertices without triangles
        stay = there & (points >= min(fewest, points.max(initial=0.0)))
        kept = stay[self.group]
        return kept[: len(groups)], kept[len(groups) :], int((there & ~stay).sum())

    def facts(self, components: Mask, border: Mask) -> dict[str, int]:
        """The numbers of faces, boundary edges, their loops and non-manifold edges of what stays."""
        tallies = self.tallies[components].sum(0).astype(int)
        here = border[self.edges[:, 0]]
        keys, edge = np.unique(self.edges[here] @ [len(border), 1], return_inverse=True)
        uses = np.bincount(edge, self.uses[here], len(keys))
        single = np.stack(np.divmod(keys[uses == 1], max(len(border), 1)), 1)
        chains = self.chains[border[self.chains[:, 1]]] + [len(border), 0]
        nodes, links = np.unique(np.concatenate([single, chains]), return_inverse=True)
        loops = int(_groups(links.reshape(-1, 2), len(nodes)).max(initial=-1)) + 1
        return {
            "faces": int(tallies[FACES]),
            "boundary_edges": int(tallies[BOUNDARY]) + len(single),
            "boundary_loops": int(tallies[LOOPS]) + loops,
            "non_manifold_edges": int(tallies[BRANCHING]) + int((uses > 2).sum()),
        }


def _groups(links: NDArray[Any], count: int) -> NDArray[np.int32]:
    """The component (count,) of each node of a graph with links (L, 2)."""
    if not count:
        return np.empty(0, np.int32)
    return connected_components(edge_graph(links[:, 0], links[:, 1], count), directed=False)[1]


def _all(parts: list[NDArray[Any]], *columns: int, kind: Any = np.int64) -> NDArray[Any]:
    """The parts (N, *columns) one after the other, of this type."""
    return np.concatenate([np.empty((0, *columns), kind), *parts])
