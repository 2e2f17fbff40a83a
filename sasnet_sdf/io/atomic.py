"""Files that appear whole or not at all."""

from __future__ import annotations

import errno
import uuid
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import SasnetError, UsageError

MESHES = (".ply", ".obj", ".stl", ".off", ".glb")
TABLES = (".csv", ".txt", ".npy", ".npz", ".ply")
IMAGES = (".png", ".jpg", ".jpeg", ".tif", ".tiff")
VOLUMES = (".npy", ".npz", ".nii", ".nii.gz", ".nrrd", ".tif", ".tiff")
WRITABLE = tuple(dict.fromkeys((*MESHES, *TABLES, ".sasnet", ".json", *IMAGES, *VOLUMES)))

_USERS_TO_MEND = {
    *(errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOENT),
    *(errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG, errno.EINVAL),
}


def suffix_of(path: str | Path) -> str:
    """The extension that says the format, in small letters; .nii.gz is one."""
    name = Path(path).name.lower()
    return ".nii.gz" if name.endswith(".nii.gz") else Path(path).suffix.lower()


@contextmanager
def atomic_write(path: str | Path) -> Iterator[Path]:
    """A path beside `path`, with its extension, that takes its place when the block ends well.

    Where the block fails, what it wrote is removed and `path` is as it was. Raises UsageError where
    the folder or the file cannot be written, SasnetError where the disk is full.
    """
    target = Path(path).resolve()  # a link stays one: what it points to is written
    partial = _beside(target)
    try:
        _check_place(target, path)
        yield partial
        partial.replace(target)
    except OSError as error:
        kind = UsageError if error.errno in _USERS_TO_MEND else SasnetError
        raise kind(f"{path}: cannot be written ({error.strerror or error})") from error
    finally:
        partial.unlink(missing_ok=True)


def check_writable(path: str | Path, overwrite: bool, formats: Collection[str] = WRITABLE) -> None:
    """Refuse an output before the work starts: of another format, there already, or not writable.

    Raises UsageError.
    """
    path = Path(path)
    if suffix_of(path) not in formats:
        found = f"extension {path.suffix}" if path.suffix else "file without an extension"
        raise UsageError(f"{path}: unknown {found}; known: {' '.join(formats)}")
    target = path.resolve()
    _check_place(target, path)
    if target.exists() and not overwrite:
        raise UsageError(f"{path}: exists; give --overwrite or another name")
    probe = _beside(target)
    try:
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise UsageError(f"{path}: cannot be written ({error.strerror or error})") from error


def _check_place(target: Path, path: str | Path) -> None:
    """The folder is there, and what is to be replaced is a file."""
    if target.is_dir():
        raise UsageError(f"{path}: is a folder; give the name of a file")
    if target.exists() and not target.is_file():
        raise UsageError(f"{path}: is not a regular file; give another name")
    if not target.parent.is_dir():
        raise UsageError(f"{path}: there is no folder {Path(path).parent}; make it or choose another")


def _beside(target: Path) -> Path:
    """A name in the same folder, so that the file can be renamed; whoever finds it knows whose it is."""
    suffix = target.name[len(target.name) - len(suffix_of(target)) :]
    stem = target.name.removesuffix(suffix)[:40]
    return target.with_name(f".{stem}.{uuid.uuid4().hex[:8]}{suffix}")
