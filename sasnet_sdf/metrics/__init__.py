"""How well a surface, a field or a signal agrees with a reference.

docs/evaluate.md has every formula, docs/signals-metrics.md those of signals. Lengths are in
diagonals of the reference's bounding box: `frame_around` makes the frame in which that is 1, and
whoever calls moves both shapes there. A field is a callable `points (N, 3) -> values (N,)`.
"""

from .codecs import bits_per_pixel, codec_bits
from .signals import background, noisiness, peak_of, psnr, psnr_edge, radial_spectrum, signal_figures, ssim
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
    "background",
    "bits_per_pixel",
    "codec_bits",
    "field_figures",
    "frame_around",
    "legacy_chamfer",
    "mesh_figures",
    "noisiness",
    "overlap",
    "peak_of",
    "psnr",
    "psnr_edge",
    "radial_spectrum",
    "signal_figures",
    "ssim",
    "surface_figures",
]
