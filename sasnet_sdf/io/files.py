"""Files: checked before they are read, and written whole or not at all."""

from __future__ import annotations

import errno
import json
import re
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from io import BufferedReader, FileIO
from pathlib import Path
from typing import Any

from ..errors import SasnetError, UnreadableInput, UsageError
from ..runtime.progress import tick
from ..runtime.system import check_memory, format_memory, held_bytes, memory_limit_bytes

_USERS_FAULT = {
    *(errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOENT),
    *(errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG, errno.EINVAL),
}


@contextmanager
def atomic_write(path: str | Path) -> Iterator[Path]:
    """A path beside `path`, with its extension, that takes its place when the block ends well.

    Where the block fails, what it wrote is removed and `path` is as it was. Raises UsageError where
    the folder or the file cannot be written, SasnetError where the disk is full.
    """
    target = Path(path).resolve()  # a link stays one: what it points to is written
    partial = _beside(target)
    try:
        _check_target(target, path)
        yield partial
        partial.replace(target)
    except OSError as error:
        kind = UsageError if error.errno in _USERS_FAULT else SasnetError
        raise kind(f"{path}: cannot be written ({error.strerror or error})") from error
    finally:
        partial.unlink(missing_ok=True)


def check_place(path: str | Path, overwrite: bool) -> None:
    """Refuse an output that cannot be written, or exists and is to be kept. Raises UsageError."""
    target = Path(path).resolve()
    _check_target(target, path)
    if target.exists() and not overwrite:
        raise UsageError(f"{path}: exists; give --overwrite or another name")
    probe = _beside(target)
    try:
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise UsageError(f"{path}: cannot be written ({error.strerror or error})") from error


def _check_target(target: Path, path: str | Path) -> None:
    """Check that the folder is there, and that what is to be replaced is a file. Raises UsageError."""
    if target.is_dir():
        raise UsageError(f"{path}: is a folder; give the name of a file")
    if target.exists() and not target.is_file():
        raise UsageError(f"{path}: is not a regular file; give another name")
    if not target.parent.is_dir():
        raise UsageError(f"{path}: there is no folder {Path(path).parent}; make it or choose another")


def _beside(target: Path) -> Path:
    """A hidden name in the same folder, with the same extension, that shows whose it is."""
    return target.with_name(f".{uuid.uuid4().hex[:8]}.{target.name[-40:]}")


_RATIO = 1400
"""The most bytes that a compressed byte stands for (deflate: 1,032; the LZW of TIFF: 1,340)."""

_HARMLESS = 2**28
"""Bytes that a header may claim whatever the file's size; an image of 8,000 x 8,000 RGBA has fewer."""

_COPIES = 2.5
"""Memory that reading takes, over that of the samples: Pillow's picture, and the array."""

_AT_ONCE = 1 << 19
"""Bytes that a library gets at a time; the slowest takes a tenth of a second for them."""

_ADDRESS = re.compile(r"(https?|ftp|s3|gs|sftp):[/\\\\]+", re.IGNORECASE)
"""The beginning of an address, also as a path, which has one slash there."""

_LIMIT: ContextVar[int | None] = ContextVar("max_memory", default=None)


@contextmanager
def within(max_memory: int | None) -> Iterator[None]:
    """Within the block, refuse to read samples that would take more than `max_memory` bytes in all."""
    token = _LIMIT.set(max_memory)
    try:
        yield
    finally:
        _LIMIT.reset(token)


def opened(path: Path, plain: int = 0) -> BufferedReader:
    """The file, open in binary, which reports progress while a library reads it.

    plain: bytes beyond ASCII among its first `plain` bytes are read as question marks.
    """
    file = _Reported(path)
    file.plain = plain
    return BufferedReader(file, _AT_ONCE)


class _Reported(FileIO):
    plain = 0

    def readinto(self, buffer: Any) -> int | None:
        place = self.tell()
        tick(place / max(Path(self.name).stat().st_size, 1))
        count = super().readinto(buffer)
        for k in range(min(count or 0, self.plain - place)):
            if buffer[k] > 127:
                buffer[k] = ord("?")
        return count


def write_json(path: Path, values: Mapping[str, Any]) -> None:
    """Write plain values as indented JSON."""
    path.write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Turn the system's errors in reading a file within the block into UnreadableInput, which names it."""
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
    """Refuse an input that is an address, missing, a folder, locked or empty. Raises UnreadableInput."""
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
    """Refuse to take `wanted` bytes that the file cannot hold, or that the machine does not have.

    ratio: the most bytes that a byte of the file may stand for. Raises UnreadableInput, and UsageError
    where there would be more than `within` allows.
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


def count_of(word: str) -> int | None:
    """The count, 0 or more, that a header's word is; None where it is no count, or one no file can hold."""
    return int(word) if re.fullmatch(r"[0-9]{1,18}", word) else None


def reason_of(error: BaseException) -> str:
    """A library's message about a damaged file, as one short line."""
    return " ".join(str(error).split())[:120] or type(error).__name__


def text_of(path: Path) -> str:
    """The text of a file. Raises UnreadableInput where it is binary."""
    data = path.read_bytes()
    if b"\0" in data[:4096]:
        raise UnreadableInput(f"{path}: not a text file, as the extension {path.suffix} says")
    return data.decode("utf-8-sig", "replace").replace("\r\n", "\n")


def not_carried(things: Sequence[str]) -> list[str]:
    """The note that these things of a file are not in the result; no note where there are none."""
    return [f"not carried over: {', '.join(things)}"] if things else []


def division(parts: int) -> list[str]:
    """What `not_carried` names of a file whose parts become one mesh."""
    return [f"the division into {parts} parts"] if parts > 1 else []
