"""Measures how well a fit agrees with its signal: error figures, bits per sample, and pictures."""

from __future__ import annotations

import math
from bisect import bisect_left
from io import BytesIO
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from ..errors import MissingBackend
from ..fitted import FittedSignal
from ..metrics.signals import peak_of, psnr, signal_figures
from ..signals import Signal
from ..views import curves
from ..views.gallery import error_map, mask_tiles

MOST_MEASURED = 1 << 22
"""Largest number of samples that are compared; for a larger signal, those in its middle."""

FAR = 1000
"""Values farther from zero than this multiple of their range count as far from zero."""

TILE = 160
"""Pixels along the longer side of a mask in the picture of all masks."""


def measured(fitted: FittedSignal, signal: Signal) -> tuple[dict[str, Any], list[str]]:
    """The figures of docs/signals-metrics.md, and notes."""
    first, end = _part(signal)
    original, fit = both(fitted, signal, first, end)
    part = signal.values[tuple(slice(a, b) for a, b in zip(first, end, strict=True))]
    known = float(np.isfinite(part).mean()) or 1.0
    notes = []
    if (end - first < signal.grid.shape).any():
        notes.append(f"measured on the {' x '.join(map(str, end - first))} samples in the middle")
    if np.abs(original).min() > FAR * fitted.peak:
        # figures are computed in float32, which has few significant digits left there
        middle = original.mean()
        original, fit = original - middle, fit - middle
    figures = signal_figures(fit, original, fitted.peak)
    if known < 1 and figures["psnr"] is not None:
        # missing samples count as having no error, in a mean over all samples
        figures["psnr"] += 10 * math.log10(known)
        notes.append(
            f"{1 - known:.2%} of what was measured is missing: PSNR leaves it out, other figures fill it"
        )
    # None for an exact fit: JSON has no infinity
    return {
        name: value if value is None or math.isfinite(value) else None for name, value in figures.items()
    }, notes


def bits(fitted: FittedSignal, signal: Signal, psnr: float | None, size: int) -> dict[str, float | None]:
    """Bits per sample of the model's file of `size` bytes and, for an image, of PNG and JPEG files.

    PNG is lossless; the JPEG has the lowest quality whose PSNR is not below that of the fit.
    """
    samples = int(np.prod(signal.grid.shape))
    found: dict[str, float | None] = {"model": bits_per_pixel(size, samples)}
    if fitted.kind == "image":
        first, end = _part(signal)
        part = signal.values[tuple(slice(a, b) for a, b in zip(first, end, strict=True))]
        for codec in ("png", "jpeg"):
            bits_and_quality = codec_bits(part, math.inf if psnr is None else psnr, codec)
            found[codec] = bits_and_quality and bits_and_quality[0]
    return found


def both(fitted: FittedSignal, signal: Signal, first: Any, end: Any) -> tuple[np.ndarray, np.ndarray]:
    """The original and the fit over some samples; samples that are not finite take the value of the fit."""
    fit = fitted.at_samples(first, end)
    part = tuple(slice(a, b) for a, b in zip(first, end, strict=True))
    original = np.asarray(signal.values[part], np.float64)
    return np.where(np.isfinite(original), original, fit), fit


def _part(signal: Signal) -> tuple[Any, Any]:
    """The first index and the end index of the measured part."""
    shape = np.array(signal.grid.shape)
    share = min(1.0, (MOST_MEASURED / shape.prod()) ** (1 / len(shape)))
    size = np.maximum((shape * share).astype(int), 1)
    first = (shape - size) // 2
    return first, first + size


PICTURES = ("error.png", "masks.png", "spectrum.png", "convergence.png")


