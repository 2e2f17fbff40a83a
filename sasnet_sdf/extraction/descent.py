"""Coarse to fine: the lattice's values at the corners of every cell that holds surface, and few others.

A coarse lattice is sampled densely; every finer one only in cells that the surface may pass through.
Two measured bounds rule the others out. The steepest change seen over a cell bounds the field's
gradient, so a large value at a corner keeps the surface away. And how far interpolation from the
next coarser lattice was off bounds how far it is off now: for a smooth field the error falls to a
quarter with each halving of the cell, at a crease and around a thin part it need not fall at all.
Where either bound turns out too small it is raised, and the cells are looked at again. Last, the
surface is followed: all cells around an edge that changes sign are sampled, so that it has no hole.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ..geometry import Array
from . import kernels
from .blocks import SIDE, SparseValues
from .lattice import Lattice

CHUNK = 65_536
BASE = 12
"""The first lattice has between BASE and 2 * BASE cells along the longest side."""

MARGIN = 1.5
"""Over the measured error of interpolation: at a point-like feature 1.27 would do, see docs."""

SMOOTH = 0.25
"""What is left of interpolation's error when the cell is halved, for a smooth field."""

STEEPER = 1.2
"""Over the measured gradient."""

FLOOR = 0.01
"""The least bound on interpolation's error, in units of the field's change over a cell."""

ValueField = Callable[[Array], Array]


class Sampler:
    """A field on a lattice: evaluates in chunks, counts, and turns exact zeros away."""

    def __init__(self, field: ValueField, lattice: Lattice):
        self.field, self.lattice, self.evaluations = field, lattice, 0

    def at(self, points: NDArray[np.int32], stride: int) -> Array:
        """Values (N,) float32 at points (N, 3) of the lattice with every stride-th point.

        Its last cells may reach beyond the fine lattice; there the value at the border stands in.
        """
        values = np.empty(len(points), np.float32)
        for start in range(0, len(points), CHUNK):
            part = points[start : start + CHUNK]
            indices = np.minimum(part.astype(np.int64) * stride, self.lattice.shape)
            values[start : start + CHUNK] = np.asarray(self.field(self.lattice.points(indices))).reshape(-1)
        self.evaluations += len(points)
        return values


def sample_near_surface(
    field: ValueField, lattice: Lattice, on_level: Callable[[float], None] = lambda done: None
) -> tuple[SparseValues, NDArray[np.int32], int]:
    """Values on the fine lattice, its known cells (M, 3), and the number of evaluations."""
    sampler = Sampler(field, lattice)
    stride = 1
    while max(lattice.shape) >= 2 * BASE * stride:
        stride *= 2
    values = _dense(sampler, stride)
    coarser = _every_other(values)
    while True:
        shape = np.array([-(-n // stride) for n in lattice.shape])
        cells = _known_cells(values, shape)
        if stride == 1:
            return values, cells, sampler.evaluations
        errors = kernels.errors_of_parents(values.index, values.values, cells, coarser.index, coarser.values)
        stride //= 2
        coarser, values = values, _refine(sampler, values, cells, errors, stride)
        on_level(1 / stride**2)


def _dense(sampler: Sampler, stride: int) -> SparseValues:
    """The whole lattice of every stride-th point."""
    values = SparseValues(tuple(-(-n // stride) + 1 for n in sampler.lattice.shape))
    values.allocate(np.ones(values.index.shape, np.bool_))
    points = np.indices(values.shape, np.int32).reshape(3, -1).T
    values.put(points, sampler.at(points, stride))
    return values


def _known_cells(values: SparseValues, shape: NDArray) -> NDArray[np.int32]:
    """The cells (M, 3) with eight known corners, block by block."""
    blocks = values.blocks()
    row, slot = np.nonzero(kernels.cells_are_known(values.index, values.values, blocks, shape))
    cells = blocks[row] * SIDE
    cells += np.stack(np.unravel_index(slot, (SIDE,) * 3), 1).astype(np.int32)
    return cells


def _every_other(values: SparseValues) -> SparseValues:
    """The values of a dense lattice at its even points."""
    coarse = SparseValues(tuple((n + 1) // 2 for n in values.shape))
    coarse.allocate(np.ones(coarse.index.shape, np.bool_))
    points = np.indices(coarse.shape, np.int32).reshape(3, -1).T
    even = 2 * points
    rows = values.index[tuple((even >> 3).T)]
    coarse.put(points, values.values[rows, (even & 7) @ np.array([64, 8, 1])])
    return coarse


def _refine(
    sampler: Sampler, coarse: SparseValues, cells: NDArray[np.int32], errors: Array, stride: int
) -> SparseValues:
    """The values of the lattice of half the cell, near the surface."""
    shape = np.array([-(-n // stride) for n in sampler.lattice.shape])
    fine = SparseValues(tuple(shape + 1))
    change = kernels.steepest(coarse.index, coarse.values, cells) / 2
    bounds = _first_bounds(coarse, cells, errors) + np.float32(FLOOR * change)
    settled = MARGIN * errors if stride == 1 else np.full_like(errors, np.inf)
    while True:
        masks = kernels.children_near_surface(
            coarse.index, coarse.values, cells, bounds, STEEPER * change, fine.index, fine.values, shape
        )
        needed = np.zeros(fine.index.shape, np.bool_)
        kernels.touch_children(cells, masks, needed)
        fine.allocate(needed)
        kernels.want_children(
            cells,
            masks,
            np.maximum(settled, bounds),
            coarse.index,
            coarse.values,
            fine.index,
            fine.values,
            fine.wanted,
        )
        points = fine.collect_wanted()
        if not len(points):
            kernels.assume_children(
                cells, masks, coarse.index, coarse.values, fine.index, fine.values, fine.assumed
            )
            points = _follow(fine, shape)
            if not len(points):
                return fine
        fine.put(points, sampler.at(points, stride))
        fine.forget_assumed()
        seen = kernels.observed_errors(fine.index, fine.values, cells, coarse.index, coarse.values)
        bounds = np.where(seen > bounds, MARGIN * seen, bounds).astype(np.float32)


def _first_bounds(coarse: SparseValues, cells: NDArray[np.int32], errors: Array) -> Array:
    """What interpolation within each coarse cell (M,) may be off by, from what it was off by before."""
    mixed = kernels.have_mixed_signs(coarse.index, coarse.values, cells)
    return (MARGIN * np.where(mixed, SMOOTH, 1.0) * errors).astype(np.float32)


def _follow(fine: SparseValues, shape: NDArray) -> NDArray[np.int32]:
    """The unknown points (N, 3) next to the surface."""
    kernels.want_assumed(fine.index, fine.values, fine.assumed, fine.wanted, fine.blocks(), shape)
    points = kernels.unknown_beside_surface(fine.index, fine.values, fine.blocks(), shape)
    needed = np.zeros(fine.index.shape, np.bool_)
    needed[tuple((points >> 3).T)] = True
    fine.allocate(needed)
    kernels.want_points(points, fine.index, fine.values, fine.wanted)
    return fine.collect_wanted()
