"""The size of an image in bits per pixel, as a PNG and as a JPEG of a given quality."""

from __future__ import annotations

from bisect import bisect_left
from io import BytesIO
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .signals import peak_of, psnr

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
    `psnr_target` (dB), without chroma subsampling. Returns None where the codec cannot: JPEG of 16 bits
    or with alpha, or where no quality reaches the target; PNG of 16 bits in color, which Pillow does
    not write; both for floating-point values.
    """
    pixels = original.shape[0] * original.shape[1]
    if codec == "png":
        return (bits_per_pixel(len(_png(original)), pixels), None) if _has_png(original) else None
    plain = original.dtype == np.uint8 and original.shape[-1] in (1, 3)
    if not plain or max(original.shape[:2]) > LONGEST:
        return None
    peak = peak_of(original)
    # the PSNR rises with the quality, but for steps too small to matter
    place = bisect_left(QUALITIES, psnr_target, key=lambda q: psnr(_decoded(original, q), original, peak))
    if place == len(QUALITIES):
        return None
    quality = QUALITIES[place]
    data = _jpeg(original, quality)
    if len(data) < pixels:  # above that, Pillow's buffer may be too small to optimize
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
    """The image for Pillow: gray images have no axis of channels."""
    return Image.fromarray(np.ascontiguousarray(original[..., 0] if original.shape[-1] == 1 else original))
