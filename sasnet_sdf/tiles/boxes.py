"""How a scan is cut into tiles: boxes of voxels that share its points evenly, or that are equally long."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import UsageError
from ..extraction.lattice import SPACE
from ..spatial import morton_order
from .tiling import Tile, Tiling, Voxels

Box = tuple[NDArray[np.int64], NDArray[np.int64]]
"""The low and the high corner (3,) of a box of voxels, half-open."""

_ROOM = 1.05
"""Room for points in the plan of tiles, since planes between voxels do not divide points exactly."""

_MOST_TILES = 20_000
"""More tiles than that are taken for a mistake in the unit of a length."""

_CELLS = 8
"""The least overlap of a tile, in lattice cells."""


def tiling_of(
    voxels: Voxels, most: int, side: float | None, cell: float, overlap: float, longest: int
) -> Tiling:
    """Boxes of voxels that fill the box of a scan and a margin around it, numbered along a Z-curve.

    most, longest: a box with more points, or more lattice cells along an axis, is cut in two across its
    longest axis, so that its points make few tiles. A single voxel is not cut. side: of a tile, in world
    units: the box of the scan is cut into equal tiles of about that side instead. cell: the wanted
    side of a lattice cell, in world units. overlap: of a tile, in spacings of its points.
    """
    cells = max(round(voxels.side / cell), 1)
    low, high = voxels.places.min(0).astype(np.int64) - 1, voxels.places.max(0).astype(np.int64) + 2
    # with the empty voxel, as much space around the data as with one field: surfaces may reach beyond them
    margin = int(np.ceil(SPACE / 2 * (high - low).max())) - 1
    if side is None:
        boxes = list(_cut((low, high), voxels, most, longest / cells))
    else:
        boxes = list(_grid(low, high, side / voxels.side))
    centers = np.array([(a + b) / 2 for a, b in boxes])
    order = morton_order(2 * (centers - low) / (high - low).max() - 1)
    tiles, whole = [], voxels.typical_spacing()
    for number, k in enumerate(order):
        own = voxels_in(boxes[k], voxels)
        of_tile = voxels.typical_spacing(own) if len(own) else whole
        widest = float((boxes[k][1] - boxes[k][0]).min()) * voxels.side / 2
        reach = max(min(overlap * of_tile, widest), _CELLS * voxels.side / cells)
        first, end = boxes[k]
        a = tuple(np.where(first == low, low - margin, first).tolist())
        b = tuple(np.where(end == high, high + margin, end).tolist())
        tiles.append(Tile(number, a, b, int(voxels.counts[own].sum()), reach))
    return Tiling(voxels.origin, voxels.side, cells, low - margin, high + margin, tuple(tiles))


def _grid(low: NDArray[np.int64], high: NDArray[np.int64], side: float) -> Iterator[Box]:
    """Boxes of about `side` voxels along each axis. Raises UsageError for too many."""
    parts = np.maximum(np.rint((high - low) / side), 1).astype(np.int64)
    if (count := int(parts.prod())) > _MOST_TILES:
        raise UsageError(
            f"this side makes {count:,} tiles, more than {_MOST_TILES:,}: give --tiles a longer length"
        )
    planes = [np.rint(np.linspace(low[k], high[k], parts[k] + 1)).astype(np.int64) for k in range(3)]
    for place in np.ndindex(*parts):
        yield (
            np.array([planes[axis][k] for axis, k in enumerate(place)]),
            np.array([planes[axis][k + 1] for axis, k in enumerate(place)]),
        )


def _cut(box: Box, voxels: Voxels, most: int, longest: float) -> Iterator[Box]:
    """The parts of a box that have at most `most` points and are at most `longest` voxels long."""
    planned = int(np.ceil(_ROOM * voxels.counts.sum() / most))
    waiting, found = [(box, np.arange(len(voxels.counts)), planned)], 0
    while waiting:
        (low, high), own, planned = waiting.pop()
        axis = int((high - low).argmax())
        length = int((high - low)[axis])
        count = voxels.counts[own].sum()
        crowded = count > most and len(own) > 1
        if length < 2 or not (crowded or length > longest):
            yield low, high
            found += 1
            if found + len(waiting) > _MOST_TILES:
                raise UsageError(
                    f"the scan needs more than {_MOST_TILES:,} tiles: give a longer --edge-length, or "
                    "--max-points"
                )
            continue
        layer = voxels.places[own, axis] - low[axis]
        # more than planned where planes between voxels have made the box too full
        tiles = max(planned, int(np.ceil(count / most)), 2)
        plane = _plane(np.bincount(layer, voxels.counts[own], length), tiles // 2 / tiles)
        for part, chosen, share in ((0, layer < plane, tiles // 2), (1, layer >= plane, -(-tiles // 2))):
            corners = low.copy(), high.copy()
            corners[1 - part][axis] = low[axis] + plane
            waiting.append((corners, own[chosen], share))


def _plane(counts: NDArray[Any], share: float) -> int:
    """Where to cut a box with so many points in each layer of voxels, (L,).

    share: of the points in the low part. Each part has a quarter of L at least.
    """
    length = len(counts)
    shortest = -(-length // 4)
    planes = np.arange(shortest, length - shortest + 1)
    unequal = np.abs(np.cumsum(counts)[planes - 1] - share * counts.sum())
    if np.count_nonzero(counts) < 2:
        unequal[:] = 0
    return int(planes[np.lexsort((np.abs(2 * planes - length), unequal))[0]])


def voxels_in(box: Box, voxels: Voxels) -> NDArray[np.int64]:
    """The indices of the occupied voxels in a box."""
    low, high = box
    first, last = np.searchsorted(voxels.places[:, 0], [low[0], high[0]])
    places = voxels.places[first:last]
    return first + np.flatnonzero(((places >= low) & (places < high)).all(axis=1))
