"""From a field to a triangle mesh: a sparse lattice, marching cubes, refinement, clean-up."""

from ..mesh import drop_small_components, drop_unsupported_components
from .attributes import Blend, blend
from .decimate import decimate
from .holes import Capped
from .lattice import Lattice, lattice_around
from .refinement import Refined, Support
from .surface import Surface, extract_surface
from .trim import REACH, Trimmed, held_to_length, trim_by_spacing, trim_to_length

__all__ = [
    "REACH",
    "Blend",
    "Capped",
    "Lattice",
    "Refined",
    "Support",
    "Surface",
    "Trimmed",
    "blend",
    "decimate",
    "drop_small_components",
    "drop_unsupported_components",
    "extract_surface",
    "held_to_length",
    "lattice_around",
    "trim_by_spacing",
    "trim_to_length",
]
