"""Volumes: NPY, NPZ, TIFF stacks, NIfTI and NRRD as arrays with a grid that says where they lie."""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from ..errors import UnreadableInput, UsageError
from ..signals import Grid, Signal
from .arrays import DAMAGED, checked_header, members_of
from .files import VOLUMES, atomic_write, check_claim, check_file, reason_of, suffix_of
from .kinds import refused

_Found = tuple[NDArray[Any], NDArray[Any], dict[str, Any], list[str]]
"""Values, affine (4, 4) or spacing (3,), header and notes."""

FOR_POINTS = "points are for `sasnet-sdf reconstruct`"

_FLIPPED = {"left-posterior-superior": (-1, -1, 1), "lps": (-1, -1, 1), "left-anterior-superior": (-1, 1, 1)}
_FLIPPED["las"] = _FLIPPED["left-anterior-superior"]
"""What takes the spaces that a NRRD may name to NIfTI's."""


def read_volume(path: str | Path) -> tuple[Signal, list[str]]:
    """A volume of any real type, and notes for the user; three axes, or four with 1 to 4 channels last.

    NPY, NIfTI and uncompressed NPZ are memory-mapped where their values need no change. The grid's
    affine holds the spacing, origin and directions of the file: NPZ `spacing` (3,) beside `volume`,
    ImageJ's and OME's spacing of a TIFF stack, NIfTI's affine, NRRD's directions in the space that
    `header["space"]` names. Values that are not finite stay, and a note counts them: the fit leaves
    them out. Booleans become uint8; pickles are never loaded. Raises UnreadableInput where the file
    is missing, damaged, no volume or claims more than it can hold; MissingBackend where its format
    needs a library.
    """
    path = Path(path)
    reader = _READERS.get(suffix_of(path))
    if reader is None:
        raise refused(path, VOLUMES, " of a volume")
    check_file(path)
    try:
        values, place, header, notes = reader(path)
    except OSError as error:
        raise UnreadableInput(f"{path}: cannot be read ({error.strerror or reason_of(error)})") from error
    values = _checked(values, path)
    shape = values.shape[:3]
    affine = np.asarray(place, np.float64)
    grid = Grid(shape, affine) if affine.shape == (4, 4) else Grid.of_volume(shape, affine)
    with np.errstate(all="ignore"):
        volume = abs(float(np.linalg.det(grid.affine[:3, :3])))
    if not (np.isfinite(grid.affine).all() and 0 < volume < np.inf):
        raise UnreadableInput(f"{path}: its axes do not span a space (spacing {grid.spacing.tolist()})")
    missing = _not_finite(values)
    if missing:
        notes = [*notes, f"{missing} of {values.size} values are not finite; a fit leaves them out"]
    return Signal(values, grid, header), notes


def _checked(values: NDArray[Any], path: Path) -> NDArray[Any]:
    """As (X, Y, Z, C) in the machine's byte order."""
    if values.dtype.kind not in "iufb":
        raise UnreadableInput(f"{path}: a volume must hold real numbers, found {values.dtype}")
    if values.ndim == 3:
        values = values[..., None]
    if values.ndim == 4 and values.shape[3] > 4:
        raise UnreadableInput(
            f"{path}: holds a series of {values.shape[3]} volumes, or as many channels (the last axis of"
            f" {values.shape}); save one volume of it, or 1 to 4 channels"
        )
    if values.ndim != 4 or not 1 <= values.shape[3] <= 4 or not values.size:
        advice = f"; {FOR_POINTS}" if values.ndim == 2 else ""
        raise UnreadableInput(
            f"{path}: a volume has 3 axes, or 4 with 1 to 4 channels last; found {values.shape}{advice}"
        )
    if values.dtype.kind == "b":
        return values.astype(np.uint8)
    return values if values.dtype.isnative else values.astype(values.dtype.newbyteorder("="))


def _not_finite(values: NDArray[Any]) -> int:
    """How many values are not finite; slab by slab, since the file may be larger than memory."""
    if values.dtype.kind != "f":
        return 0
    return sum(slab.size - int(np.count_nonzero(np.isfinite(slab))) for slab in values)


def _read_npy(path: Path) -> _Found:
    try:
        with path.open("rb") as file:
            shape, by_columns, kind = checked_header(file, path.stat().st_size)
            values = _mapped(path, shape, by_columns, kind, file.tell())
    except DAMAGED as error:
        raise UnreadableInput(f"{path}: not an array that can be read ({reason_of(error)})") from error
    return values, np.ones(3), {}, []


