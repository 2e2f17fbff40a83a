"""Units and digits: coordinates that are degrees, sides that do not fit each other, rounded numbers."""

from __future__ import annotations

import numpy as np

from ..errors import UnusableGeometry
from ..findings import Finding, warning
from ..geometry import Array, PointCloud

THIN = 1e-3
"""The second longest side over the longest, below which two units are likely mixed."""

LOOKS_LIKE_DEGREES = (180.0, 90.0)
"""What longitude and latitude do not exceed."""

COARSE = 0.5
"""Spacings between points that a step of the coordinates' rounding may be, before it shows."""


def check_units(cloud: PointCloud, name: str) -> list[Finding]:
    """Raises UnusableGeometry where x and y are degrees."""
    sides = np.ptp(cloud.points, axis=0)
    advice = "project the file to meters first, as PDAL's filters.reprojection, CloudCompare or QGIS do"
    if cloud.geographic and sides[2] > 0:
        raise UnusableGeometry(
            f"{name}: x and y are degrees (its reference system is geographic) and z is not: {advice}"
        )
    _, second, longest = np.sort(sides)
    if second >= THIN * longest:
        return []
    told = f"the sides of the input differ {longest / max(second, 1e-300):,.0f}-fold ({_sizes(sides)})"
    most = np.abs(cloud.points[:, :2]).max(0)
    if (most <= LOOKS_LIKE_DEGREES).all() and sides[:2].max() < THIN * sides[2]:
        return [warning(f"{told}: x and y may be degrees and z meters; {advice}")]
    return [warning(f"{told}: are units mixed, or are far points to be cut off with --crop?")]


def check_digits(points: Array, spacing: float) -> list[Finding]:
    """spacing: between neighboring points (N, 3), in the same units."""
    largest = np.float32(np.abs(points).max())
    step = float(np.spacing(largest))
    if step <= COARSE * spacing or not (points.astype(np.float32) == points).all():
        return []
    return [
        warning(
            f"the coordinates are rounded to steps of {step:.2g}, which the distance between points "
            f"({spacing:.2g}) does not allow: single precision cannot hold numbers as large as {largest:.3g};"
            " export double precision, or shift the scan to its origin before it is exported"
        )
    ]


def _sizes(sides: Array) -> str:
    return " x ".join(f"{side:.3g}" for side in sides)
