"""What an extraction will take of the memory, told before it is taken.

The surface's size is not known before it is sampled. But a lattice of twice the cell holds a
quarter of its vertices, near enough, so each lattice of the descent tells what the next ones will
take; by the last but one, four fifths of the memory are still free.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..runtime.system import check_memory, format_memory, held_bytes
from .lattice import SIDE, Lattice

PER_VERTEX = 220
"""Bytes for every vertex at the worst moment, in marching cubes; of closed surfaces 215 to 230."""

TRIMMED = 350
"""The same where the surface is looked at afterwards: for regions without data, pieces, and its rim."""

DECIMATED = 490
"""The same where it is decimated then: the surface, what trimming left of it, and 293 of its own."""

PER_BLOCK = 12
"""Bytes for every block of the lattice, used or not: indices and masks."""

WORKING = 32 << 20
"""Bytes for what does not grow with the surface; the field's own for a chunk of points come on top."""

DETAIL = 1.02
"""A finer lattice finds a little more than four times the vertices where the field is rough."""


@dataclass(frozen=True)
class Needs:
    """What extracting takes: bytes a vertex, and what the field takes for a chunk of points."""

    per_vertex: float = PER_VERTEX
    field: float = 0.0

    def bytes(self, lattice: Lattice, vertices: float) -> int:
        """What extracting so many vertices takes, beside what the process holds already."""
        blocks = np.prod([n // SIDE + 1 for n in lattice.shape], dtype=float)
        return int(WORKING + self.field + PER_BLOCK * blocks + self.per_vertex * vertices)

    def check(self, limit: int | None, lattice: Lattice, vertices: float, held: float) -> None:
        """Raise UsageError, with the resolution that would fit, where the limit would be exceeded.

        held: bytes that the process will hold when the extraction begins.
        """
        if limit is None:
            return
        resolution = round(2 / lattice.cell)

        def advice() -> str:
            # vertices grow with the resolution's square, blocks with its cube
            fixed = WORKING + self.field
            growing = self.bytes(lattice, vertices) - fixed
            fits = int(0.97 * resolution * max((limit - held - fixed) / growing, 0.0) ** 0.5)
            if fits < 16:
                return f"the process holds {format_memory(held)} already, so no useful resolution would fit"
            return f"resolution {fits} would fit"

        needed = held + self.bytes(lattice, vertices)
        check_memory(f"extraction at resolution {resolution}", needed, limit, advice)


class Budget:
    """The bytes that the process may hold during one extraction; None is no limit."""

    def __init__(self, max_memory: int | None, lattice: Lattice, needs: Needs):
        self.limit, self.lattice, self.needs, self.held = max_memory, lattice, needs, held_bytes()

    def check(self, stride: int, vertices: int) -> None:
        """Raise UsageError where the limit would be exceeded, by the vertices at every stride-th point."""
        self.needs.check(self.limit, self.lattice, DETAIL * stride**2 * vertices, self.held)
