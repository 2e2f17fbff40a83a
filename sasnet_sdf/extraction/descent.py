"""Coarse-to-fine sampling: values at the corners of every cell that the surface crosses, and few others.

A coarse lattice is sampled densely; each finer one only in cells that the surface may pass through.
Two measured bounds rule the others out. The largest change over a cell bounds the field's gradient, so
there is no surface near a corner with a large value. And the error of interpolation from the next
coarser lattice bounds the error on the current one: for a smooth field the error falls to a quarter with
each halving of the cell; at a crease and around a thin part it need not fall at all. Cells that the
surface likely passes through come first: their values rule out most of the uncertain ones. A bound that
turns out too small is raised, and the cells are checked again. On the finest lattice a value whose sign is
certain is not evaluated. Last, the surface is followed: both ends of an edge that changes sign are
evaluated and all cells around it are sampled, so that the surface has no holes and equals that of the
dense lattice.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import NoSurface
from ..geometry import Array
from ..runtime.compiled import over_ranges
from ..runtime.progress import pieces, steps, tick
from . import kernels
from .kernels import CHILD_POINTS, WEIGHTS, mixed_signs
from .lattice import Lattice, SparseValues

CHUNK = 32_768
"""Points per call of the field: a network's activations for them are part of the memory plan."""

CELLS = 1 << 18
"""Cells that are processed together; the run can be stopped between two such groups."""

BASE = 12
"""The first lattice has between BASE and 2 * BASE cells along the longest side."""

MARGIN = 1.5
"""Safety factor on the measured error of interpolation; a point-like feature needs 1.27."""

SMOOTH = 0.25
"""Ratio of the error of interpolation when the cell is halved, for a smooth field."""

STEEPER = 1.2
"""Safety factor on the measured gradient."""

FLOOR = 0.01
"""Least bound on the error of interpolation, in units of the field's change over a cell."""

ValueField = Callable[[Array], Array]
"""Points (N, 3) of the unit cube -> values (N,), negative inside."""

GradientField = Callable[[Array], "tuple[Array, Array]"]
"""Points (N, 3) -> values (N,) and gradients (N, 3)."""


class Sampler:
    """A field on a lattice: evaluates in chunks, counts evaluations, and tracks the range of the values."""

    def __init__(self, field: ValueField, lattice: Lattice):
        self.field: ValueField = field
        self.lattice: Lattice = lattice
        self.evaluations: int = 0
        self.lowest: float = np.inf
        self.highest: float = -np.inf

    def at(self, points: NDArray[np.int32], stride: int) -> Array:
        """Values (N,) float32 at points (N, 3) of the coarser lattice of every stride-th point.

        Its last cells may extend beyond the fine lattice; points there take the value at the fine lattice's
        border. Raises NoSurface where a value is not finite.
        """
        values = np.empty(len(points), np.float32)
        for part in pieces(len(points), CHUNK):
            indices = np.minimum(points[part].astype(np.int64) * stride, self.lattice.shape)
            values[part] = np.asarray(self.field(self.lattice.points(indices))).reshape(-1)
        if not np.isfinite(values).all():
            raise NoSurface(
                "the field is not finite everywhere: training diverged; use a lower learning rate"
            )
        self.evaluations += len(points)
        self.lowest = min(self.lowest, values.min(initial=np.inf))
        self.highest = max(self.highest, values.max(initial=-np.inf))
        return values


