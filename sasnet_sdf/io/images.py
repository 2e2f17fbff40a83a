"""Images: PNG, JPEG and TIFF as arrays (H, W, C), top row first, bit for bit.

Pillow reduces PNG with 16 bits per channel to 8 bits wherever there is color or alpha. This module reads and
writes such files itself, after W3C, Portable Network Graphics (third edition): chunks in section 11, filters
in section 9.
"""

from __future__ import annotations

import struct
import warnings
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import SasnetError, UnreadableInput, UsageError
from ..runtime.compiled import kept
from ..signals import Grid, Signal
from .files import check_claim, reason_of
from .formats import suffix_of

_SHOWN_AS = {
    **dict.fromkeys(("1", "L"), "L"),
    **dict.fromkeys(("LA", "La"), "LA"),
    **dict.fromkeys(("P", "RGB", "RGBX", "CMYK", "YCbCr", "LAB", "HSV"), "RGB"),
    **dict.fromkeys(("PA", "RGBA", "RGBa"), "RGBA"),
}
"""The mode that each of Pillow's modes is converted to for an array of 8 bits."""

_WITH_ALPHA = {"L": "LA", "RGB": "RGBA"}
_SAMPLES = {"I;16": np.uint16, "I;16L": np.uint16, "I;16B": np.uint16, "F": np.float32}

_DEEP = {b"\x10\0": 2, b"\x10\2": 6, b"\x10\4": 4, b"\x10\6": 8}
"""Bytes per pixel of a PNG by bit depth (16) and color type in its header."""

_A_ROW = 48
"""Bytes that Pillow takes for a row in addition to its pixels: an image may have rows of one pixel."""


