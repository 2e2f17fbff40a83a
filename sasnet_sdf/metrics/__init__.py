"""How well a surface, or a field, agrees with a reference; docs/evaluate.md has every formula.

Lengths are in diagonals of the reference's bounding box: `frame_around` makes the frame in which
that is 1, and whoever calls moves both shapes there. A field is a callable `points (N, 3) -> values (N,)`.
"""

from .chamfer import legacy_chamfer
from .field import field_figures
from .mesh import mesh_figures
from .shapes import UNIT, Points, Triangles, frame_around
from .surface import surface_figures
from .volume import overlap

__all__ = [
    "UNIT",
    "Points",
    "Triangles",
    "field_figures",
    "frame_around",
    "legacy_chamfer",
    "mesh_figures",
    "overlap",
    "surface_figures",
]
