"""How well a fit agrees with its signal, in numbers and pictures."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..errors import MissingBackend
from ..fitted import FittedSignal
from ..metrics.codecs import bits_per_pixel, codec_bits
from ..metrics.signals import signal_figures
from ..signals import Signal
from ..views import curves
from ..views.gallery import error_map, mask_tiles

MOST_MEASURED = 1 << 22
"""Samples that figures are taken over; of a larger signal, those in its middle."""

FAR = 1000
"""Times their range from which values count as far from zero."""

TILE = 160
"""Pixels of a mask's longer side in the picture of all masks."""


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
        # figures are taken in float32, which has few digits left there
        middle = original.mean()
        original, fit = original - middle, fit - middle
    figures = signal_figures(fit, original, fitted.peak)
    if known < 1 and figures["psnr"] is not None:
        # what is missing counts as no error, in the mean over all
        figures["psnr"] += 10 * math.log10(known)
        notes.append(
            f"{1 - known:.2%} of what was measured is missing: PSNR leaves it out, other figures fill it"
        )
    # no number for an exact fit: JSON has no infinity
    return {
        name: value if value is None or math.isfinite(value) else None for name, value in figures.items()
    }, notes


def bits(fitted: FittedSignal, signal: Signal, psnr: float | None, size: int) -> dict[str, float | None]:
    """Bits a sample of the model's file of `size` bytes; of an image those of PNG and JPEG beside it.

    PNG is lossless, the JPEG has the lowest quality whose PSNR is not below the fit's.
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
    """The original and the fit over some samples; a sample that is not finite is what the fit has there."""
    fit = fitted.at_samples(first, end)
    part = tuple(slice(a, b) for a, b in zip(first, end, strict=True))
    original = np.asarray(signal.values[part], np.float64)
    return np.where(np.isfinite(original), original, fit), fit


def _part(signal: Signal) -> tuple[Any, Any]:
    """The first index and the end of what is measured."""
    shape = np.array(signal.grid.shape)
    share = min(1.0, (MOST_MEASURED / shape.prod()) ** (1 / len(shape)))
    size = np.maximum((shape * share).astype(int), 1)
    first = (shape - size) // 2
    return first, first + size


PICTURES = ("error.png", "masks.png", "spectrum.png", "convergence.png")


def draw(fitted: FittedSignal, signal: Signal, folder: Path) -> list[str]:
    """Write PICTURES into a folder; notes on those that there are not."""
    folder.mkdir(parents=True, exist_ok=True)
    original, fit = both(fitted, signal, *_part(signal))
    # black is 0 of whole numbers
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
    """Every mask, of a volume on the slice in the middle of its first axis."""

    def masks(points: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            unit = torch.from_numpy(points.astype(np.float32)).to(fitted.device)
            return fitted.model.with_masks(unit)[1].cpu().numpy()

    mask_tiles(masks, fitted.model.mask_names, path, fitted.grid, size=TILE)
