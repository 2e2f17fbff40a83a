"""PNG with 16 bits a channel, which Pillow reads and writes as 8 wherever there is colour or alpha.

W3C, Portable Network Graphics (third edition): the chunks in section 11, the filters in section 9.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import UnreadableInput
from ..runtime.compiled import kept
from .images import turned

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_CHANNELS = {0: 1, 2: 3, 4: 2, 6: 4}
_COLOUR_TYPES = {channels: kind for kind, channels in _CHANNELS.items()}


def read(path: Path) -> NDArray[np.uint16]:
    """The samples (H, W, C) of a PNG of 16 bits; the camera's orientation is applied.

    A colour that counts as transparent gives an alpha channel. The caller has bounded what the
    header claims. Raises UnreadableInput.
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
    return turned(values, _orientation(found.get(b"eXIf", [b""])[0]))


def write(path: Path, values: NDArray[np.uint16]) -> None:
    """Write samples (H, W, C), C in 1..4. Every row is filtered as differences to the Paeth predictor."""
    height, width, channels = values.shape
    pixel, pack = 2 * channels, zlib.compressobj(6)
    above = np.zeros(pixel * (width + 1), np.int16)
    with path.open("wb") as file:
        file.write(SIGNATURE)
        kind = _COLOUR_TYPES[channels]
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
def unfilter(rows, pixel):  # pragma: no cover - compiled
    """Undo the filters of rows (H, 1 + bytes) uint8 in place, each led by its filter's number.

    pixel: bytes a pixel. The first row whose filter is unknown, or -1.
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
        file.seek(len(SIGNATURE))
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
    """Rows of bytes, never more than the header claims, whatever the stream holds."""
    wanted = shape[0] * shape[1]
    try:
        data = zlib.decompressobj().decompress(packed, wanted)
    except zlib.error as error:
        raise UnreadableInput(f"{path}: is damaged ({error})") from error
    if len(data) < wanted:
        raise UnreadableInput(f"{path}: cut short: holds {len(data)} of its image's {wanted} bytes")
    return np.frombuffer(bytearray(data), np.uint8).reshape(shape)


def _orientation(exif: bytes) -> int:
    from PIL import Image

    tags = Image.Exif()
    if exif:
        tags.load(b"Exif\0\0" + exif)
    return int(tags.get(0x0112, 1))


def _put(file: IO[Any], name: bytes, content: bytes) -> None:
    body = name + content
    file.write(len(content).to_bytes(4, "big") + body + zlib.crc32(body).to_bytes(4, "big"))
