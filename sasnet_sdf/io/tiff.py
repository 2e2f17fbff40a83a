"""TIFF: images of 8 and 16 bits and of floats, and stacks with the spacing that ImageJ or OME says."""

from __future__ import annotations

import hashlib
import logging
import math
import re
import uuid
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..errors import SasnetError, UnreadableInput, UsageError, printable
from ..signals import Signal
from .files import check_claim, reason_of
from .images import upright
from .volumes import lost, volume_of

_GRAY_OR_RGB = (0, 1, 2)
"""Photometric interpretations: gray, white or black at 0; RGB."""

_AS_STORED = (1, 2, 3)
"""Photometric interpretations whose samples Pillow gives as they are stored: black at 0, RGB, palettes."""

_MULTIPLIED = 1
"""The extra sample is alpha, and the colors are multiplied by it."""


def read_image(path: Path) -> tuple[NDArray[Any], list[str]] | None:
    """The first page (H, W, C) and notes; None where Pillow shows it better: palettes, other colors, codecs.

    Raises UnreadableInput.
    """
    with _opened(path) as tif:
        page: Any = tif.pages[0]
        notes: list[str] = []
        if page.dtype is None or page.ndim < 2 or page.imagedepth > 1:
            raise UnreadableInput(f"{path}: its samples are of a kind that is not read")
        colors, codec = (getattr(x, "name", x) for x in (page.photometric, page.compression))
        plain = page.photometric in _GRAY_OR_RGB and page.bitspersample in (8, 16, 32, 64)
        if not (plain and _can_decode(page)):
            if page.dtype.itemsize > 1 and page.samplesperpixel > 1:
                raise UnreadableInput(
                    f"{path}: {page.bitspersample} bits a channel with {colors} colors and"
                    f" {codec} compression are not read; save it as RGB with ZIP or no"
                    " compression, or: pip install imagecodecs"
                )
            return None
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
    if page.photometric == 0:
        values = values.copy()
        values[..., 0] = top - values[..., 0]
    if page.extrasamples and page.extrasamples[0] == _MULTIPLIED and values.shape[-1] in (2, 4):
        alpha = values[..., -1:].astype(np.float64)
        colors = np.divide(
            values[..., :-1] * float(top), alpha, where=alpha > 0, out=np.zeros_like(alpha + values[..., :-1])
        )
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
    """A volume where the file has several pages."""
    import tifffile

    with tifffile.TiffFile(path) as file:
        return "volume" if len(file.pages) > 1 else "image"


def read_volume(path: Path) -> Signal:
    """A stack of pages, with the spacing that ImageJ or OME says, else 1. Raises UnreadableInput."""
    # where the chain of pages breaks, tifffile logs it and gives those before
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
        spacing, header, more = _spacing_of(tif)
    # pages lie along z, rows along y: the world is (x, y, z), as ImageJ shows it
    affine = _AXES @ np.diag([*spacing, 1.0])
    return volume_of(path, values, affine, header, notes + [f"{path}: {note}" for note in more])


def write_volume(path: Path, volume: Signal) -> list[str]:
    """Write a stack of pages as OME-TIFF, which says the spacing and its unit. Raises UsageError."""
    values, spacing = volume.values, volume.grid.spacing
    if values.dtype.str[1:] not in ("u1", "i1", "u2", "i2", "u4", "i4", "f4", "f8"):
        raise UsageError(f"TIFF stacks hold no {values.dtype}; NPY and NPZ do")
    metadata = {
        "axes": "ZYX" if volume.channels == 1 else "ZYXS",
        **{f"PhysicalSize{axis}": float(step) for axis, step in zip("XYZ", spacing[::-1], strict=True)},
        **_ome_units(volume.header),
        # by the values, not by the clock, so that the same volume gives the same bytes
        "UUID": str(uuid.uuid5(uuid.NAMESPACE_OID, hashlib.sha256(np.ascontiguousarray(values)).hexdigest())),
    }
    _write(path, values, ome=True, metadata=metadata)
    return lost(volume.grid, _AXES @ np.diag([*spacing, 1.0]), "TIFF", "origin and directions")


_AXES = np.eye(4)[[2, 1, 0, 3]]
"""Takes (page, row, column) to (x, y, z)."""


def _check_pages(path: Path, pages: list[Any]) -> None:
    """Refuse pages that claim more than there is, or whose samples the file ends before."""
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
    """Whether tifffile has what decodes the page: it takes None for a segment that is not there."""
    try:
        page.decode(None, 0)
    except Exception:  # noqa: BLE001 - whatever tifffile finds amiss, Pillow may know better
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
    if page.photometric not in _AS_STORED or any(p is None or len(p.treeindex) > 1 for p in series.pages):
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
    """What tifffile logs as an error, and does not raise."""
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
    """A TIFF file; whatever tifffile finds amiss in it is UnreadableInput."""
    import tifffile

    # it logs what it also raises
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


