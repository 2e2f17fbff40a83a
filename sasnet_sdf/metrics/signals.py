"""How well a fitted image or volume agrees with the original; docs/signals-metrics.md has every formula.

fit and original are arrays (H, W, C) or (I, J, K, C) of any real type; `peak` is the step from black
to white, see `peak_of`. Large signals, also memory-mapped ones, are read in slabs along the first axis.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.metrics import structural_similarity

from ..geometry import Array


def radial_spectrum(values: NDArray[Any]) -> tuple[Array, Array]:
    """Frequencies (F,) in cycles per sample, above 0 to 0.5, and the mean power (F,) of each.

    values: (H, W, C) or (I, J, K, C). The mean is subtracted and a Hann window applied, since a signal
    is not periodic. The power is the mean over channels and over all waves in a ring, whose width is one
    frequency step of the longest axis. It is in the square of the values' unit: white noise of standard
    deviation s has the power s² at every frequency.
    """
    shape = values.shape[:-1]
    window = np.ones(shape, np.float32)
    for axis, n in enumerate(shape):
        hann = np.sin(np.pi * (np.arange(n) + 0.5) / n) ** 2  # has no zeros: one sample is kept
        window *= hann.astype(np.float32).reshape([-1 if k == axis else 1 for k in range(len(shape))])
    power = sum(_power(values[..., n], window) for n in range(values.shape[-1])) / values.shape[-1]
    longest = max(shape)
    steps = [np.fft.fftfreq(n) for n in shape[:-1]] + [np.fft.rfftfreq(shape[-1])]
    # a wave and its opposite have the same power, and rfft gives only one of them
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


Values = NDArray[Any]

SLAB = 2**22
"""Approximate number of values in a slab."""
WINDOW = 7
"""Samples along each side of the windows of SSIM and of the local deviation."""
EDGES = 0.1
"""Share of the samples, those with the largest gradient, that count as edges."""
SMOOTH = 0.5
"""Share of the samples, those with the smallest local deviation, that count as smooth."""
FLAT = 1e-4
"""Share of the peak below which a variation is considered a rounding error."""
BLUR = 1.5
"""Standard deviation, in samples, of the Gaussian that separates noise from the rest of the error."""
REACH = 6
"""Samples by which slabs overlap: four deviations of the widest Gaussian, where scipy cuts it off."""
LEVELS = 256
"""Bins of the histogram that finds the background."""
NEAR = 0.01
"""Share of the original's range within which a sample has the background's value."""
FEWEST = 100
"""Least number of samples of a background."""


def peak_of(original: Values, low: float | None = None, high: float | None = None) -> float:
    """The step from black to white: the largest integer of an image's type; else the range of the values.

    low, high: the least and the largest value, if known. Returns 1 where all values are
    equal, so that figures can be computed.
    """
    if original.ndim == 3 and original.dtype.kind in "iu":
        return float(np.iinfo(original.dtype).max)
    least = float(original.min()) if low is None else low
    return (float(original.max()) if high is None else high) - least or 1.0


def signal_figures(fit: Values, original: Values, peak: float) -> dict[str, float | None]:
    """All figures by name; None where a figure does not exist, as a constant signal has no edges."""
    figures = {
        "psnr": psnr(fit, original, peak),
        "ssim": ssim(fit, original, peak),
        "psnr_edge": psnr_edge(fit, original, peak),
        "noisiness": noisiness(fit, original, peak),
    }
    if original.ndim == 4:
        found = background(fit, original)
        figures["background_std"] = found and found[0]
    return figures


def psnr(fit: Values, original: Values, peak: float) -> float:
    """The peak signal-to-noise ratio in dB, over all samples and channels; inf where they are equal."""
    _check(fit, original)
    squares = [np.square(_error(fit, original, slab)).sum() for slab, _ in _slabs(original.shape, 0)]
    return _decibels(float(sum(squares)) / original.size, peak)


def ssim(fit: Values, original: Values, peak: float) -> float | None:
    """The structural similarity (Wang et al. 2004), the mean over all windows and channels; 1 is best.

    Windows have 7 samples a side, or the largest odd number that fits; None where not even 3 fit. A
    signal with values below 0 is shifted to begin at 0, as SSIM takes ratios of means.
    """
    _check(fit, original)
    shortest = min(original.shape[:-1])
    window = min(WINDOW, shortest - 1 + shortest % 2)
    if window < 3:
        return None
    low = min(float(original.min()), 0.0)
    edge, total = window // 2, 0.0
    for slab, _ in _slabs((len(original) - 2 * edge, *original.shape[1:]), 0):
        # the windows that begin in the slab extend beyond its end
        taken = slice(slab.start, slab.stop + 2 * edge)
        one, other = (np.asarray(part[taken], np.float64) - low for part in (fit, original))
        mean = structural_similarity(one, other, win_size=window, channel_axis=-1, data_range=peak)
        total += float(mean) * (slab.stop - slab.start)  # type: ignore[arg-type]
    return total / (len(original) - 2 * edge)


def psnr_edge(fit: Values, original: Values, peak: float) -> float | None:
    """The PSNR over the tenth of the samples at which the original's gradient is largest.

    The gradient is computed from the mean of the channels, by a Gaussian filter of standard deviation 1 and
    the Sobel operator. None where the original is constant.
    """
    _check(fit, original)
    size = _over_slabs(_gradient, original)
    edges = (size >= _quantile(size, 1 - EDGES)) & (size > FLAT * peak)
    count = int(np.count_nonzero(edges)) * original.shape[-1]
    if not count:
        return None
    squares = [
        np.square(_error(fit, original, slab)[edges[slab]]).sum() for slab, _ in _slabs(original.shape, 0)
    ]
    return _decibels(float(sum(squares)) / count, peak)


def noisiness(fit: Values, original: Values, peak: float) -> float:
    """The noise that the fit adds where the original is smooth, in 1/255 of the peak; 0 is best.

    The smooth samples are the half with the smallest deviation in a window of 7 samples a side. The
    noise is the root mean square of the error there, after subtracting its local mean, a Gaussian of standard
    deviation 1.5 over smooth samples only. So neither offsets nor errors at edges count.
    """
    _check(fit, original)
    spread = _over_slabs(_deviation, original)
    smooth = spread <= max(_quantile(spread, SMOOTH), FLAT * peak)
    del spread
    total = 0.0
    for slab, kept in _slabs(original.shape, REACH):
        inside = smooth[slab]
        weight = ndimage.gaussian_filter(inside.astype(np.float64), BLUR)
        error = _error(fit, original, slab)
        for channel in np.moveaxis(error, -1, 0):
            mean = ndimage.gaussian_filter(np.where(inside, channel, 0), BLUR)
            # the weight is 0 only far from all smooth samples
            rough = channel - np.divide(mean, weight, out=np.zeros_like(mean), where=inside)
            total += float(np.square(rough[kept][inside[kept]]).sum())
    count = np.count_nonzero(smooth) * original.shape[-1]
    return 255 / peak * math.sqrt(total / count)


def background(fit: Values, original: Values) -> tuple[float, float] | None:
    """The standard deviation and the mean of the fit where the original is background, in its own unit.

    A sample is background if it and all samples within a distance of 2 differ from the original's most common
    value by at most 1 % of the original's range, in every channel. None where there are fewer than 100.
    """
    _check(fit, original)
    there = np.ones(original.shape[:-1], np.bool_)
    for n in range(original.shape[-1]):
        low, high = float(original[..., n].min()), float(original[..., n].max())
        width = (high - low or 1.0) / LEVELS
        counts = np.histogram(original[..., n], LEVELS, (low, low + LEVELS * width))[0]
        value = low + (int(counts.argmax()) + 0.5) * width
        for slab, _ in _slabs(original.shape, 0):
            away = np.abs(np.asarray(original[slab][..., n], np.float64) - value)
            there[slab] &= away <= NEAR * LEVELS * width
    inner = np.asarray(ndimage.minimum_filter(there, 5), np.bool_)
    if np.count_nonzero(inner) < FEWEST:
        return None
    values = np.asarray(fit[inner], np.float64)
    return float(np.sqrt(values.var(0).mean())), float(values.mean())


def _check(fit: Values, original: Values) -> None:
    if fit.shape != original.shape or original.ndim not in (3, 4):
        raise ValueError(
            f"fit and original must both be (H, W, C) or (I, J, K, C), found {fit.shape} and {original.shape}"
        )


def _decibels(square: float, peak: float) -> float:
    return 10 * math.log10(peak**2 / square) if square else math.inf


def _error(fit: Values, original: Values, slab: slice) -> Array:
    """fit - original, in float64 since differences of unsigned integers would wrap around."""
    return np.asarray(fit[slab], np.float64) - np.asarray(original[slab], np.float64)


def _slabs(shape: tuple[int, ...], reach: int) -> Iterator[tuple[slice, slice]]:
    """Slabs of rows that overlap by `reach` on both sides, and for each slab its rows without the overlap."""
    rows = max(SLAB // max(math.prod(shape[1:]), 1), 2 * reach, 1)
    for first in range(0, shape[0], rows):
        begin, end = max(first - reach, 0), min(first + rows, shape[0])
        yield slice(begin, min(end + reach, shape[0])), slice(first - begin, end - begin)


def _over_slabs(filtered: Callable[[Array], Array], original: Values) -> NDArray[np.float32]:
    """A filter applied to the mean of the channels, slab by slab."""
    result = np.empty(original.shape[:-1], np.float32)
    for slab, kept in _slabs(original.shape, REACH):
        first = slab.start + kept.start
        gray = original[slab].mean(-1, dtype=np.float64)
        result[first : first + kept.stop - kept.start] = filtered(gray)[kept]
    return result


def _gradient(gray: Array) -> Array:
    """The norm of the gradient, per sample."""
    blurred = ndimage.gaussian_filter(gray, 1.0)
    squares = sum(np.square(ndimage.sobel(blurred, axis)) for axis in range(gray.ndim))
    return np.sqrt(squares) / (2 * 4 ** (gray.ndim - 1))


def _deviation(gray: Array) -> Array:
    """The standard deviation in the window around every sample."""
    gray = gray - gray.mean()  # otherwise squares of values far from 0 lose precision
    mean = ndimage.uniform_filter(gray, WINDOW)
    return np.sqrt((ndimage.uniform_filter(gray * gray, WINDOW) - mean * mean).clip(0))


def _quantile(values: NDArray[np.float32], share: float) -> float:
    """The value below which a share of the values lies; makes fewer copies than numpy's quantile."""
    nth = min(int(share * values.size), values.size - 1)
    return float(np.partition(values.ravel(), nth)[nth])
