"""Results side by side: renders, error maps and masks that share one camera, with captions and a scale."""

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

from ..geometry import Array, PointCloud, TriangleMesh
from ..io import atomic_write
from .render import Camera, render

GAP = 12
"""Pixels around every panel."""

FONT_SIZE = 14
LINE_HEIGHT = 18
INK = (40, 40, 40)
MOST_COLUMNS = 5

ERROR_COLORS = np.array(
    [
        *((237, 235, 229), (228, 198, 157), (218, 159, 100)),
        *((208, 117, 53), (195, 70, 23), (160, 35, 20), (111, 24, 22)),
    ],
    np.uint8,
)
"""Grey to dark red in equal steps of lightness, so that it reads without colour too."""

SPELLED = str.maketrans(
    {"μ": "u", "ω": "omega", "×": "x", "–": "-", "—": "-", "−": "-", "≥": ">=", "≤": "<="}
)
"""Signs that pillow's own font does not have; nor has it letters with accents."""

SPACE = "  "
"""One of that font's is so narrow that words run together."""

RELIEF = 0.6
"""Of error maps: a shadow should not read as an error."""

FRAME = (170, 170, 170)


def render_picture(
    shapes: Sequence[tuple[str, PointCloud | TriangleMesh]],
    framed: Array,
    size: int,
    azimuth: float,
    elevation: float,
    up: int = 2,
) -> Image.Image:
    """Labelled clouds and meshes side by side, from the camera that frames the points `framed` (N, 3).

    A panel's longer side has `size` pixels, the other what the points need. azimuth and elevation in
    degrees; `up` is the axis that points up, of 0, 1, 2.
    """
    return _renders(shapes, Camera.fitted(framed, azimuth, elevation, 2 * size, up), 1.0)


def error_picture(
    meshes: Sequence[tuple[str, TriangleMesh, Array]],
    framed: Array,
    limit: float,
    unit: str,
    size: int,
    azimuth: float,
    elevation: float,
    up: int = 2,
) -> Image.Image:
    """As `render_picture`, every mesh coloured by the distances (V,) of its vertices, with a scale.

    The scale ends at `limit`; both it and the distances are in `unit`, as "mm".
    """
    coloured = [
        (label, TriangleMesh(mesh.vertices, mesh.faces, colors=error_colors(distances, limit)))
        for label, mesh, distances in meshes
    ]
    scale = scale_bar(ERROR_COLORS, "0", f"{limit:.4g} {unit}".strip() + " or more")
    camera = Camera.fitted(framed, azimuth, elevation, 2 * size, up)
    return stacked([_renders(coloured, camera, RELIEF), scale])


def error_colors(distance: Array, limit: float) -> NDArray[np.uint8]:
    """Colours (V, 3) of distances (V,): grey at 0 to dark red at `limit` and above, whatever their sign."""
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
    """Pictures (h, w, 3) in 0..255 in rows of `columns`, each with its label below it, on white.

    Every place has the size of the largest panel and GAP pixels around it; the width is that of
    `columns` places also where there are fewer panels. A label that is wider than its place goes on
    in the next line.
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
    """Pictures below each other, in the middle, on white."""
    width = max(picture.width for picture in pictures)
    whole = Image.new("RGB", (width, sum(picture.height for picture in pictures)), "white")
    top = 0
    for picture in pictures:
        whole.paste(picture, ((width - picture.width) // 2, top))
        top += picture.height
    return whole


def save(picture: Image.Image, path: str | Path) -> None:
    """Write a picture, whole or not at all; the extension says the format."""
    with atomic_write(path) as partial:
        picture.save(partial)


def _renders(
    shapes: Sequence[tuple[str, PointCloud | TriangleMesh]], camera: Camera, relief: float
) -> Image.Image:
    """A panel for each shape, of half the camera's size, in rows that are about equally long."""
    panels = [(label, _halved(render(shape, camera, relief=relief))) for label, shape in shapes]
    rows = math.ceil(len(panels) / MOST_COLUMNS)
    return side_by_side(panels, math.ceil(len(panels) / rows))


def _halved(picture: Array) -> Array:
    """The means of two by two pixels."""
    height, width = picture.shape[0] // 2, picture.shape[1] // 2
    return picture.reshape(height, 2, width, 2, 3).mean((1, 3))


def _between(colors: NDArray[np.uint8], share: Array) -> NDArray[np.uint8]:
    """Colours (V, 3) at `share` (V,) of the way through `colors` (K, 3), 0 the first and 1 the last."""
    at = np.linspace(0, 1, len(colors))
    return np.stack([np.interp(share, at, colors[:, k]) for k in range(3)], 1).round().astype(np.uint8)


def _words(text: str) -> list[str]:
    plain = (sign for sign in unicodedata.normalize("NFKD", text) if not unicodedata.combining(sign))
    return "".join(plain).translate(SPELLED).split()


def _lines(label: str, width: int, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> list[str]:
    """The label in lines of at most `width` pixels, broken between words, and in a word that is wider."""
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