_METERS = {"nm": 1e-9, "um": 1e-6, "mm": 1e-3, "cm": 1e-2, "inch": 0.0254, "m": 1.0}

_NAMES = {
    **dict.fromkeys(
        ("\N{MICRO SIGN}m", "\N{GREEK SMALL LETTER MU}m", "micron", "microns", "micrometer"), "um"
    ),
    **dict.fromkeys(("nanometer", "nanometers"), "nm"),
    **dict.fromkeys(("millimeter", "millimeters"), "mm"),
    **dict.fromkeys(("centimeter", "centimeters"), "cm"),
    **dict.fromkeys(("meter", "meters"), "m"),
    **dict.fromkeys(("in", "inches"), "inch"),
    **dict.fromkeys(("pixel", "pixels", "reference frame", "unknown", "none", "null"), ""),
}
"""Other names of units; empty: none."""

_IN_NIFTI = {"um": "micron", "mm": "mm", "m": "meter"}
_IN_OME = {"um": "\N{MICRO SIGN}m", "inch": "in"}


def _spacing_of(tif: Any) -> tuple[tuple[float, ...], dict[str, Any], list[str]]:
    """Lengths (3,) between pages, rows and columns of an open TIFF file, the header of a signal that
    keeps their unit, and notes.

    Negative lengths count without their sign, as in ImageJ; what is no length is 1.
    """
    program, lengths, units = _told(tif)
    spacing, notes = [], []
    for axis, length in zip("zyx", lengths, strict=True):
        usable = math.isfinite(length) and length != 0
        spacing.append(abs(length) if usable else 1.0)
        if not usable:
            notes.append(f"has no spacing along {axis}: taken as 1")
        elif length < 0:
            notes.append(f"its spacing along {axis} is negative, {length:g}: read as {-length:g}")
    unit = units[2]
    if len(set(units)) > 1:
        words = ", ".join(f"{axis} {unit or 'none'}" for axis, unit in zip("zyx", units, strict=True))
        if not all(unit in _METERS for unit in units):
            return tuple(spacing), {}, [*notes, f"its axes have different units ({words}): lengths are kept"]
        spacing = [s * (_METERS[u] / _METERS[unit]) for s, u in zip(spacing, units, strict=True)]
        notes.append(f"its axes have different units ({words}): all become {unit}")
    if not unit:
        return tuple(spacing), {}, notes
    header: dict[str, Any] = {"space units": [unit] * 3}
    if unit in _IN_NIFTI:
        header["units"] = [_IN_NIFTI[unit], "unknown"]
    return tuple(spacing), header, [*notes, f"lengths are in {unit}, as {program} says"]


def _ome_units(header: dict[str, Any]) -> dict[str, str]:
    """The unit of a volume's lengths as OME writes it; nothing where its header says none."""
    words = header.get("space units") or header.get("units", [])[:1]
    units = {_unit(word) for word in words}
    unit = units.pop() if len(units) == 1 else ""
    return {f"PhysicalSize{axis}Unit": _IN_OME.get(unit, unit) for axis in "XYZ"} if unit in _METERS else {}


def _told(tif: Any) -> tuple[str, list[float], list[str]]:
    """The program that says it; lengths and units of z, y and x."""
    if tif.is_ome:
        import tifffile

        image = tifffile.xml2dict(tif.ome_metadata)["OME"]["Image"]
        pixels = (image[0] if isinstance(image, list) else image)["Pixels"]
        names = [f"PhysicalSize{axis}" for axis in "ZYX"]
        if not any(name in pixels for name in names):
            return "OME", [1.0] * 3, [""] * 3
        units = _units([pixels.get(f"{name}Unit", "") for name in names if name in pixels])
        told = iter(units)
        units = [next(told) if name in pixels else units[-1] for name in names]
        return "OME", [_number(pixels.get(name)) for name in names], units
    if tif.is_imagej:
        tags, said = tif.pages[0].tags, tif.imagej_metadata or {}
        ratios = [tags.valueof(code, (1, 1)) for code in (283, 282)]
        lengths = [_number(said.get("spacing", 1.0)), *(b / a if a else math.nan for a, b in ratios)]
        unit = said.get("unit", "")
        return "ImageJ", lengths, _units([said.get("zunit", unit), said.get("yunit", unit), unit])
    return "", [1.0] * 3, [""] * 3


def _units(words: list[Any]) -> list[str]:
    return [_unit(word) for word in words]


def _unit(word: Any) -> str:
    """A unit under the name that this room uses; ImageJ escapes letters beyond ASCII."""
    word = re.sub(r"\\u([0-9a-fA-F]{4})", lambda found: chr(int(found[1], 16)), str(word)).strip()
    return _NAMES.get(word.lower(), printable(word[:40]))


def _number(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        return math.nan
