"""How many bits an image takes as a model, as a PNG and as a JPEG that is as good."""

from __future__ import annotations

from bisect import bisect_left
from io import BytesIO
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .signals import peak_of, psnr

QUALITIES = range(1, 101)
"""Of JPEG, in the numbers of libjpeg."""
LONGEST = 65_500
"""Pixels along a side of a JPEG, for libjpeg."""


def bits_per_pixel(size: int, pixels: int) -> float:
    """Of a file of `size` bytes."""
    return 8 * size / pixels


def codec_bits(
    original: NDArray[Any], psnr_target: float, codec: Literal["png", "jpeg"]
) -> tuple[float, int | None] | None:
    """Bits per pixel of an image (H, W, C) in a codec, and the quality; of PNG that is None.

    png: lossless, so that `psnr_target` does not matter. jpeg: the lowest quality whose PSNR reaches
    `psnr_target` (dB), all colours at full resolution. None where the codec cannot: JPEG of 16 bits,
    with alpha, or where no quality is that good; PNG of 16 bits in colour (Pillow writes none); both
    of floating-point values.
    """
    pixels = original.shape[0] * original.shape[1]
    if codec == "png":
        return (bits_per_pixel(len(_png(original)), pixels), None) if _has_png(original) else None
    plain = original.dtype == np.uint8 and original.shape[-1] in (1, 3)
    if not plain or max(original.shape[:2]) > LONGEST:
        return None
    peak = peak_of(original)
    # it rises with the quality, but for steps too small to matter
    place = bisect_left(QUALITIES, psnr_target, key=lambda q: psnr(_decoded(original, q), original, peak))
    if place == len(QUALITIES):
        return None
    quality = QUALITIES[place]
    data = _jpeg(original, quality)
    if len(data) < pixels:  # else Pillow's buffer may be too small for better Huffman tables
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
    """What Pillow takes: grey images have no axis of channels."""
    return Image.fromarray(np.ascontiguousarray(original[..., 0] if original.shape[-1] == 1 else original))
