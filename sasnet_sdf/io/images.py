"""Images: PNG, JPEG and TIFF as arrays (H, W, C), rows from the top; what the file shows, bit for bit."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import SasnetError, UnreadableInput, UsageError
from ..signals import Grid, Signal
from .files import IMAGES, atomic_write, check_claim, check_file, reason_of, suffix_of
from .kinds import refused


def turned(values: NDArray[Any], orientation: int) -> NDArray[Any]:
    """Samples (H, W, C) as they are to be seen, from Exif's orientation 1..8."""
    if orientation in (5, 6, 7, 8):
        values = values.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        values = values[::-1]
    if orientation in (2, 3, 6, 7):
        values = values[:, ::-1]
    return np.ascontiguousarray(values)


_SHOWN_AS = {
    **dict.fromkeys(("1", "L"), "L"),
    **dict.fromkeys(("LA", "La"), "LA"),
    **dict.fromkeys(("P", "RGB", "RGBX", "CMYK", "YCbCr", "LAB", "HSV"), "RGB"),
    **dict.fromkeys(("PA", "RGBA", "RGBa"), "RGBA"),
}
"""Pillow's modes, and those in which they become arrays of 8 bits."""

_WITH_ALPHA = {"L": "LA", "RGB": "RGBA"}
_SAMPLES = {"I;16": np.uint16, "I;16L": np.uint16, "I;16B": np.uint16, "F": np.float32}

_DEEP = {b"\x10\0": 2, b"\x10\2": 6, b"\x10\4": 4, b"\x10\6": 8}
"""Bytes a pixel of a PNG whose header says 16 bits and these colours."""

_A_ROW = 48
"""Bytes that Pillow takes for a row beside its pixels; an image may be all rows."""


