"""Which way normals point where sensors saw their points."""

from __future__ import annotations

import numpy as np

from ..geometry import Array


def turn_to_sensors(points: Array, normals: Array, sensors: Array) -> Array:
    """The normals (N, 3), each flipped where it looks away from the sensor that saw its point."""
    away = ((sensors - points) * normals).sum(1) < 0
    return np.where(away[:, None], -normals, normals)
