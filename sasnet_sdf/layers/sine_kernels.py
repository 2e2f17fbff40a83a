"""The masked sine's loops on the CPU, each one pass over memory: value, gradient, second gradient.

Arrays are feature-major, (C, N) float32: z, y and their cotangents. masks (M, N). `mask_of` (C,)
int64 names each neuron's mask, -1 for none. Threads split the points, and no sum crosses a point,
so the bits do not depend on their number.
"""

from __future__ import annotations

import numpy as np
from numba import njit, prange

BLOCK = 1024
_FAST = {"contract", "nsz", "arcp"}
_INV_PI = np.float32(1 / np.pi)
# pi = high + middle + low; k * high and k * middle are exact for |k| < 2^11
_HIGH, _MIDDLE, _LOW = np.float32(3.140625), np.float32(9.67502593994140625e-4), np.float32(1.509957990978376432e-7)
_ONE, _TWO, _HALF = np.float32(1), np.float32(2), np.float32(0.5)
# minimax polynomials on [-pi/2, pi/2]: (sin r - r) / r^3 to 5e-9, (cos r - 1) / r^2 to 5e-8
_S1, _S2, _S3, _S4 = (np.float32(c) for c in (-0.16666657096, 0.00833301728, -0.000198066146, 2.60005362e-06))
_C1, _C2, _C3, _C4 = (np.float32(c) for c in (-0.4999993229, 0.04166398939, -0.00138559267, 2.31943760e-05))


@njit(cache=True, fastmath=_FAST, inline="always")
def _reduced(angle):
    """r in [-pi/2, pi/2] and +-1 such that sin(angle) = sign sin(r) and cos(angle) = sign cos(r)."""
    k = np.floor(angle * _INV_PI + _HALF)
    r = ((angle - k * _HIGH) - k * _MIDDLE) - k * _LOW
    return r, _ONE - _TWO * np.float32(np.int32(k) & 1)


@njit(cache=True, fastmath=_FAST, inline="always")
def _sine(angle):
    r, sign = _reduced(angle)
    q = r * r
    return sign * (r + r * q * (_S1 + q * (_S2 + q * (_S3 + q * _S4))))


@njit(cache=True, fastmath=_FAST, inline="always")
def _sine_cosine(angle):
    r, sign = _reduced(angle)
    q = r * r
    sine = r + r * q * (_S1 + q * (_S2 + q * (_S3 + q * _S4)))
    cosine = _ONE + q * (_C1 + q * (_C2 + q * (_C3 + q * _C4)))
    return sign * sine, sign * cosine


@njit(cache=True, parallel=True, fastmath=_FAST, error_model="numpy")
def forward(z, masks, mask_of, omega, y):
    """y = mask * sin(omega z)."""
    count = z.shape[1]
    for block in prange((count + BLOCK - 1) // BLOCK):
        lo = block * BLOCK
        hi = min(lo + BLOCK, count)
        for c in range(len(z)):
            zc, yc = z[c, lo:hi], y[c, lo:hi]
            if mask_of[c] < 0:
                for i in range(hi - lo):
                    yc[i] = _sine(omega * zc[i])
            else:
                mask = masks[mask_of[c], lo:hi]
                for i in range(hi - lo):
                    yc[i] = mask[i] * _sine(omega * zc[i])


@njit(cache=True, parallel=True, fastmath=_FAST, error_model="numpy")
def backward(g, z, masks, mask_of, omega, by_z, by_masks):
    """The gradients of <g, y> by z and by the masks."""
    count = z.shape[1]
    for block in prange((count + BLOCK - 1) // BLOCK):
        lo = block * BLOCK
        hi = min(lo + BLOCK, count)
        for m in range(len(masks)):
            by_masks[m, lo:hi] = np.float32(0)
        for c in range(len(z)):
            gc, zc, oc = g[c, lo:hi], z[c, lo:hi], by_z[c, lo:hi]
            if mask_of[c] < 0:
                for i in range(hi - lo):
                    oc[i] = gc[i] * omega * _sine_cosine(omega * zc[i])[1]
            else:
                mask, om = masks[mask_of[c], lo:hi], by_masks[mask_of[c], lo:hi]
                for i in range(hi - lo):
                    sine, cosine = _sine_cosine(omega * zc[i])
                    oc[i] = gc[i] * mask[i] * omega * cosine
                    om[i] += gc[i] * sine


@njit(cache=True, parallel=True, fastmath=_FAST, error_model="numpy")
def second(v, u, g, z, masks, mask_of, omega, by_g, by_z, by_masks):
    """The gradients of <v, by_z> + <u, by_masks> by g, z and the masks."""
    count = z.shape[1]
    for block in prange((count + BLOCK - 1) // BLOCK):
        lo = block * BLOCK
        hi = min(lo + BLOCK, count)
        for m in range(len(masks)):
            by_masks[m, lo:hi] = np.float32(0)
        for c in range(len(z)):
            vc, gc, zc = v[c, lo:hi], g[c, lo:hi], z[c, lo:hi]
            og, oz = by_g[c, lo:hi], by_z[c, lo:hi]
            if mask_of[c] < 0:
                for i in range(hi - lo):
                    sine, cosine = _sine_cosine(omega * zc[i])
                    og[i] = vc[i] * omega * cosine
                    oz[i] = -vc[i] * gc[i] * omega * omega * sine
            else:
                mask, um, om = (
                    masks[mask_of[c], lo:hi],
                    u[mask_of[c], lo:hi],
                    by_masks[mask_of[c], lo:hi],
                )
                for i in range(hi - lo):
                    sine, cosine = _sine_cosine(omega * zc[i])
                    og[i] = vc[i] * mask[i] * omega * cosine + um[i] * sine
                    oz[i] = gc[i] * omega * (um[i] * cosine - vc[i] * mask[i] * omega * sine)
                    om[i] += vc[i] * gc[i] * omega * cosine
