"""Pictures side by side, with captions and scales: masks, and a fit of an image or a volume."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Callable, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from ..geometry import Array
from ..io import atomic_write
from ..signals import Grid

GAP = 12
"""Pixels around every panel."""

FONT_SIZE, LINE_HEIGHT = 14, 18
INK = (40, 40, 40)

ERROR_COLORS = np.array(
    [237, 235, 229, 228, 198, 157, 218, 159, 100, 208, 117, 53, 195, 70, 23, 160, 35, 20, 111, 24, 22],
    np.uint8,
).reshape(-1, 3)
"""Gray to dark red in equal steps of lightness, so that the scale is readable without color."""

SPELLED = str.maketrans("μ×–—−", "ux---") | str.maketrans({"ω": "omega", "≥": ">=", "≤": "<="})
"""Characters that Pillow's font lacks; it also lacks letters with accents."""

SPACE = "  "
"""Two spaces: a single space is so narrow in Pillow's font that words run together."""

FRAME, LINE = (170, 170, 170), (235, 80, 20)


def error_colors(distance: Array, limit: float) -> NDArray[np.uint8]:
    """Colors (V, 3) of errors (V,), regardless of sign: from gray at 0 to dark red at `limit` and above."""
    if not limit > 0:
        raise ValueError(f"the limit of an error scale must be above 0, found {limit}")
    share = np.nan_to_num(np.abs(distance) / limit, nan=1, posinf=1).clip(0, 1)
    return _between(ERROR_COLORS, share)


def scale_bar(colors: NDArray[np.uint8], low: str, high: str, length: int = 240) -> Image.Image:
    """A legend: `low`, a bar of `length` pixels that runs through `colors` (K, 3), `high`."""
    bar = np.tile(_between(colors, np.linspace(0, 1, length)), (LINE_HEIGHT - 4, 1, 1))
    bar[[0, -1]] = bar[:, [0, -1]] = FRAME
    font = ImageFont.load_default(FONT_SIZE)
    low, high = (SPACE.join(_words(text)) for text in (low, high))
    left, right = (math.ceil(font.getlength(text)) + (GAP if text else 0) for text in (low, high))
    picture = Image.new("RGB", (left + length + right, LINE_HEIGHT + GAP), "white")
    picture.paste(Image.fromarray(bar), (left, 2))
    draw = ImageDraw.Draw(picture)
    draw.text((0, LINE_HEIGHT / 2), low, INK, font, anchor="lm")
    draw.text((left + length + right, LINE_HEIGHT / 2), high, INK, font, anchor="rm")
    return picture


