"""From a field to a triangle mesh: a sparse lattice, marching cubes, refinement, clean-up."""

from .attributes import Blend, blend
from .cap import Capped
from .components import drop_small_components, drop_unsupported_components
from .decimate import decimate
from .lattice import Lattice, lattice_around
from .memory import estimated_bytes
from .support import Support
from .surface import Surface, extract_surface
from .trim import REACH, Trimmed, trim_by_spacing, trim_to_length

__all__ = [
    "REACH",
    "Blend",
    "Capped",
    "Lattice",
    "Support",
    "Surface",
    "Trimmed",
    "blend",
    "decimate",
    "drop_small_components",
    "drop_unsupported_components",
    "estimated_bytes",
    "extract_surface",
    "lattice_around",
    "trim_by_spacing",
    "trim_to_length",
]
