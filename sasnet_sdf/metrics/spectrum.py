"""The power of a signal at every frequency, whatever its direction."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..geometry import Array


def radial_spectrum(values: NDArray[Any]) -> tuple[Array, Array]:
    """Frequencies (F,) in cycles per sample, above 0 to 0.5, and the mean power (F,) of each.

    values: (H, W, C) or (I, J, K, C). The mean is taken off and a Hann window put on, since a signal
    does not go on at its other end as it began. The power is the mean over channels and over all
    waves in a ring one step of the longest axis wide, in the square of the values' unit: white noise
    of deviation s has s² at every frequency.
    """
    shape = values.shape[:-1]
    window = np.ones(shape, np.float32)
    for axis, n in enumerate(shape):
        hann = np.sin(np.pi * (np.arange(n) + 0.5) / n) ** 2  # without zeros, so that one sample is kept
        window *= hann.astype(np.float32).reshape([-1 if k == axis else 1 for k in range(len(shape))])
    power = sum(_power(values[..., n], window) for n in range(values.shape[-1])) / values.shape[-1]
    longest = max(shape)
    steps = [np.fft.fftfreq(n) for n in shape[:-1]] + [np.fft.rfftfreq(shape[-1])]
    # a wave and the one against it have one power, and only half of the waves are there
    twice = np.full(len(steps[-1]), 2.0)
    twice[[0, -1] if shape[-1] % 2 == 0 else [0]] = 1
    sums, counts = np.zeros(longest // 2 + 1), np.zeros(longest // 2 + 1)
    for row, first in enumerate(steps[0]):
        square = first**2
        for n, step in enumerate(steps[1:]):
            square = square + np.square(step).reshape([-1 if k == n else 1 for k in range(len(shape) - 1)])
        ring = np.rint(np.sqrt(square) * longest).astype(np.int64)
        inside = ring < len(sums)
        weights = np.broadcast_to(twice, ring.shape)[inside]
        sums += np.bincount(ring[inside], weights * power[row][inside], len(sums))
        counts += np.bincount(ring[inside], weights, len(sums))
    return np.arange(1, len(sums)) / longest, (sums / counts)[1:]


def _power(channel: NDArray[Any], window: NDArray[np.float32]) -> Array:
    mean = float(np.average(channel, weights=window))
    waves = np.fft.rfftn((channel - mean).astype(np.float32) * window)
    return np.square(np.abs(waves)) / float(np.square(window).sum(dtype=np.float64))