def _read_npz(path: Path) -> _Found:
    try:
        with zipfile.ZipFile(path) as archive:
            members = members_of(archive)
            if "volume" not in members:
                found = ", ".join(members) or "none"
                advice = f"; {FOR_POINTS}" if "points" in members else ""
                raise UnreadableInput(f"{path}: has no array named volume (found: {found}){advice}")
            values = _member(archive, members["volume"], path)
            spacing = np.ones(3)
            if "spacing" in members:
                spacing = _member(archive, members["spacing"], path)
    except DAMAGED as error:
        raise UnreadableInput(f"{path}: not an archive that can be read ({reason_of(error)})") from error
    if spacing.shape != (3,) or not (np.isfinite(spacing) & (spacing > 0)).all():
        raise UnreadableInput(f"{path}: spacing must be three lengths above 0, found {spacing.tolist()}")
    return values, spacing, {}, []


def _member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, path: Path) -> NDArray[Any]:
    check_claim(path, info.file_size)
    with archive.open(info) as file:
        shape, by_columns, kind = checked_header(file, info.file_size)
        start = file.tell()
    if kind.kind not in "iufb":
        raise UnreadableInput(f"{path}: {info.filename} must hold real numbers, found {kind}")
    if info.compress_type == zipfile.ZIP_STORED:
        with path.open("rb") as file:
            file.seek(info.header_offset + 26)
            name, extra = struct.unpack("<HH", file.read(4))
        return _mapped(path, shape, by_columns, kind, info.header_offset + 30 + name + extra + start)
    with archive.open(info) as file:
        return npy.read_array(file, allow_pickle=False)


def _mapped(path: Path, shape: tuple[int, ...], by_columns: bool, kind: np.dtype, start: int) -> NDArray[Any]:
    if kind.kind not in "iufb":
        raise UnreadableInput(f"{path}: a volume must hold real numbers, found {kind}")
    if 0 in shape:
        return np.empty(shape, kind)
    return np.memmap(path, kind, "r", start, shape, "F" if by_columns else "C")


def _read_tiff(path: Path) -> _Found:
    from . import tiff

    values, spacing, header, notes = tiff.read_volume(path)
    # pages lie along z, rows along y: the world is (x, y, z), as ImageJ shows it
    affine = np.zeros((4, 4))
    affine[[2, 1, 0], [0, 1, 2]] = spacing
    affine[3, 3] = 1
    return values, affine, header, notes


def _read_nifti(path: Path) -> _Found:
    from . import nifti

    return nifti.read(path)


def _read_nrrd(path: Path) -> _Found:
    from . import nrrd

    return nrrd.read(path)


_READERS: dict[str, Callable[[Path], _Found]] = {
    ".npy": _read_npy,
    ".npz": _read_npz,
    **dict.fromkeys((".tif", ".tiff"), _read_tiff),
    **dict.fromkeys((".nii", ".nii.gz"), _read_nifti),
    ".nrrd": _read_nrrd,
}


def write_volume(signal: Signal, path: str | Path) -> list[str]:
    """Write a volume in the format of the extension, whole or not at all; notes on what it cannot keep.

    NIfTI and NRRD keep the affine (NIfTI in single precision), NPZ and TIFF the spacing, NPY neither.
    Values are kept bit for bit. Raises UsageError where the format cannot hold them, MissingBackend.
    """
    kind, values, grid = suffix_of(path), signal.values, signal.grid
    if kind not in VOLUMES:
        raise UsageError(
            f"{path}: unknown extension {kind or '(none)'} of a volume; known: {' '.join(VOLUMES)}"
        )
    if values.ndim != 4 or grid.dim != 3:
        raise UsageError(f"{path}: an image is no volume; write it as PNG or TIFF")
    flat, name = (values[..., 0] if signal.channels == 1 else values), str(path)
    with atomic_write(path) as partial:
        if kind == ".npy":
            np.save(partial, flat, allow_pickle=False)
        elif kind == ".npz":
            np.savez_compressed(partial, volume=flat, spacing=grid.spacing)
        elif kind in (".tif", ".tiff"):
            from . import tiff

            tiff.write_volume(partial, values, grid.spacing, signal.header, name)
        elif kind == ".nrrd":
            from . import nrrd

            nrrd.write(partial, values, grid.affine, signal.header, name)
        else:
            from . import nifti

            flips = _FLIPPED.get(str(signal.header.get("space", "")).lower(), (1, 1, 1))
            nifti.write(partial, values, np.diag([*flips, 1.0]) @ grid.affine, signal.header, name)
    return _lost(grid, kind, path)


def _lost(grid: Grid, kind: str, path: str | Path) -> list[str]:
    if kind in (".nii", ".nii.gz", ".nrrd"):
        return []
    kept = np.diag([*(np.ones(3) if kind == ".npy" else grid.spacing), 1.0])
    if kind in (".tif", ".tiff"):
        kept = kept[[2, 1, 0, 3]]
    if np.allclose(grid.affine, kept, rtol=1e-9, atol=0):
        return []
    what = "spacing, origin and directions" if kind == ".npy" else "origin and directions"
    return [f"{path}: {kind[1:].upper()} is written without the volume's {what}; NIfTI and NRRD keep them"]
