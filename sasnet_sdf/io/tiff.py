"""TIFF, with tifffile: images of 8 and 16 bits and of floats, and stacks of pages."""

from __future__ import annotations

import hashlib
import logging
import math
import uuid
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..errors import SasnetError, UnreadableInput, UsageError
from ..signals import Signal
from .files import check_claim, reason_of
from .images import upright
from .tiff_spacing import ome_units, spacing_of
from .volumes import lost, volume_of

_WHITE_AT_0, _BLACK_AT_0, _RGB, _PALETTE = range(4)
"""Photometric interpretations."""

_MULTIPLIED = 1
"""The type of an extra sample that is alpha, with premultiplied colors."""


def read_image(path: Path) -> tuple[NDArray[Any], list[str]] | None:
    """The first page (H, W, C) and notes; None for palettes, color spaces and codecs that Pillow must decode.

    Raises UnreadableInput.
    """
    with _opened(path) as tif:
        page: Any = tif.pages[0]
        notes: list[str] = []
        if page.dtype is None or page.ndim < 2 or page.imagedepth > 1:
            raise UnreadableInput(f"{path}: its samples are of a kind that is not read")
        colors, codec = (getattr(x, "name", x) for x in (page.photometric, page.compression))
        plain = page.photometric in (_WHITE_AT_0, _BLACK_AT_0, _RGB) and page.bitspersample in (8, 16, 32, 64)
        if not (plain and _can_decode(page)):
            if page.dtype.itemsize == 1 or page.samplesperpixel == 1:
                return None
            raise UnreadableInput(
                f"{path}: {page.bitspersample} bits per channel with {colors} colors and {codec} compression"
                " are not read; save it as RGB with ZIP or no compression, or: pip install imagecodecs"
            )
        if len(tif.pages) > 1:
            notes.append(f"{path}: holds {len(tif.pages)} pages, the first is read")
        _check_pages(path, [page])
        values = page.asarray()
        values = values[..., None] if page.samplesperpixel == 1 else values
        if page.planarconfig == 2 and page.samplesperpixel > 1:
            values = np.moveaxis(values, 0, -1)
        if values.ndim != 3 or not 1 <= values.shape[-1] <= 4:
            raise UnreadableInput(f"{path}: has {page.samplesperpixel} channels; 1 to 4 are read")
        orientation = page.tags.valueof(274, 1)
        values = _shown(page, values, path, notes)
    return upright(values, int(orientation)), notes


def _shown(page: Any, values: NDArray[Any], path: Path, notes: list[str]) -> NDArray[Any]:
    kind = values.dtype.newbyteorder("=")
    values = values.astype(kind, copy=False)
    if kind not in (np.uint8, np.uint16):
        if kind != np.float32:
            notes.append(f"{path}: samples are {kind} and become float32")
        return values.astype(np.float32, copy=False)
    top = np.iinfo(kind).max
    if page.photometric == _WHITE_AT_0:
        values = values.copy()
        values[..., 0] = top - values[..., 0]
    if page.extrasamples and page.extrasamples[0] == _MULTIPLIED and values.shape[-1] in (2, 4):
        alpha = values[..., -1:].astype(np.float64)
        with np.errstate(all="ignore"):
            colors = np.nan_to_num(values[..., :-1] * float(top) / alpha, posinf=0.0)
        values = np.concatenate([np.rint(colors.clip(0, top)).astype(kind), values[..., -1:]], -1)
    return values


def write_image(path: Path, values: NDArray[Any]) -> None:
    """Write samples (H, W, C) of uint8, uint16 or float32, compressed without loss."""
    _write(path, values, metadata=None)


def _write(path: Path, values: NDArray[Any], **options: Any) -> None:
    """Write samples (..., C), C in 1..4."""
    import tifffile

    channels = values.shape[-1]
    flat = np.ascontiguousarray(values[..., 0] if channels == 1 else values)
    if channels > 1:
        options["planarconfig"] = "contig"
    if channels in (2, 4):
        options["extrasamples"] = ["unassalpha"]
    photometric = "rgb" if channels > 2 else "minisblack"
    tifffile.imwrite(path, flat, photometric=photometric, compression="zlib", **options)


def content(path: Path) -> Literal["image", "volume"]:
    """The kind of the file: a volume where it has several pages."""
    import tifffile

    with tifffile.TiffFile(path) as file:
        return "volume" if len(file.pages) > 1 else "image"


def read_volume(path: Path) -> Signal:
    """A stack of pages, with the spacing from ImageJ's or OME's metadata, else 1. Raises UnreadableInput."""
    # where the chain of pages is broken, tifffile logs it and returns the pages before
    with _errors_logged() as errors, _opened(path) as tif:
        series = tif.series[0]
        notes = []
        if len(tif.series) > 1:
            notes.append(f"{path}: holds {len(tif.series)} stacks, the first is read")
        if series.dtype is None:
            raise UnreadableInput(f"{path}: its samples are of a kind that is not read")
        check_claim(path, math.prod(series.shape) * series.dtype.itemsize)
        pages = [page for page in series.pages if page is not None]
        _check_pages(path, [page for page in pages if hasattr(page, "dataoffsets")])
        values, axes = _samples(path, series), series.axes
        if errors:
            raise UnreadableInput(f"{path}: is damaged or cut short ({errors[0]})")
        for axis in reversed(range(len(axes))):
            if values.shape[axis] == 1 and axes[axis] not in "YX" and values.ndim > 3:
                values, axes = values.squeeze(axis), axes[:axis] + axes[axis + 1 :]
        channel = max(axes.find("C"), axes.find("S"))
        if channel >= 0:
            values, axes = np.moveaxis(values, channel, -1), axes.replace(axes[channel], "")
        if len(axes) == 2:
            values = values[None]
        elif len(axes) != 3:
            raise UnreadableInput(f"{path}: its axes are {series.axes}; a volume has three, and channels")
        if axes[0] == "T" and len(values) > 1:
            notes.append(f"{path}: its pages are steps in time, and are read as slices along z")
        spacing, header, more = spacing_of(tif)
    # pages lie along z, rows along y: the world is (x, y, z), as ImageJ shows it
    affine = _AXES @ np.diag([*spacing, 1.0])
    return volume_of(path, values, affine, header, notes + [f"{path}: {note}" for note in more])


