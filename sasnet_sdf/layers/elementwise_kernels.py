"""Sines and sigmoids without branches or library calls, so that loops over them become vector code."""

from __future__ import annotations

import numpy as np
from numba import njit

from .matrix_kernels import FAST, NO_WRAPPERS

_INV_PI = np.float32(1 / np.pi)
# pi = high + middle + low; k * high and k * middle are exact for |k| < 2^11
_HIGH, _MIDDLE, _LOW = (np.float32(c) for c in (3.140625, 9.67502593994140625e-4, 1.509957990978376432e-7))
_ONE, _TWO, _HALF = np.float32(1), np.float32(2), np.float32(0.5)
# minimax polynomials on [-pi/2, pi/2]: (sin r - r) / r^3 to 5e-9, (cos r - 1) / r^2 to 5e-8
_S1, _S2, _S3, _S4 = (np.float32(c) for c in (-0.16666657096, 0.00833301728, -0.000198066146, 2.60005362e-06))
_C1, _C2, _C3, _C4 = (np.float32(c) for c in (-0.4999993229, 0.04166398939, -0.00138559267, 2.31943760e-05))
# 2^f on [-1/2, 1/2]: the series of exp(f ln 2), whose rest is below 2e-7
_E1, _E2, _E3, _E4, _E5, _E6 = (
    np.float32(np.log(2) ** n / f) for n, f in enumerate((1, 2, 6, 24, 120, 720), 1)
)
_LOG2_E, _FARTHEST = np.float32(1 / np.log(2)), np.float32(30)
_BIAS, _MANTISSA = np.int32(127), np.int32(23)


# contract alone: reassociation would fold the three parts of pi into one
@njit(fastmath={"contract", "nsz", "arcp"}, error_model="numpy", **NO_WRAPPERS)
def sines_of(z, omega, sines, cosines):
    """sin(omega z) and omega cos(omega z) of z (C, T), for angles of at most 2^11 pi, to 3e-7."""
    for c in range(len(z)):
        for i in range(z.shape[1]):
            angle = omega * z[c, i]
            k = np.floor(angle * _INV_PI + _HALF)
            r = ((angle - k * _HIGH) - k * _MIDDLE) - k * _LOW
            sign = _ONE - _TWO * np.float32(np.int32(k) & 1)
            q = r * r
            sines[c, i] = sign * (r + r * q * (_S1 + q * (_S2 + q * (_S3 + q * _S4))))
            cosines[c, i] = omega * sign * (_ONE + q * (_C1 + q * (_C2 + q * (_C3 + q * _C4))))


@njit(fastmath=FAST, error_model="numpy", **NO_WRAPPERS)
def sigmoids_of(values):
    """1 / (1 + exp(-x)) in place of every x of (C, T), to 2e-6 of itself where |x| < 30."""
    for c in range(len(values)):
        for i in range(values.shape[1]):
            t = -min(max(values[c, i], -_FARTHEST), _FARTHEST) * _LOG2_E
            k = np.floor(t + _HALF)
            f = t - k
            power = _ONE + f * (_E1 + f * (_E2 + f * (_E3 + f * (_E4 + f * (_E5 + f * _E6)))))
            scale = np.int32((np.int32(k) + _BIAS) << _MANTISSA).view(np.float32)
            values[c, i] = _ONE / (_ONE + power * scale)