def read_image(path: str | Path) -> tuple[Signal, list[str]]:
    """An image as uint8, uint16 or float32 (only of a TIFF of floats), and notes for the user.

    The content says which of the formats it is. Grey, grey and alpha, RGB, or RGB and alpha; palettes
    and 1-bit images become what they show, the camera's orientation is applied, alpha is not
    multiplied in. CMYK and other colour spaces become RGB, and a note says so; of several pictures
    or pages the first is read. Raises UnreadableInput where the file is missing, damaged, no image,
    or claims more pixels than it can hold.
    """
    path = Path(path)
    if suffix_of(path) not in IMAGES:
        raise refused(path, IMAGES, " of an image")
    check_file(path)
    try:
        with path.open("rb") as file:
            head = file.read(26)
        if head[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
            from . import tiff

            found = tiff.read_image(path)
            values, notes = found if found is not None else _from_pillow(path)
        else:
            values, notes = _from_pillow(path, _DEEP.get(head[24:26], 0) if head[:4] == b"\x89PNG" else 0)
    except SasnetError:
        raise
    except OSError as error:
        raise UnreadableInput(f"{path}: cannot be read ({error.strerror or reason_of(error)})") from error
    if values.dtype.kind == "f" and not (finite := np.isfinite(values)).all():
        notes.append(f"{int((~finite).sum())} of {values.size} samples are not finite")
    return Signal(values, Grid.of_image(*values.shape[:2])), notes


def _from_pillow(path: Path, deep: int = 0) -> tuple[NDArray[Any], list[str]]:
    """Samples and notes; deep: bytes a pixel of a PNG of 16 bits, of which Pillow only reads the header."""
    from PIL import Image, ImageOps

    try:
        with warnings.catch_warnings():
            # it warns where an image is large; check_claim knows whether the file can hold it
            warnings.simplefilter("ignore")
            with Image.open(path, formats=("PNG", "JPEG", "TIFF")) as image:
                check_claim(path, image.height * (image.width * (deep or len(image.getbands())) + _A_ROW))
                notes, pictures = [], getattr(image, "n_frames", 1)
                if pictures > 1:
                    notes.append(f"{path}: holds {pictures} pictures, the first is read")
                if deep:
                    from . import png16

                    return png16.read(path), notes
                image.load()
                return _shown(ImageOps.exif_transpose(image), path, notes), notes
    except SasnetError:
        raise
    except Exception as error:
        if isinstance(error, Image.DecompressionBombError):
            most = 2 * (Image.MAX_IMAGE_PIXELS or 0)
            raise UnreadableInput(
                f"{path}: its header names more than {most} pixels, the most that are read"
            ) from error
        if isinstance(error, Image.UnidentifiedImageError):
            raise UnreadableInput(f"{path}: not a PNG, JPEG or TIFF image that can be read") from error
        raise UnreadableInput(f"{path}: not an image that can be read ({reason_of(error)})") from error


def _shown(image: Any, path: Path, notes: list[str]) -> NDArray[Any]:
    """What a Pillow image shows, as (H, W, C)."""
    if image.mode in _SAMPLES:
        return np.asarray(image).astype(_SAMPLES[image.mode])[..., None]
    mode = _SHOWN_AS.get(image.mode)
    if mode is None:
        raise UnreadableInput(f"{path}: has samples of a kind ({image.mode}) that is not read")
    if image.mode in ("CMYK", "YCbCr", "LAB", "HSV"):
        notes.append(f"{path}: colours are {image.mode} and become RGB, without a colour profile")
    if image.has_transparency_data and mode in _WITH_ALPHA:
        mode = _WITH_ALPHA[mode]
    values = np.array(image if image.mode == mode else image.convert(mode))
    return values.reshape(*values.shape[:2], -1)


def write_image(values: NDArray[Any], path: str | Path) -> None:
    """Write samples (H, W, C), C in 1..4, in the format of the extension, whole or not at all.

    PNG and TIFF keep uint8 and uint16 bit for bit, TIFF float32 too; JPEG is lossy, of uint8 grey or
    RGB. Raises UsageError where the format cannot hold the samples.
    """
    kind, values = suffix_of(path), np.asarray(values)
    if kind not in IMAGES:
        raise UsageError(
            f"{path}: unknown extension {kind or '(none)'} of an image; known: {' '.join(IMAGES)}"
        )
    if values.ndim != 3 or not 1 <= values.shape[2] <= 4 or not values.size:
        raise UsageError(
            f"{path}: an image has the shape (H, W, C) with 1 to 4 channels, found {values.shape}"
        )
    check_samples(values.dtype, values.shape[2], path)
    if kind in (".jpg", ".jpeg") and max(values.shape[:2]) > 65535:
        raise UsageError(f"{path}: JPEG holds at most 65,535 rows and columns; PNG and TIFF hold more")
    with atomic_write(path) as partial:
        if kind in (".tif", ".tiff"):
            from . import tiff

            tiff.write_image(partial, values)
        elif values.dtype == np.uint16:
            from . import png16

            png16.write(partial, values)
        else:
            from PIL import Image

            options: dict[str, Any] = {} if kind == ".png" else {"quality": 95, "subsampling": 0}
            flat = values[..., 0] if values.shape[2] == 1 else values
            Image.fromarray(np.ascontiguousarray(flat)).save(partial, **options)


def check_samples(dtype: np.dtype, channels: int, path: str | Path) -> None:
    """Refuse, before there is an image, samples that the format of the extension cannot hold.

    Raises UsageError, which names a format that can.
    """
    kind = suffix_of(Path(path))
    if dtype not in (np.uint8, np.uint16, np.float32):
        raise UsageError(f"{path}: an image has samples of uint8, uint16 or float32, found {dtype}")
    if kind == ".png" and dtype == np.float32:
        raise UsageError(f"{path}: PNG holds no float32; TIFF does")
    if kind not in (".jpg", ".jpeg"):
        return
    if dtype == np.float32:
        raise UsageError(f"{path}: JPEG holds no float32; TIFF does")
    if dtype == np.uint16:
        raise UsageError(f"{path}: JPEG holds 8 bits a channel, not 16; PNG and TIFF do")
    if channels in (2, 4):
        raise UsageError(f"{path}: JPEG holds no alpha; PNG and TIFF do")