def side_by_side(panels: Sequence[tuple[str, NDArray[Any]]], columns: int) -> Image.Image:
    """Pictures (h, w, 3), 0 to 255, in rows of `columns`, each with its label below it, on white.

    Each picture gets the space of the largest one and GAP pixels around it. The total width is always that
    of `columns` pictures, even if there are fewer. A label wider than its space is broken into lines.
    """
    images = [Image.fromarray(np.asarray(picture).clip(0, 255).astype(np.uint8)) for _, picture in panels]
    width, height = max(image.width for image in images), max(image.height for image in images)
    font = ImageFont.load_default(FONT_SIZE)
    captions = [_lines(label, width, font) for label, _ in panels]
    rows = [range(first, min(first + columns, len(images))) for first in range(0, len(images), columns)]
    below = [LINE_HEIGHT * max(len(captions[n]) for n in row) for row in rows]
    total = sum(GAP + height + GAP // 2 + text for text in below) + GAP
    picture = Image.new("RGB", (columns * (width + GAP) + GAP, total), "white")
    draw = ImageDraw.Draw(picture)
    top = GAP
    for row, text in zip(rows, below, strict=True):
        for column, n in enumerate(row):
            left = GAP + column * (width + GAP)
            image = images[n]
            picture.paste(image, (left + (width - image.width) // 2, top + (height - image.height) // 2))
            for k, line in enumerate(captions[n]):
                middle = (left + width / 2, top + height + GAP // 2 + (k + 0.5) * LINE_HEIGHT)
                draw.text(middle, line, INK, font, anchor="mm")
        top += height + GAP // 2 + text + GAP
    return picture


def stacked(pictures: Sequence[Image.Image]) -> Image.Image:
    """Pictures below each other, centered, on white."""
    width = max(picture.width for picture in pictures)
    whole = Image.new("RGB", (width, sum(picture.height for picture in pictures)), "white")
    top = 0
    for picture in pictures:
        whole.paste(picture, ((width - picture.width) // 2, top))
        top += picture.height
    return whole


def save(picture: Image.Image, path: str | Path) -> None:
    """Write a picture atomically, in the format of the extension."""
    with atomic_write(path) as partial:
        picture.save(partial)


def _between(colors: NDArray[np.uint8], share: Array) -> NDArray[np.uint8]:
    """Colors (V, 3) interpolated at `share` (V,) along `colors` (K, 3), 0 the first and 1 the last."""
    at = np.linspace(0, 1, len(colors))
    return np.stack([np.interp(share, at, colors[:, k]) for k in range(3)], 1).round().astype(np.uint8)


def _words(text: str) -> list[str]:
    plain = (sign for sign in unicodedata.normalize("NFKD", text) if not unicodedata.combining(sign))
    return "".join(plain).translate(SPELLED).split()


def _lines(label: str, width: int, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> list[str]:
    """The label in lines of at most `width` pixels, broken between words, or within words that are wider."""
    lines = [""]
    for word in _words(label):
        if lines[-1] and font.getlength(lines[-1] + SPACE + word) <= width:
            lines[-1] += SPACE + word
            continue
        lines += [""] if lines[-1] else []
        for sign in word:
            if lines[-1] and font.getlength(lines[-1] + sign) > width:
                lines.append("")
            lines[-1] += sign
    return lines


def mask_slices(
    masks: Callable[[Array], Array],
    values: Callable[[Array], Array],
    rows: Sequence[str],
    path: str | Path,
    axis: int = 2,
    at: float = 0.0,
    size: int = 220,
) -> None:
    """Write a picture of every mask on a slice of the unit cube, black 0 to white 1, with the surface on it.

    masks: points (N, 3) of the unit cube -> (M, N) in [0, 1]. values: points (N, 3) -> (N,), negative
    inside. rows: a caption for each mask; a new row begins where a caption differs in more than its last
    word, as from "band 4" to "layer 1 group 1". axis, at: the coordinate that is constant on the slice, and
    its value; the first of the other two points right and the second up. size: a tile's side in pixels.
    """
    points = slice_points(axis, at, size)
    line = zero_line(np.asarray(values(points)).reshape(size, size))
    picture = mask_rows(np.asarray(masks(points)).reshape(-1, size, size), rows, line)
    save(stacked([picture, scale_bar(np.array([LINE], np.uint8), "", "surface", 24)]), path)


MOST_COLUMNS = 8
"""Masks beside each other in a picture; more continue in the next row."""


def mask_rows(gates: Array, rows: Sequence[str], line: NDArray[np.bool_] | None = None) -> Image.Image:
    """Masks (M, H, W) in [0, 1] as captioned tiles, a new row where a new group begins, and their scale.

    rows: a caption for each mask, see `mask_slices`. line: the pixels (H, W) on the surface.
    """
    if len(gates) != len(rows):
        raise ValueError(f"{len(gates)} masks need a caption each, found {len(rows)}")
    tiles = list(zip(rows, (tile(gate, line) for gate in gates), strict=True))
    groups = [list(group) for _, group in groupby(tiles, key=lambda pair: pair[0].rpartition(" ")[0])]
    columns = min(MOST_COLUMNS, max(map(len, groups)))
    lines = [side_by_side(group, columns) for group in groups]
    return stacked([*lines, scale_bar(np.array([[0] * 3, [255] * 3], np.uint8), "mask 0", "1")])


def slice_points(axis: int, at: float, size: int) -> Array:
    """The points (size * size, 3) of the unit cube at the centers of the pixels, row by row from the top."""
    middle = (np.arange(size) + 0.5) * 2 / size - 1
    across, up = (n for n in range(3) if n != axis)
    points = np.full((size, size, 3), float(at))
    points[..., across], points[..., up] = middle, middle[::-1, None]
    return points.reshape(-1, 3)


def zero_line(values: Array) -> NDArray[np.bool_]:
    """A mask (H, W) of the pixels on both sides of a sign change."""
    inside = np.pad(values < 0, 1, mode="edge")
    here = inside[1:-1, 1:-1]
    beside = inside[:-2, 1:-1], inside[2:, 1:-1], inside[1:-1, :-2], inside[1:-1, 2:]
    return np.any([there != here for there in beside], axis=0)


def tile(mask: Array, line: NDArray[np.bool_] | None = None) -> NDArray[np.uint8]:
    """A mask (H, W) in [0, 1] as a picture (H + 2, W + 2, 3), with the pixels (H, W) of a line on it.

    Without the frame around it a mask of ones would be white on white.
    """
    gray = (255 * mask.clip(0, 1)).round().astype(np.uint8)
    framed = np.full((len(mask) + 2, len(mask[0]) + 2, 3), FRAME, np.uint8)
    framed[1:-1, 1:-1] = gray[..., None]
    if line is not None:
        framed[1:-1, 1:-1][line] = LINE
    return framed


MOST, LEAST = 1024, 256
"""Pixels along the longer side of a panel: larger signals are reduced, smaller ones enlarged."""

SHOWN = 99.0
"""Percentile of the errors at which their scale ends: otherwise a few large errors leave the rest gray."""


def error_map(fit: NDArray[Any], original: NDArray[Any], peak: float, path: str | Path) -> None:
    """Write the original, the fit and their absolute difference side by side, with a scale.

    fit, original: an image (H, W, C), or a volume (I, J, K, C), whose three middle slices are shown; the
    first axis of a slice points right and the second up. peak: the step from black to white, see
    `metrics.peak_of`. The difference is the mean over channels, in 1/255 of the peak; its
    scale ends at the 99th percentile, rounded up to 1, 2 or 5 times a power of ten.
    """
    if fit.shape != original.shape or original.ndim not in (3, 4):
        raise ValueError(f"fit and original must have the same shape, found {fit.shape} and {original.shape}")
    image = original.ndim == 3
    low = 0.0 if image and original.dtype.kind in "iu" else float(original.min())
    cuts = [("", original, fit)] if image else _middles(original, fit)
    longest = max(original.shape[:-1])  # of all slices, so that they are shown at one size
    panels, rows = [], []
    for where, one, other in cuts:
        one, other = ((part.astype(np.float64) - low) * (255 / peak) for part in (one, other))
        error = np.abs(other - one).mean(-1, keepdims=True)
        panels.append((where, *(_panel(part, longest) for part in (one, other, error))))
    limit = _round_up(float(np.percentile(np.concatenate([error.ravel() for *_, error in panels]), SHOWN)))
    for where, one, other, error in panels:
        colors = error_colors(error.ravel(), limit).reshape(*error.shape[:2], 3)
        tiles = [(f"original{where}", _rgb(one)), (f"fit{where}", _rgb(other)), (f"error{where}", colors)]
        rows.append(side_by_side(tiles, len(tiles)))
    rows.append(scale_bar(ERROR_COLORS, "error 0", f"{limit:.4g}/255 of the peak or more"))
    save(stacked(rows), path)


def mask_tiles(
    masks: Callable[[Array], Array],
    captions: Sequence[str],
    path: str | Path,
    grid: Grid,
    axis: int = 0,
    size: int = 220,
) -> None:
    """Write a picture of every mask of an image, or on a volume's middle slice, black 0 to white 1.

    masks: points (N, d) of the unit cube -> (M, N) in [0, 1]. captions: one for each, see `mask_slices`.
    grid: the grid of the signal. axis: the axis perpendicular to the slice of a volume; the first of the
    other two axes points right and the second up. size: pixels along the longer side of a tile.
    """
    sides = np.array(grid.shape) * grid.spacing
    across, down = (1, 0) if grid.dim == 2 else (n for n in range(3) if n != axis)
    height, width = (max(round(size * sides[n] / sides[[down, across]].max()), 1) for n in (down, across))
    index = np.tile((np.array(grid.shape) - 1) / 2, (height, width, 1))
    rows = (np.arange(height) + 0.5) / height
    index[..., down] = (rows if grid.dim == 2 else 1 - rows)[:, None] * grid.shape[down] - 0.5
    index[..., across] = (np.arange(width) + 0.5) / width * grid.shape[across] - 0.5
    gates = np.asarray(masks(grid.to_unit(index.reshape(-1, grid.dim))))
    save(mask_rows(gates.reshape(-1, height, width), captions), path)


def _middles(original: NDArray[Any], fit: NDArray[Any]) -> list[tuple[str, NDArray[Any], NDArray[Any]]]:
    """The middle slice across each axis: its caption's ending, and both signals as pictures (h, w, C)."""
    cuts = [(axis, n // 2) for axis, n in enumerate(original.shape[:3])]
    return [
        (f", {'ijk'[axis]} = {n}", *(part.take(n, axis).swapaxes(0, 1)[::-1] for part in (original, fit)))
        for axis, n in cuts
    ]


def _panel(values: Array, longest: int) -> Array:
    """Values (H, W, C) at the size of a panel: means of blocks, or each repeated over several pixels.

    longest: the longest side of all panels that belong together.
    """
    if longest > MOST:
        factor = -(-longest // MOST)
        channels = np.moveaxis(values, -1, 0).astype(np.float32)
        reduced = [np.asarray(Image.fromarray(part).reduce(factor), np.float64) for part in channels]
        return np.stack(reduced, -1)
    factor = max(LEAST // longest, 1)
    return values.repeat(factor, 0).repeat(factor, 1)


def _rgb(values: Array) -> Array:
    """A picture (H, W, 3) of values (H, W, C) from 0 to 255, on white where it is transparent.

    One and three channels, with or without alpha, are gray and RGB; otherwise the channels' mean is shown.
    """
    values = values.clip(0, 255)
    if values.shape[-1] in (2, 4):
        share = values[..., -1:] / 255
        values = values[..., :-1] * share + 255 * (1 - share)
    return values if values.shape[-1] == 3 else values.mean(-1, keepdims=True).repeat(3, -1)


def _round_up(value: float) -> float:
    """The next of 1, 2, 5, 10, ... times a power of ten; 1 for a fit without errors."""
    if not value > 0:
        return 1.0
    power = 10.0 ** np.floor(np.log10(value))
    return float(next(step * power for step in (1, 2, 5, 10) if step * power >= value * (1 - 1e-9)))