def draw(fitted: FittedSignal, signal: Signal, folder: Path) -> list[str]:
    """Write PICTURES into a folder; returns notes on those that could not be drawn."""
    folder.mkdir(parents=True, exist_ok=True)
    original, fit = both(fitted, signal, *_part(signal))
    # for integers, black is 0
    shown = original.astype(fitted.dtype) if fitted.dtype.kind in "iu" else original
    error_map(fit, shown, fitted.peak, folder / "error.png")
    if fitted.model.mask_names:
        draw_masks(fitted, folder / "masks.png")
    try:
        curves.spectrum(fit, original, folder / "spectrum.png")
        history = (fitted.report or {}).get("history")
        if history:
            row = ("fit", history["steps"], history["times"], history["losses"])
            curves.convergence([row], folder / "convergence.png")
    except MissingBackend as error:
        return [f"there is no spectrum.png and no convergence.png: {error}"]
    return []


def draw_masks(fitted: FittedSignal, path: Path) -> None:
    """Draw every mask; for a volume, on the middle slice of its first axis."""

    def masks(points: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            unit = torch.from_numpy(points.astype(np.float32)).to(fitted.device)
            return fitted.model.with_masks(unit)[1].cpu().numpy()

    mask_tiles(masks, fitted.model.mask_names, path, fitted.grid, size=TILE)


QUALITIES = range(1, 101)
"""JPEG qualities, as libjpeg numbers them."""

LONGEST = 65_500
"""Largest number of pixels along a side of a JPEG."""


def bits_per_pixel(size: int, pixels: int) -> float:
    """The bits per pixel of a file of `size` bytes."""
    return 8 * size / pixels


def codec_bits(
    original: NDArray[Any], psnr_target: float, codec: Literal["png", "jpeg"]
) -> tuple[float, int | None] | None:
    """The bits per pixel of an image (H, W, C) in a codec, and its quality, which is None for PNG.

    png: lossless, so that `psnr_target` does not matter. jpeg: the lowest quality whose PSNR reaches
    `psnr_target` (dB), without chroma subsampling. Returns None for an image that the codec cannot store:
    JPEG for 16 bits or alpha, or if no quality reaches the target; PNG for 16-bit color, which Pillow does
    not write; both for floating-point values.
    """
    pixels = original.shape[0] * original.shape[1]
    if codec == "png":
        return (bits_per_pixel(len(_png(original)), pixels), None) if _has_png(original) else None
    plain = original.dtype == np.uint8 and original.shape[-1] in (1, 3)
    if not plain or max(original.shape[:2]) > LONGEST:
        return None
    peak = peak_of(original)
    # the PSNR rises with the quality, except for negligible steps
    place = bisect_left(QUALITIES, psnr_target, key=lambda q: psnr(_decoded(original, q), original, peak))
    if place == len(QUALITIES):
        return None
    quality = QUALITIES[place]
    data = _jpeg(original, quality)
    if len(data) < pixels:  # for larger files, Pillow's buffer may be too small to optimize
        data = _jpeg(original, quality, optimize=True)
    return bits_per_pixel(len(data), pixels), quality


def _has_png(original: NDArray[Any]) -> bool:
    return original.dtype == np.uint8 or (original.dtype == np.uint16 and original.shape[-1] == 1)


def _png(original: NDArray[Any]) -> bytes:
    file = BytesIO()
    _image(original).save(file, "PNG", optimize=True)
    return file.getvalue()


def _jpeg(original: NDArray[Any], quality: int, optimize: bool = False) -> bytes:
    file = BytesIO()
    _image(original).save(file, "JPEG", quality=quality, subsampling=0, optimize=optimize)
    return file.getvalue()


def _decoded(original: NDArray[Any], quality: int) -> NDArray[np.uint8]:
    with Image.open(BytesIO(_jpeg(original, quality))) as image:
        return np.asarray(image).reshape(original.shape)


def _image(original: NDArray[Any]) -> Image.Image:
    """The image for Pillow, which expects gray images without a channel axis."""
    return Image.fromarray(np.ascontiguousarray(original[..., 0] if original.shape[-1] == 1 else original))
