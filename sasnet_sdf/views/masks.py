"""Where in space each mask lets its neurons through, beside the surface."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..geometry import Array
from .gallery import FRAME, save, scale_bar, side_by_side, stacked

LINE = (235, 80, 20)


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

    masks: points (N, 3) of the unit cube to (M, N) in [0, 1]. values: points (N, 3) to (N,), negative
    inside. rows: a caption for each of the M masks; a new row of tiles begins where the words before
    the last change, as from "band 4" to "layer 1 group 1". The slice is where the coordinate `axis`
    is `at`; of the other two the first runs to the right and the second up. A tile has `size` by
    `size` pixels.
    """
    points = slice_points(axis, at, size)
    gates = np.asarray(masks(points)).reshape(-1, size, size)
    picture = mask_rows(gates, rows, zero_line(np.asarray(values(points)).reshape(size, size)))
    save(stacked([picture, scale_bar(np.array([LINE], np.uint8), "", "surface", 24)]), path)


def mask_rows(gates: Array, rows: Sequence[str], line: NDArray[np.bool_] | None = None) -> Image.Image:
    """Masks (M, H, W) in [0, 1] as captioned tiles, a new row where a new group begins, and their scale.

    rows: a caption for each, as `mask_slices` takes them. line: the pixels (H, W) that are the surface.
    """
    if len(gates) != len(rows):
        raise ValueError(f"{len(gates)} masks need a caption each, found {len(rows)}")
    tiles = list(zip(rows, (tile(gate, line) for gate in gates), strict=True))
    groups = [list(group) for _, group in groupby(tiles, key=lambda pair: pair[0].rpartition(" ")[0])]
    columns = max(len(group) for group in groups)
    lines = [side_by_side(group, columns) for group in groups]
    return stacked([*lines, scale_bar(np.array([[0] * 3, [255] * 3], np.uint8), "mask 0", "1")])


def slice_points(axis: int, at: float, size: int) -> Array:
    """Points (size * size, 3) of the unit cube at the middle of every pixel, row after row from the top."""
    middle = (np.arange(size) + 0.5) * 2 / size - 1
    across, up = (n for n in range(3) if n != axis)
    points = np.full((size, size, 3), float(at))
    points[..., across], points[..., up] = middle, middle[::-1, None]
    return points.reshape(-1, 3)


def zero_line(values: Array) -> NDArray[np.bool_]:
    """The pixels (H, W) on both sides of a change of sign between neighbours."""
    inside = values < 0
    line = np.zeros(inside.shape, np.bool_)
    down, right = inside[1:] != inside[:-1], inside[:, 1:] != inside[:, :-1]
    line[1:] |= down
    line[:-1] |= down
    line[:, 1:] |= right
    line[:, :-1] |= right
    return line


def tile(mask: Array, line: NDArray[np.bool_] | None = None) -> NDArray[np.uint8]:
    """A mask (H, W) in [0, 1] as a picture (H + 2, W + 2, 3): the line, if any, on it, a frame around it.

    Without the frame a mask that lets all through would be white on white.
    """
    grey = (255 * mask.clip(0, 1)).round().astype(np.uint8)
    framed = np.full((len(mask) + 2, len(mask[0]) + 2, 3), FRAME, np.uint8)
    framed[1:-1, 1:-1] = grey[..., None]
    if line is not None:
        framed[1:-1, 1:-1][line] = LINE
    return framed
