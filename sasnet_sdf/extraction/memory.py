"""What an extraction will take of the memory, told before it is taken.

The surface's size is not known before it is sampled. But a lattice of twice the cell holds a
quarter of its vertices, near enough, so each lattice of the descent tells what the next ones will
take; by the last but one, four fifths of the memory are still free.
"""

from __future__ import annotations

import numpy as np

from ..errors import UsageError
from ..system import held_bytes
from .blocks import SIDE
from .lattice import Lattice

PER_VERTEX = 330
"""Bytes for every vertex at the worst moment: marching cubes, or the search for regions without data."""

PER_BLOCK = 12
"""Bytes for every block of the lattice, used or not: indices and masks."""

WORKING = 180 << 20
"""Bytes for what does not grow with the surface: most of all a chunk's gradient in the network."""

DETAIL = 1.02
"""A finer lattice finds a little more than four times the vertices where the field is rough."""


def estimated_bytes(lattice: Lattice, vertices: float) -> int:
    """What an extraction of a surface of so many vertices takes, beside what the process holds already."""
    blocks = np.prod([n // SIDE + 1 for n in lattice.shape], dtype=float)
    return int(WORKING + PER_BLOCK * blocks + PER_VERTEX * vertices)


class Budget:
    """The bytes that the process may hold; None is no limit."""

    def __init__(self, max_memory: int | None, lattice: Lattice):
        self.limit, self.lattice, self.held = max_memory, lattice, held_bytes()

    def check(self, stride: int, vertices: int) -> None:
        """Raise UsageError where the limit would be exceeded, by the vertices at every stride-th point."""
        if self.limit is None:
            return
        expected = DETAIL * stride**2 * vertices
        needed = self.held + estimated_bytes(self.lattice, expected)
        if needed <= self.limit:
            return
        raise UsageError(
            f"extraction at resolution {round(2 / self.lattice.cell)} needs about {_size(needed)}, "
            f"more than the {_size(self.limit)} of max-memory; {self._advice(expected)}"
        )

    def _advice(self, vertices: float) -> str:
        """The largest resolution that would fit: vertices grow with its square, blocks with its cube."""
        resolution = round(2 / self.lattice.cell)
        growing = estimated_bytes(self.lattice, vertices) - WORKING
        fits = self.limit is not None and (self.limit - self.held - WORKING) / growing
        resolution = int(0.97 * resolution * fits**0.5) if fits > 0 else 0
        if resolution < 16:
            return f"the process holds {_size(self.held)} already, so no useful resolution would fit"
        return f"resolution {resolution} would fit"


def _size(size: float) -> str:
    return f"{size / 2**30:.1f}G" if size >= 2**30 else f"{size / 2**20:.0f}M"
