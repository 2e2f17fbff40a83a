"""Where the points of a scan of any size lie: how many there are in each voxel."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..errors import UsageError
from ..geometry import Array
from .tiling import Voxels

_MOST, _WIDEST = 200_000, 19
"""The most voxels, and log2 of the most along an axis."""

_FINEST, _FEWEST = -5, -3
"""The smallest voxels are a tile's side times 2^-5; those of sparse scans are enlarged to 2^-3 of it."""

_POINTS, _LONG = 16, 4
"""Voxels are enlarged until they have 16 points on average, unless the scan is only four of them long."""

_BITS = 21
"""Bits for each axis in the key of a voxel."""


class Occupied:
    """Counts points in voxels, which double where there are too many of them.

    The grids are nested, and the size of the voxels at the end is determined by all points together, so that
    their order has no influence. side: of a tile; None: the side of the voxels is a power of two times
    `edge`, the wanted side of a lattice cell, or times 1.
    """

    def __init__(self, side: float | None = None, edge: float | None = None):
        self.low, self.high = np.full(3, np.inf), np.full(3, -np.inf)
        self._unit, self._free = side or edge or 1.0, side is None
        self._finest = _FINEST if side else 0 if edge else None
        self._level: int | None = None
        self._base = np.zeros(3, np.int64)
        self._keys, self._counts = np.empty(0, np.int64), np.empty(0, np.int64)

    def add(self, points: Array) -> None:
        """Count finite points (N, 3). Raises UsageError where there are too many tiles along an axis."""
        if not len(points):
            return
        for axis, values in enumerate(points.T):  # several times as fast as along the first axis of all
            self.low[axis] = min(self.low[axis], values.min())
            self.high[axis] = max(self.high[axis], values.max())
        least = self._least()
        if self._level is None:
            self._level = least
            self._base = _places(points[:1], self._side)[0] - (1 << _WIDEST + 1)
        self._enlarge(max(least - self._level, 0))
        keys, counts = np.unique(_packed(_places(points, self._side) - self._base), return_counts=True)
        at = np.searchsorted(self._keys, keys)
        known = np.append(self._keys, -1)[at] == keys
        self._counts[at[known]] += counts[known]
        self._keys = np.insert(self._keys, at[~known], keys[~known])
        self._counts = np.insert(self._counts, at[~known], counts[~known])
        while len(self._keys) > _MOST and self._may_grow():
            self._enlarge(1)

    def voxels(self) -> Voxels:
        """The occupied voxels; one point at least must have been added."""
        while len(self._keys) * _POINTS > self._counts.sum() and self._may_grow(_FEWEST):
            self._enlarge(1)
        places = _unpacked(self._keys) + self._base
        corner = places.min(0) - 1
        return Voxels(corner * self._side, self._side, (places - corner).astype(np.int32), self._counts)

    @property
    def _side(self) -> float:
        return self._unit * 2.0 ** (self._level or 0)

    def _least(self) -> int:
        """The finest level at which no axis is too long; it does not fall as the bounds grow."""
        # far from the origin, the numbers of voxels must stay exact
        size = max((self.high - self.low).max(), 2.0**-24 * max(np.abs(self.low).max(), self.high.max()))
        level = int(np.ceil(np.log2(np.clip(size, 1e-90, 1e300) / self._unit))) - _WIDEST
        if not self._free and level > 0:
            raise UsageError(
                f"tiles of {self._unit:.3g} are too small for a scan of {size:.3g}: give --tiles a longer "
                "length"
            )
        return level if self._finest is None else max(level, self._finest)

    def _may_grow(self, most: int = 0) -> bool:
        if not self._free:
            return (self._level or 0) < most
        return bool(np.ptp(_unpacked(self._keys), axis=0).max() >= _LONG)

    def _enlarge(self, steps: int) -> None:
        """Double the side of the voxels so many times."""
        if not steps:
            return
        self._level = (self._level or 0) + steps
        center, steps = self._base + (1 << _WIDEST + 1), min(steps, 62)
        places = _unpacked(self._keys) + self._base >> steps
        self._base = (center >> steps) - (1 << _WIDEST + 1)
        self._keys, voxel = np.unique(_packed(places - self._base), return_inverse=True)
        counts = np.zeros(len(self._keys), np.int64)
        np.add.at(counts, voxel.reshape(-1), self._counts)
        self._counts = counts


def keys_of(points: Array, voxels: Voxels) -> NDArray[np.int64]:
    """A number (N,) for the voxel of each world point (N, 3), as `Occupied` found it; -1 far outside."""
    # not (points - origin) / side, which may be rounded to the voxel beside it
    places = _places(points, voxels.side) - np.rint(voxels.origin / voxels.side).astype(np.int64)
    inside = ((places >= 0) & (places < 1 << _BITS)).all(axis=1)
    return np.where(inside, _packed(places), -1)


def keys_in(voxels: Voxels) -> NDArray[np.int64]:
    """The numbers (V,) of the occupied voxels, ascending."""
    return _packed(voxels.places.astype(np.int64))


def _places(points: Array, side: float) -> NDArray[np.int64]:
    return np.floor(points / side).astype(np.int64)


def _packed(places: NDArray[np.int64]) -> NDArray[np.int64]:
    """Keys (N,) with the lexicographic order of places (N, 3)."""
    return (places[:, 0] << 2 * _BITS) | (places[:, 1] << _BITS) | places[:, 2]


def _unpacked(keys: NDArray[np.int64]) -> NDArray[np.int64]:
    mask = (1 << _BITS) - 1
    return np.stack([keys >> 2 * _BITS, (keys >> _BITS) & mask, keys & mask], axis=1)
