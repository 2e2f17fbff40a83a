"""How the noise of scanned points depends on the angle at which they were seen."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..geometry import Array

_GROUPS, _FEWEST = 8, 30  # groups of points by angle, and points that each must have
_SPREAD = 0.2  # of squared cosines, without which they tell nothing
_OWN = 0.2  # variance of the fits themselves, in that of points
_LEAST = 0.005  # of the dependent share: no point counts for hundreds of others
_STEEPEST = 0.9  # of the noise, that which may go from grazing rays to straight ones


@dataclass(frozen=True)
class AngularNoise:
    """The variance of points along normals, `flat + rising * cosine**2`, relative to its mean.

    The cosine is that of the angle between a point's normal and its ray. A sensor that errs along its
    rays moves a point on a surface that it grazes hardly off that surface, so that such points say the
    most. Whether a sensor does so the points themselves tell: flat is 1 and rising 0 where they do
    not, or where nobody knows their sensors.
    """

    flat: float = 1.0
    rising: float = 0.0

    @classmethod
    def of(cls, cosines: Array, misses: Array) -> AngularNoise:
        """The noise that makes points, seen at cosines (C,), lie `misses` (C,) off fits to their neighbors.

        Infinite misses are of points without a fit. By the medians of groups of equal angle, to
        which edges and outliers mean little.
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

    def deviations(self, cosines: Array) -> Array:
        """Standard deviations (C,) of points seen at cosines (C,), in roots of the mean variance."""
        return np.sqrt(self.flat + self.rising * cosines**2)
