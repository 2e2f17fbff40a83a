"""How far a field is from the signed distance of a closed reference."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..geometry import Array
from .shapes import UNIT, Triangles

REACH = 0.01
"""How far the near points lie from the surface at most, and the box of the far ones beyond it, in diagonals.

A field is trained a little beyond its data; this stays within.
"""

Values = Callable[[Array], Array]
"""Points (N, 3) -> values (N,), or gradients (N, 3)."""


def field_figures(
    distance: Values, gradient: Values, reference: Triangles, samples: int, rng: np.random.Generator
) -> dict[str, float]:
    """Errors of a field near the surface and in the whole box, from half of `samples` points each.

    distance: values (N,) in diagonals, negative inside. gradient: (N, 3), without unit. sdf_error:
    mean |f - d| in 1e-4 of the diagonal. sign_error: share of points on the wrong side. eikonal_error:
    mean | |grad f| - 1 |.
    """
    points, normals = reference.draw(samples // 2, rng)
    near = points + rng.uniform(-REACH, REACH, (len(points), 1)) * normals
    low, high = reference.vertices.min(0) - REACH, reference.vertices.max(0) + REACH
    far = rng.uniform(low, high, (samples - len(near), 3))
    figures: dict[str, float] = {}
    for place, asked in (("near", near), ("far", far)):
        values, inside = distance(asked), reference.contains(asked)
        truth = np.where(inside, -1, 1) * reference.nearest(asked)[0]
        slope = np.linalg.norm(gradient(asked), axis=1)
        figures[f"sdf_error_{place}"] = float(np.abs(values - truth).mean()) * UNIT
        figures[f"sign_error_{place}"] = float(((values < 0) != inside).mean())
        figures[f"eikonal_error_{place}"] = float(np.abs(slope - 1).mean())
    return figures
