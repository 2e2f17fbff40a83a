"""What every reader asks of a file before it looks inside."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from io import BufferedReader, FileIO
from pathlib import Path
from typing import Any

from ..errors import UnreadableInput
from ..progress import tick
from ..system import check_memory, format_memory, held_bytes, memory_limit_bytes

_RATIO = 1400
"""No byte of the usual compressions stands for more (deflate: 1,032; the LZW of TIFF: 1,340)."""

_HARMLESS = 2**28
"""Bytes that a header may claim whatever its file's size; an image of 8,000 x 8,000 RGBA has fewer."""

_TIMES = {".ply": 15, ".obj": 8, ".stl": 13, ".off": 23, ".glb": 18, ".npz": 6}
"""Times a file's size that reading it takes where it is read as a whole; measured on 5 to 22 MB of each."""


_COPIES = 2.5
"""Of the samples that a header names, what reading them takes: Pillow's picture, and the array."""

_AT_ONCE = 1 << 19
"""Bytes that a library gets at once; the slowest takes a tenth of a second for them."""

_ADDRESS = re.compile(r"(https?|ftp|s3|gs|sftp):[/\\\\]+", re.IGNORECASE)
"""How an address begins, as a path too, which has one slash there."""

_LIMIT: ContextVar[int | None] = ContextVar("max_memory", default=None)


@contextmanager
def within(max_memory: int | None) -> Iterator[None]:
    """Readers refuse, inside, samples whose reading would take more than `max_memory` bytes in all."""
    token = _LIMIT.set(max_memory)
    try:
        yield
    finally:
        _LIMIT.reset(token)


def opened(path: Path, plain: int = 0) -> BufferedReader:
    """A file that is open in binary, and tells how much of it has been read: for libraries that read it.

    plain: the number of bytes at its beginning of which those beyond ASCII are read as question marks.
    """
    file = _Told(path)
    file.plain = plain
    return BufferedReader(file, _AT_ONCE)


class _Told(FileIO):
    plain = 0

    def readinto(self, buffer: Any) -> int | None:
        place = self.tell()
        tick(place / max(Path(self.name).stat().st_size, 1))
        count = super().readinto(buffer)
        for k in range(min(count or 0, self.plain - place)):
            if buffer[k] > 127:
                buffer[k] = ord("?")
        return count


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Whatever the system says against reading a file inside is an UnreadableInput that names it."""
    try:
        yield
    except OSError as error:
        raise UnreadableInput(f"{path}: cannot be read ({error.strerror or error})") from error


def check_address(path: Path) -> None:
    """Refuse an address on the network: nothing is downloaded. Raises UnreadableInput."""
    if found := _ADDRESS.match(str(path)):
        address = f"{found[1]}://{str(path)[found.end() :]}"
        raise UnreadableInput(f"{address}: is an address; download it first, and give the file")


def check_file(path: Path) -> None:
    """Refuse what is an address, missing, a folder, locked or empty. Raises UnreadableInput."""
    check_address(path)
    try:
        if not path.exists():
            raise UnreadableInput(f"{path}: no such file")
        if path.is_dir():
            raise UnreadableInput(f"{path}: is a folder, not a file")
        with path.open("rb") as file:
            first = file.read(1)
    except PermissionError as error:
        raise UnreadableInput(f"{path}: no permission to read it") from error
    except OSError as error:
        raise UnreadableInput(f"{path}: cannot be opened ({error.strerror or error})") from error
    if not first:
        raise UnreadableInput(f"{path}: the file is empty")


def check_claim(path: Path, wanted: int, ratio: int = _RATIO) -> None:
    """Refuse to take `wanted` bytes of memory that the file cannot hold, or that are not there.

    ratio: bytes that a byte of the file may stand for.

    Raises UnreadableInput, and UsageError where there would be more than `within` allows.
    """
    size, limit = path.stat().st_size, memory_limit_bytes()
    if wanted > max(_HARMLESS, ratio * size):
        raise UnreadableInput(
            f"{path}: is damaged: {size} bytes cannot hold the {wanted} that its header names"
        )
    if limit and wanted > limit:
        raise UnreadableInput(
            f"{path}: needs {wanted / 2**30:.1f} GiB of memory, there are {limit / 2**30:.1f}"
        )
    if (most := _LIMIT.get()) is not None:
        held = held_bytes()
        advice = f"the process holds {format_memory(held)} already; NPY files alone are read where they lie"
        check_memory(f"{path}: reading it", held + _COPIES * wanted, most, lambda: advice)


def check_room(path: Path, max_memory: int | None) -> None:
    """Refuse a file that is read as a whole and needs more than `max_memory` bytes. Raises UsageError."""
    if max_memory is not None:
        advice = "a binary PLY of points alone is read piece by piece"
        check_memory(f"{path}: reading it", held_bytes() + _taken(path), max_memory, lambda: advice)


def _taken(path: Path) -> float:
    """Bytes that reading a file takes at its worst moment, by its size; 0 where it comes in pieces."""
    kind, size = path.suffix.lower(), path.stat().st_size
    if kind == ".ply":
        with path.open("rb") as file:
            head = file.read(1 << 16)
        whole = b"format ascii" in head or re.search(rb"element face +[1-9]", head) is not None
        return _TIMES[kind] * size * whole
    if kind == ".npz" and zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            size = sum(member.file_size for member in archive.infolist())
    return _TIMES.get(kind, 0) * size


def count_of(word: str) -> int | None:
    """The number from 0 on that a header's word is; None where it is none, or none of things in a file."""
    return int(word) if re.fullmatch(r"[0-9]{1,18}", word) else None


def reason_of(error: BaseException) -> str:
    """What a library says about a damaged file, in one short line."""
    return " ".join(str(error).split())[:120] or type(error).__name__


def text_of(path: Path) -> str:
    """The text of a file. Raises UnreadableInput where it is binary."""
    data = path.read_bytes()
    if b"\0" in data[:4096]:
        raise UnreadableInput(f"{path}: not a text file, as the extension {path.suffix} says")
    return data.decode("utf-8-sig", "replace").replace("\r\n", "\n")
