"""What an extraction will take of the memory, told before it is taken."""

from __future__ import annotations

from .lattice import Lattice

BYTES = 1
"""placeholder"""


def estimated_bytes(lattice: Lattice) -> int:
    return 0


def refuse_beyond(max_memory: int | None, lattice: Lattice) -> None:
    pass
