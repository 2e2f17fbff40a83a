"""Checks of files before they are read, and atomic writes."""

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
    """Yield a temporary path in the same folder; its file replaces `path` when the block succeeds.

    Where the block fails, the temporary file is removed and `path` is unchanged. Raises UsageError where
    the folder or the file cannot be written, SasnetError where the disk is full.
    """
    target = Path(path).resolve()  # a symbolic link is kept, and its target is written
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
    """Refuse an output that cannot be written, or that exists and must not be replaced. Raises UsageError."""
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
    """Check that the folder exists, and that an existing target is a file. Raises UsageError."""
    if target.is_dir():
        raise UsageError(f"{path}: is a folder; give the name of a file")
    if target.exists() and not target.is_file():
        raise UsageError(f"{path}: is not a regular file; give another name")
    if not target.parent.is_dir():
        raise UsageError(f"{path}: there is no folder {Path(path).parent}; make it or choose another")


def _beside(target: Path) -> Path:
    """A hidden temporary name in the same folder, which ends with the target's name."""
    return target.with_name(f".{uuid.uuid4().hex[:8]}.{target.name[-40:]}")


_RATIO = 1400
"""The largest compression ratio that is accepted (deflate reaches 1,032; the LZW of TIFF 1,340)."""

_HARMLESS = 2**28
"""Bytes that a header may claim whatever the file's size; an image of 8,000 x 8,000 RGBA has fewer."""

_COPIES = 2.5
"""Memory that reading takes, relative to the samples: both Pillow's image and the array are in memory."""

_AT_ONCE = 1 << 19
"""Bytes that a library gets per read; the slowest library takes a tenth of a second for them."""

_ADDRESS = re.compile(r"(https?|ftp|s3|gs|sftp):[/\\\\]+", re.IGNORECASE)
"""The beginning of a URL; converted to a path, a URL has only one slash after the colon."""

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
    """Open the file in binary mode, with progress reported while a library reads it.

    plain: among the first `plain` bytes, those outside ASCII are read as question marks.
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
    """Convert the system's errors in reading a file within the block to UnreadableInput."""
    try:
        yield
    except OSError as error:
        raise UnreadableInput(f"{path}: cannot be read ({error.strerror or error})") from error


def check_address(path: Path) -> None:
    """Refuse a URL, since nothing is downloaded. Raises UnreadableInput."""
    if found := _ADDRESS.match(str(path)):
        address = f"{found[1]}://{str(path)[found.end() :]}"
        raise UnreadableInput(f"{address}: is an address; download it first, and give the file")


def check_file(path: Path) -> None:
    """Refuse an input that is a URL, missing, a folder, locked or empty. Raises UnreadableInput."""
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

    ratio: the largest compression ratio. Raises UnreadableInput, and UsageError where reading would take
    more memory than `within` allows.
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
    """The non-negative count in a word of a header; None for other words and impossibly large counts."""
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
    """A list with a note that the result lacks these things of the file; empty where there are none."""
    return [f"not carried over: {', '.join(things)}"] if things else []


def division(parts: int) -> list[str]:
    """The entry for `not_carried` where several parts of a file become one mesh."""
    return [f"the division into {parts} parts"] if parts > 1 else []