def read(path: Path) -> Signal:
    """The image in a file, whose content determines the format. See `sasnet_sdf.io.read_image`."""
    with path.open("rb") as file:
        head = file.read(26)
    if head[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        from . import tiff

        values, notes = tiff.read_image(path) or _from_pillow(path)
    else:
        values, notes = _from_pillow(path, _DEEP.get(head[24:26], 0) if head[:4] == b"\x89PNG" else 0)
    if values.dtype.kind == "f" and not (finite := np.isfinite(values)).all():
        notes.append(f"{int((~finite).sum())} of {values.size} samples are not finite")
    return Signal(values, Grid.of_image(*values.shape[:2]), notes=tuple(notes))


def _from_pillow(path: Path, deep: int = 0) -> tuple[NDArray[Any], list[str]]:
    """Samples and notes. deep: bytes per pixel of a 16-bit PNG, of which Pillow reads only the header."""
    from PIL import Image, ImageOps

    try:
        with warnings.catch_warnings():
            # ignore Pillow's warning about large images; check_claim checks whether the file can hold them
            warnings.simplefilter("ignore")
            with Image.open(path, formats=("PNG", "JPEG", "TIFF")) as image:
                check_claim(path, image.height * (image.width * (deep or len(image.getbands())) + _A_ROW))
                notes, pictures = [], getattr(image, "n_frames", 1)
                if pictures > 1:
                    notes.append(f"{path}: holds {pictures} pictures, the first is read")
                if deep:
                    return _read_deep(path), notes
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
    """The displayed content of a Pillow image, as (H, W, C)."""
    if image.mode in _SAMPLES:
        return np.asarray(image).astype(_SAMPLES[image.mode])[..., None]
    mode = _SHOWN_AS.get(image.mode)
    if mode is None:
        raise UnreadableInput(f"{path}: has samples of a kind ({image.mode}) that is not read")
    if image.mode in ("CMYK", "YCbCr", "LAB", "HSV"):
        notes.append(f"{path}: colors are {image.mode} and become RGB, without a color profile")
    if image.has_transparency_data and mode in _WITH_ALPHA:
        mode = _WITH_ALPHA[mode]
    values = np.array(image if image.mode == mode else image.convert(mode))
    return values.reshape(*values.shape[:2], -1)


def write_png(path: Path, values: NDArray[Any]) -> None:
    """Write samples (H, W, C) of 8 or 16 bits."""
    if values.dtype == np.uint16:
        _write_deep(path, values)
    else:
        _to_pillow(values).save(path)


def write_jpeg(path: Path, values: NDArray[Any]) -> None:
    """Write samples (H, W, C) of 8 bits, C 1 or 3."""
    if max(values.shape[:2]) > 65535:
        raise UsageError("JPEG holds at most 65,535 rows and columns; PNG and TIFF hold more")
    _to_pillow(values).save(path, quality=95, subsampling=0)


def _to_pillow(values: NDArray[Any]) -> Any:
    from PIL import Image

    return Image.fromarray(np.ascontiguousarray(values[..., 0] if values.shape[2] == 1 else values))


def check_samples(dtype: np.dtype, channels: int, path: str | Path) -> None:
    """Check, before the image is computed, that the format of the extension can hold the samples.

    Raises UsageError, which names a suitable format.
    """
    kind = suffix_of(path)
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


def upright(values: NDArray[Any], orientation: int) -> NDArray[Any]:
    """Samples (H, W, C) rotated and mirrored into display orientation, by Exif's orientation 1..8."""
    if orientation in (5, 6, 7, 8):
        values = values.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        values = values[::-1]
    if orientation in (2, 3, 6, 7):
        values = values[:, ::-1]
    return np.ascontiguousarray(values)


_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_CHANNELS = {0: 1, 2: 3, 4: 2, 6: 4}
_COLOR_TYPES = {channels: kind for kind, channels in _CHANNELS.items()}


def _read_deep(path: Path) -> NDArray[np.uint16]:
    """The samples (H, W, C) of a PNG with 16 bits; a transparent color becomes an alpha channel.

    The caller has checked the size that the header claims. Raises UnreadableInput.
    """
    found: dict[bytes, list[bytes]] = {}
    for name, content in _chunks(path):
        found.setdefault(name, []).append(content)
    if b"IHDR" not in found or len(found[b"IHDR"][0]) != 13 or b"IDAT" not in found:
        raise UnreadableInput(f"{path}: not a PNG file that can be read (it has no image)")
    width, height, depth, kind, _, _, interlace = struct.unpack(">IIBBBBB", found[b"IHDR"][0])
    if depth != 16 or kind not in _CHANNELS or not width or not height:
        raise UnreadableInput(f"{path}: not a PNG file that can be read (its header is damaged)")
    if interlace:
        raise UnreadableInput(f"{path}: is interlaced, with 16 bits a channel; save it without interlacing")
    channels = _CHANNELS[kind]
    rows = _inflated(b"".join(found[b"IDAT"]), (height, 1 + 2 * channels * width), path)
    row = unfilter(rows, 2 * channels)
    if row >= 0:
        raise UnreadableInput(f"{path}: is damaged: row {row} has an unknown filter")
    packed = np.ascontiguousarray(rows[:, 1:]).view(">u2").reshape(height, width, channels)
    values = packed.astype(np.uint16)
    clear = found.get(b"tRNS", [b""])[0]
    if channels in (1, 3) and len(clear) == 2 * channels:
        alpha = np.where((values == np.frombuffer(clear, ">u2")).all(-1, keepdims=True), 0, 65535)
        values = np.concatenate([values, alpha.astype(np.uint16)], -1)
    return upright(values, _exif_orientation(found.get(b"eXIf", [b""])[0]))


def _write_deep(path: Path, values: NDArray[np.uint16]) -> None:
    """Write samples (H, W, C), C in 1..4. Every row is filtered with the Paeth predictor."""
    height, width, channels = values.shape
    pixel, pack = 2 * channels, zlib.compressobj(6)
    above = np.zeros(pixel * (width + 1), np.int16)
    with path.open("wb") as file:
        file.write(_SIGNATURE)
        kind = _COLOR_TYPES[channels]
        _put(file, b"IHDR", struct.pack(">IIBBBBB", width, height, 16, kind, 0, 0, 0))
        for row in values:
            here = np.zeros_like(above)
            here[pixel:] = np.frombuffer(row.astype(">u2").tobytes(), np.uint8)
            left, up, corner = here[:-pixel], above[pixel:], above[:-pixel]
            from_left, from_up = np.abs(up - corner), np.abs(left - corner)
            from_corner = np.abs(left + up - 2 * corner)
            guess = np.where(from_up <= from_corner, up, corner)
            guess = np.where((from_left <= from_up) & (from_left <= from_corner), left, guess)
            part = pack.compress(b"\x04" + (here[pixel:] - guess).astype(np.uint8).tobytes())
            if part:
                _put(file, b"IDAT", part)
            above = here
        _put(file, b"IDAT", pack.flush())
        _put(file, b"IEND", b"")


@kept()
def unfilter(rows: NDArray[np.uint8], pixel: int) -> int:  # pragma: no cover - compiled
    """Undo the filters of rows (H, 1 + bytes) in place; the first byte of a row is its filter type.

    pixel: bytes per pixel. Returns the first row whose filter is unknown, or -1.
    """
    for y in range(rows.shape[0]):
        kind = rows[y, 0]
        if kind > 4:
            return y
        for x in range(1, rows.shape[1]):
            left = np.int64(rows[y, x - pixel]) if x > pixel else 0
            up = np.int64(rows[y - 1, x]) if y > 0 else 0
            corner = np.int64(rows[y - 1, x - pixel]) if y > 0 and x > pixel else 0
            if kind == 0:
                guess = 0
            elif kind == 1:
                guess = left
            elif kind == 2:
                guess = up
            elif kind == 3:
                guess = (left + up) // 2
            else:
                from_left, from_up = abs(up - corner), abs(left - corner)
                from_corner = abs(left + up - 2 * corner)
                if from_left <= from_up and from_left <= from_corner:
                    guess = left
                elif from_up <= from_corner:
                    guess = up
                else:
                    guess = corner
            rows[y, x] = np.uint8((np.int64(rows[y, x]) + guess) & 255)
    return -1


def _chunks(path: Path) -> Iterator[tuple[bytes, bytes]]:
    """Names and contents of the chunks up to the end of the image."""
    size = path.stat().st_size
    with path.open("rb") as file:
        file.seek(len(_SIGNATURE))
        while True:
            head = file.read(8)
            length = int.from_bytes(head[:4], "big")
            content = file.read(min(length, size)) if len(head) == 8 else b""
            check = file.read(4)
            if len(check) < 4 or len(content) < length:
                raise UnreadableInput(f"{path}: cut short: the file ends before its image does")
            if zlib.crc32(head[4:] + content) != int.from_bytes(check, "big"):
                raise UnreadableInput(f"{path}: is damaged: the checksum of a chunk is wrong")
            if head[4:] == b"IEND":
                return
            yield head[4:], content


def _inflated(packed: bytes, shape: tuple[int, int], path: Path) -> NDArray[np.uint8]:
    """Rows of decompressed bytes, never more than the header claims."""
    wanted = shape[0] * shape[1]
    try:
        data = zlib.decompressobj().decompress(packed, wanted)
    except zlib.error as error:
        raise UnreadableInput(f"{path}: is damaged ({error})") from error
    if len(data) < wanted:
        raise UnreadableInput(f"{path}: cut short: holds {len(data)} of its image's {wanted} bytes")
    return np.frombuffer(bytearray(data), np.uint8).reshape(shape)


def _exif_orientation(exif: bytes) -> int:
    from PIL import Image

    tags = Image.Exif()
    if exif:
        tags.load(b"Exif\0\0" + exif)
    return int(tags.get(0x0112, 1))


def _put(file: IO[Any], name: bytes, content: bytes) -> None:
    body = name + content
    file.write(len(content).to_bytes(4, "big") + body + zlib.crc32(body).to_bytes(4, "big"))