def sample_near_surface(
    field: ValueField, lattice: Lattice, on_level: Callable[[int, int], None] = lambda *_: None
) -> tuple[SparseValues, NDArray[np.int32], Sampler]:
    """Values on the fine lattice, its cells (M, 3) with known corners, and the sampler.

    on_level: called before each finer lattice is sampled, with the current stride and the number of
    vertices that marching cubes would give at that stride.
    """
    sampler = Sampler(field, lattice)
    stride = 1
    while max(lattice.shape) >= 2 * BASE * stride:
        stride *= 2
    values = _dense(sampler, stride)
    coarser = _every_other(values)
    while True:
        shape = np.array([-(-n // stride) for n in lattice.shape])
        cells = _known_cells(values, shape)
        tick()
        if stride == 1:
            return values, cells, sampler
        corners = values.corners(cells)
        inside = corners <= 0
        on_level(stride, int(np.count_nonzero(inside[:, [0]] != inside[:, [1, 2, 4]])))
        errors = _errors_of_parents(coarser, cells, corners)
        stride //= 2
        coarser, values = values, _refine(sampler, values, cells, corners, errors, stride)


def _dense(sampler: Sampler, stride: int) -> SparseValues:
    """Values at all points of the lattice of every stride-th point."""
    values = SparseValues(tuple(-(-n // stride) + 1 for n in sampler.lattice.shape))
    values.allocate(np.ones(values.index.shape, np.bool_))
    points = np.indices(values.shape, np.int32).reshape(3, -1).T
    values.put(points, sampler.at(points, stride))
    return values


def _every_other(values: SparseValues) -> SparseValues:
    """The values of a dense lattice at its even points."""
    coarse = SparseValues(tuple((n + 1) // 2 for n in values.shape))
    coarse.allocate(np.ones(coarse.index.shape, np.bool_))
    points = np.indices(coarse.shape, np.int32).reshape(3, -1).T
    coarse.put(points, values.corners(2 * points)[:, 0])
    return coarse


def _known_cells(values: SparseValues, shape: NDArray[Any]) -> NDArray[np.int32]:
    """The cells (M, 3) with eight known corners, block by block."""
    known = np.empty(values.values.shape, np.bool_)
    kernels.known_cells(values.places, shape, values.index, values.values, known)
    return values.points(*np.nonzero(known))


def _errors_of_parents(coarser: SparseValues, cells: NDArray[np.int32], corners: Array) -> Array:
    """The largest error (M,) at a cell's corners of interpolation in its parent; infinite where unknown."""
    parents = coarser.corners(cells >> 1)
    number = (cells & 1) @ np.array([4, 2, 1])
    errors = np.empty(len(cells), np.float32)
    for child, points in enumerate(CHILD_POINTS):
        here = number == child
        errors[here] = np.abs(parents[here] @ WEIGHTS[:, points] - corners[here]).max(1)
    return np.where(np.isnan(errors), np.float32(np.inf), errors)


def _refine(
    sampler: Sampler,
    coarse: SparseValues,
    cells: NDArray[np.int32],
    corners: Array,
    errors: Array,
    stride: int,
) -> SparseValues:
    """The values near the surface on the lattice with half the cell size.

    cells (M, 3): cells of the coarse lattice, with known values (M, 8) at their corners. errors (M,): the
    errors of interpolation in their parents. stride: the stride of the finer lattice.
    """
    shape = np.array([-(-n // stride) for n in sampler.lattice.shape])
    fine = SparseValues(tuple(shape + 1))
    change = np.float32(_steepest(corners) / 2)
    doubt = MARGIN * errors if stride == 1 else np.full_like(errors, np.inf)
    parents = _Parents(cells, coarse)

    def sample_children(bounds: Array, rows: NDArray[Any] | slice) -> NDArray[np.int32]:
        """Evaluate missing values at the uncertain children of some cells; returns the points evaluated."""
        some, some_corners, some_bounds = cells[rows], corners[rows], bounds[rows]
        masks, needed = np.empty(len(some), np.uint8), np.zeros(fine.index.shape, np.bool_)
        part = steps()
        part(0.1)
        over_ranges(
            kernels.survey, len(some), some, some_corners, some_bounds,
            np.float32(MARGIN), np.float32(STEEPER) * change, shape,
            fine.index, fine.values, fine.assumed, masks, needed,
        )  # fmt: skip
        part(0.2)
        bounds[rows] = some_bounds
        fine.allocate(needed)
        limits = np.maximum(doubt[rows], some_bounds)
        for piece in pieces(len(some), CELLS):
            kernels.ask(
                some[piece], some_corners[piece], masks[piece], limits[piece],
                fine.index, fine.values, fine.assumed, fine.wanted,
            )  # fmt: skip
        part(1.0)
        return _evaluate_wanted(sampler, fine, stride)

    step, everywhere = steps(), slice(None)
    step(0.7)
    likely = (MARGIN * SMOOTH * errors + FLOOR * change).astype(np.float32)
    sample_children(likely, everywhere)
    bounds = np.where(
        mixed_signs(corners), likely, np.maximum(likely, MARGIN * errors + FLOOR * change)
    ).astype(np.float32)
    step(1.0)
    points = sample_children(bounds, everywhere)
    while True:
        while len(points):  # the choice of children in a cell depends on the values at its own points
            points = sample_children(bounds, parents.of(points))
        tick()
        _want_beside_surface(fine, shape)
        points = _evaluate_wanted(sampler, fine, stride)
        if not len(points):
            return fine


def put_known(
    sampler: Sampler, values: SparseValues, points: NDArray[np.int32], known: Array
) -> NDArray[np.int32]:
    """Replace values of the finest lattice by known ones (N,) at points (N, 3), and follow the surface there.

    Returns the cells (M, 3) with known corners.
    """
    shape = np.array(sampler.lattice.shape)
    needed = np.zeros(values.index.shape, np.bool_)
    needed[tuple((points >> 3).T)] = True
    values.allocate(needed)
    values.put(points, known)
    _want_beside_surface(values, shape)
    while len(_evaluate_wanted(sampler, values, 1)):
        _want_beside_surface(values, shape)
    return _known_cells(values, shape)


class _Parents:
    """A lookup of the coarse cells (M, 3), with known corners, that hold fine points."""

    def __init__(self, cells: NDArray[np.int32], coarse: SparseValues):
        self._index = coarse.index
        self._number = np.full(coarse.values.shape, -1, np.int32)
        self._number[coarse.rows_and_slots(cells)] = np.arange(len(cells))
        self._found = np.empty(len(cells), np.bool_)

    def of(self, points: NDArray[np.int32]) -> NDArray[np.int64]:
        """The rows of the cells that contain points (N, 3), inside or on a side."""
        self._found.fill(False)
        kernels.mark_parents(points, self._index, self._number, self._found)
        return np.flatnonzero(self._found)


def _steepest(corners: Array) -> float:
    """The largest norm of the gradient over cells with values (M, 8), times the side of a cell."""
    cube = corners.reshape(-1, 2, 2, 2)
    changes = [np.abs(np.diff(cube, axis=axis)).max((1, 2, 3)) for axis in (1, 2, 3)]
    return float(np.sqrt(np.square(changes).sum(0).max(initial=0)))


def _evaluate_wanted(sampler: Sampler, fine: SparseValues, stride: int) -> NDArray[np.int32]:
    """Evaluate the points marked as wanted, and return them (N, 3)."""
    tick()
    points = fine.take_wanted()
    fine.put(points, sampler.at(points, stride))
    return points


def _want_beside_surface(fine: SparseValues, shape: NDArray[Any]) -> None:
    """Mark as wanted the unknown and assumed values next to the surface."""
    lost = np.empty((CHUNK, 3), np.int32)
    count = kernels.follow(fine.places, shape, fine.index, fine.values, fine.assumed, fine.wanted, lost)
    needed = np.zeros(fine.index.shape, np.bool_)
    needed[tuple((lost[:count] >> 3).T)] = True
    fine.allocate(needed)
    fine.want(lost[:count])
