"""A fitted image or volume beside its original, and the masks that made it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..geometry import Array
from ..signals import Grid
from .gallery import ERROR_COLORS, error_colors, mask_rows, save, scale_bar, side_by_side, stacked

MOST, LEAST = 1024, 256
"""Pixels along the longer side of a panel: larger ones are shrunk, smaller ones magnified."""

SHOWN = 99.0
"""Per cent of the errors that lie within their scale: single large ones would leave the rest grey."""


def error_map(fit: NDArray[Any], original: NDArray[Any], peak: float, path: str | Path) -> None:
    """Write the original, the fit and their absolute difference side by side, with a scale.

    fit and original: an image (H, W, C) or a volume (I, J, K, C), of which the three middle slices
    are shown: of a slice's two axes the first runs to the right and the second up. peak: the step
    from black to white, see `metrics.peak_of`. The difference is the mean over channels, in 1/255 of
    the peak; its scale ends at the 99th percentile, rounded up to 1, 2 or 5 times a power of ten.
    """
    if fit.shape != original.shape or original.ndim not in (3, 4):
        raise ValueError(f"fit and original must have one shape, found {fit.shape} and {original.shape}")
    image = original.ndim == 3
    low = 0.0 if image and original.dtype.kind in "iu" else float(original.min())
    cuts = [("", original, fit)] if image else _middles(original, fit)
    longest = max(original.shape[:-1])  # of all slices, so that they are shown at one size
    panels = []
    for where, one, other in cuts:
        one, other = ((part.astype(np.float64) - low) * (255 / peak) for part in (one, other))
        error = np.abs(other - one).mean(-1, keepdims=True)
        panels.append((where, *(_panel(part, longest) for part in (one, other, error))))
    limit = _round_up(float(np.percentile(np.concatenate([error.ravel() for *_, error in panels]), SHOWN)))
    rows = []
    for where, one, other, error in panels:
        colors = error_colors(error.ravel(), limit).reshape(*error.shape[:2], 3)
        tiles = [(f"original{where}", _rgb(one)), (f"fit{where}", _rgb(other)), (f"error{where}", colors)]
        rows.append(side_by_side(tiles, len(tiles)))
    scale = scale_bar(ERROR_COLORS, "error 0", f"{limit:.4g}/255 of the peak or more")
    save(stacked([*rows, scale]), path)


def mask_tiles(
    masks: Callable[[Array], Array],
    captions: Sequence[str],
    path: str | Path,
    grid: Grid,
    axis: int = 0,
    size: int = 220,
) -> None:
    """Write a picture of every mask of an image, or on a volume's middle slice, black 0 to white 1.

    masks: points (N, d) of the unit cube to (M, N) in [0, 1]. captions: one for each, rows of tiles
    as of `mask_slices`. grid: of the signal; a tile shows its domain, the longer side with `size`
    pixels. The slice lies across `axis`; of the other two the first runs to the right and the second
    up. Of an image rows run down, as they do in it.
    """
    sides = np.array(grid.shape) * grid.spacing
    if grid.dim == 2:
        down, across = 0, 1
    else:
        across, down = (n for n in range(3) if n != axis)
    height, width = (max(round(size * sides[n] / sides[[down, across]].max()), 1) for n in (down, across))
    index = np.tile((np.array(grid.shape) - 1) / 2, (height, width, 1))
    rows = (np.arange(height) + 0.5) / height
    index[..., down] = (rows if grid.dim == 2 else 1 - rows)[:, None] * grid.shape[down] - 0.5
    index[..., across] = (np.arange(width) + 0.5) / width * grid.shape[across] - 0.5
    gates = np.asarray(masks(grid.to_unit(index.reshape(-1, grid.dim))))
    save(mask_rows(gates.reshape(-1, height, width), captions), path)


def _middles(original: NDArray[Any], fit: NDArray[Any]) -> list[tuple[str, NDArray[Any], NDArray[Any]]]:
    """The middle slice across each axis: how its caption ends, and both as pictures (h, w, C)."""
    cuts = []
    for axis, name in enumerate("ijk"):
        middle = original.shape[axis] // 2
        slices = (part.take(middle, axis).swapaxes(0, 1)[::-1] for part in (original, fit))
        cuts.append((f", {name} = {middle}", *slices))
    return cuts


def _panel(values: Array, longest: int) -> Array:
    """Values (H, W, C) at a size to look at: means of blocks, or every one several pixels wide.

    longest: of the sides of all panels that belong together.
    """
    if longest > MOST:
        factor = -(-longest // MOST)
        channels = [
            Image.fromarray(part.astype(np.float32)).reduce(factor) for part in np.moveaxis(values, -1, 0)
        ]
        return np.stack([np.asarray(part, np.float64) for part in channels], -1)
    factor = max(LEAST // longest, 1)
    return values.repeat(factor, 0).repeat(factor, 1)


def _rgb(values: Array) -> Array:
    """A picture (H, W, 3) of values (H, W, C) in 0..255, on white where it is transparent.

    Other than grey and RGB, each with alpha or without, the mean of the channels is shown.
    """
    values = values.clip(0, 255)
    if values.shape[-1] in (2, 4):
        share = values[..., -1:] / 255
        values = values[..., :-1] * share + 255 * (1 - share)
    return values if values.shape[-1] == 3 else values.mean(-1, keepdims=True).repeat(3, -1)


def _round_up(value: float) -> float:
    """The next of 1, 2, 5, 10, ... times a power of ten; of a fit without errors 1."""
    if not value > 0:
        return 1.0
    power = 10.0 ** np.floor(np.log10(value))
    return float(next(step * power for step in (1, 2, 5, 10) if step * power >= value * (1 - 1e-9)))
