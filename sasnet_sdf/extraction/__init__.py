"""From a field to a triangle mesh: a sparse lattice, marching cubes, refinement, clean-up."""

from .components import drop_small_components
from .decimate import decimate
from .lattice import Lattice, lattice_around
from .memory import estimated_bytes
from .surface import Surface, extract_surface

__all__ = [
    "Lattice",
    "Surface",
    "decimate",
    "drop_small_components",
    "estimated_bytes",
    "extract_surface",
    "lattice_around",
]