def write_volume(path: Path, volume: Signal) -> list[str]:
    """Write a stack of pages as OME-TIFF, with the spacing and its unit. Raises UsageError."""
    values, spacing = volume.values, volume.grid.spacing
    if values.dtype.str[1:] not in ("u1", "i1", "u2", "i2", "u4", "i4", "f4", "f8"):
        raise UsageError(f"TIFF stacks hold no {values.dtype}; NPY and NPZ do")
    metadata = {
        "axes": "ZYX" if volume.channels == 1 else "ZYXS",
        **{f"PhysicalSize{axis}": float(step) for axis, step in zip("XYZ", spacing[::-1], strict=True)},
        **ome_units(volume.header),
        # an identifier from the values, not from the time, so that the same volume gives the same bytes
        "UUID": str(
            uuid.uuid5(uuid.NAMESPACE_OID, hashlib.sha256(np.ascontiguousarray(values).data).hexdigest())
        ),
    }
    _write(path, values, ome=True, metadata=metadata)
    return lost(volume.grid, _AXES @ np.diag([*spacing, 1.0]), "TIFF", "origin and directions")


_AXES = np.eye(4)[[2, 1, 0, 3]]
"""Maps (page, row, column) to (x, y, z)."""


def _check_pages(path: Path, pages: list[Any]) -> None:
    """Refuse pages that claim more data than the file has, or whose samples lie beyond its end."""
    size = path.stat().st_size
    check_claim(path, sum(math.prod(page.shape) * page.dtype.itemsize for page in pages))
    for page in pages:
        pieces = math.prod(page.chunked)
        if len(page.dataoffsets) < pieces:
            raise UnreadableInput(f"{path}: holds {len(page.dataoffsets)} of its image's {pieces} pieces")
        ends = (start + length for start, length in zip(page.dataoffsets, page.databytecounts, strict=False))
        if len(page.dataoffsets) != len(page.databytecounts) or max(ends, default=size + 1) > size:
            raise UnreadableInput(f"{path}: cut short: the file ends before its image does")


def _can_decode(page: Any) -> bool:
    """Whether tifffile has a decoder for the page, tried on None, which means a missing segment."""
    try:
        page.decode(None, 0)
    except Exception:  # noqa: BLE001 - Pillow may be able to read what tifffile rejects
        return False
    return True


def _samples(path: Path, series: Any) -> NDArray[Any]:
    """The samples of a series, decoded by Pillow where tifffile lacks the codec. Raises UnreadableInput."""
    page = series.keyframe
    if _can_decode(page):
        return series.asarray()
    from PIL import Image, UnidentifiedImageError

    codec = getattr(page.compression, "name", page.compression)
    refused = f"{path}: {page.dtype} samples with {codec} compression are not read; pip install imagecodecs"
    # Pillow returns the samples of these as stored
    if page.photometric not in (_BLACK_AT_0, _RGB, _PALETTE) or any(
        p is None or len(p.treeindex) > 1 for p in series.pages
    ):
        raise UnreadableInput(refused)
    found = []
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(path, formats=("TIFF",)) as image:
                for part in series.pages:
                    image.seek(part.index)
                    found.append(np.asarray(image))
    except UnidentifiedImageError as error:
        raise UnreadableInput(refused) from error
    if any(part.shape != page.shape or part.dtype.itemsize < page.dtype.itemsize for part in found):
        raise UnreadableInput(refused)
    return np.stack(found).astype(page.dtype).reshape(series.shape)


@contextmanager
def _errors_logged() -> Iterator[list[str]]:
    """The errors that tifffile logs within the block instead of raising them."""
    errors: list[str] = []
    handler = logging.Handler(logging.ERROR)
    handler.emit = lambda record: errors.append(" ".join(record.getMessage().split())[:120])
    logger = logging.getLogger("tifffile")
    logger.addHandler(handler)
    try:
        yield errors
    finally:
        logger.removeHandler(handler)


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """A TIFF file; any error of tifffile becomes UnreadableInput."""
    import tifffile

    # tifffile logs errors that it also raises
    logging.getLogger("tifffile").addHandler(logging.NullHandler())
    try:
        with tifffile.TiffFile(path) as tif:
            if not len(tif.pages):
                raise UnreadableInput(f"{path}: has no pages")
            yield tif
    except SasnetError:
        raise
    except Exception as error:
        raise UnreadableInput(f"{path}: not a TIFF file that can be read ({reason_of(error)})") from error
