"""How well a surface, a field or a signal agrees with a reference.

docs/evaluate.md has every formula, docs/signals-metrics.md those for signals. The unit of length is the
diagonal of the reference's bounding box: `frame_around` makes the frame in which it is 1, and the
caller transforms both shapes to it. A field is a callable `points (N, 3) -> values (N,)`.
"""

from .signals import peak_of, radial_spectrum
from .surfaces import (
    UNIT,
    Points,
    Triangles,
    field_figures,
    frame_around,
    legacy_chamfer,
    mesh_figures,
    overlap,
    surface_figures,
)

__all__ = [
    "UNIT",
    "Points",
    "Triangles",
    "field_figures",
    "frame_around",
    "legacy_chamfer",
    "mesh_figures",
    "overlap",
    "peak_of",
    "radial_spectrum",
    "surface_figures",
]
