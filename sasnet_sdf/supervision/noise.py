"""How the noise of scanned points depends on the angle at which they were seen."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..geometry import Array

_GROUPS, _FEWEST = 8, 30  # groups of points by angle, and points that each must have
_SPREAD = 0.2  # the least difference between squared cosines of the outer groups
_OWN = 0.2  # the share of the variance of misses that is the fits' own error
_LEAST = 0.005  # flat, relative to rising: limits the weights of grazing points
_STEEPEST = 0.9  # -rising, relative to flat, at most: keeps the variance positive


@dataclass(frozen=True)
class AngularNoise:
    """The variance of points along normals, `flat + rising * cosine**2`, relative to its mean.

    The cosine is that of the angle between a point's normal and its ray. Errors along a ray that grazes
    a surface hardly move the point off it, so such points are the most accurate ones. Whether the noise
    of a scan is of this kind is estimated from its points. Without sensors, or where the angle makes no
    difference, flat is 1 and rising is 0.
    """

    flat: float = 1.0
    rising: float = 0.0

    @classmethod
    def of(cls, cosines: Array, misses: Array) -> AngularNoise:
        """The noise of points, seen at cosines (C,), that lie `misses` (C,) off fits to their neighbors.

        Misses are infinite where there is no fit. A line is fitted to the medians of groups of
        similar angle, which edges and outliers change little.
        """
        found = np.isfinite(misses)
        squares, misses = cosines[found] ** 2, misses[found]
        if len(misses) < _GROUPS * _FEWEST:
            return cls()
        groups = np.array_split(np.argsort(squares), _GROUPS)
        places = np.array([squares[group].mean() for group in groups])
        variances = np.array([np.median(misses[group]) for group in groups]) ** 2
        if places[-1] - places[0] < _SPREAD or not variances.all():
            return cls()
        terms = np.stack([np.ones(_GROUPS), places], axis=1) / variances[:, None]
        flat, rising = np.linalg.lstsq(terms, np.ones(_GROUPS))[0]
        flat -= _OWN * (flat + rising * squares.mean())
        flat, rising = max(flat, _LEAST * rising), max(rising, -_STEEPEST * flat)
        mean = flat + rising * squares.mean()
        return cls(flat / mean, rising / mean)

    @property
    def terms(self) -> Array:
        """flat and rising, for kernels."""
        return np.array([self.flat, self.rising])

    def deviations(self, cosines: Array) -> Array:
        """Standard deviations (C,) of points seen at cosines (C,), relative to the overall one."""
        return np.sqrt(self.flat + self.rising * cosines**2)
