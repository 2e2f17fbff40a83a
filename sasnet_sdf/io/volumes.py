"""Volumes: the checks for every format, and NIfTI-1 and NIfTI-2, which nibabel reads and writes."""

from __future__ import annotations

import gzip
import logging
import math
import struct
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import SasnetError, UnreadableInput, UsageError
from ..runtime.system import require
from ..signals import Grid, Signal
from .files import check_claim, reason_of

FOR_POINTS = "points are for `sasnet-sdf reconstruct`"


def volume_of(
    path: Path,
    values: NDArray[Any],
    affine: NDArray[Any],
    header: dict[str, Any] | None = None,
    notes: Sequence[str] = (),
) -> Signal:
    """The volume of values (I, J, K) or (I, J, K, C), C in 1..4; affine (4, 4) maps indices to the world.

    Raises UnreadableInput where the values are not a volume, or the affine is singular.
    """
    values = _checked(values, path)
    grid = Grid(values.shape[:3], np.asarray(affine, np.float64))
    with np.errstate(all="ignore"):
        volume = abs(float(np.linalg.det(grid.affine[:3, :3])))
    if not (np.isfinite(grid.affine).all() and 0 < volume < np.inf):
        raise UnreadableInput(f"{path}: its axes do not span a space (spacing {grid.spacing.tolist()})")
    if missing := _not_finite(values):
        notes = [*notes, f"{missing} of {values.size} values are not finite; a fit leaves them out"]
    return Signal(values, grid, header or {}, tuple(notes))


def _checked(values: NDArray[Any], path: Path) -> NDArray[Any]:
    """The values (I, J, K, C) in the machine's byte order."""
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
    """The number of values that are not finite, counted in slabs, since the file may not fit into memory."""
    if values.dtype.kind != "f":
        return 0
    return sum(slab.size - int(np.count_nonzero(np.isfinite(slab))) for slab in values)


def lost(grid: Grid, kept: NDArray[Any], name: str, what: str) -> list[str]:
    """The note that a format cannot keep `what` of a volume, unless `kept` (4, 4) equals its affine."""
    if np.allclose(grid.affine, kept, rtol=1e-9, atol=0):
        return []
    return [f"{name} is written without the volume's {what}; NIfTI and NRRD keep them"]


_FARTHEST = 64 << 20
"""The largest byte offset at which samples may begin, after a header and its extensions."""

RAS = "right-anterior-superior"
"""The world of every NIfTI file: x to the right, y to the front, z up, usually in millimeters."""

_COLORS = tuple(np.dtype([(name, "u1") for name in names]) for names in ("RGB", "RGBA"))
"""The sample types of colors."""

_TYPES = ("u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f4", "f8")


def read_nifti(path: Path) -> Signal:
    """The volume, scaled if the file has a scale; memory-mapped unless it is scaled or compressed.

    Axes of one sample after the third are removed, since vectors and colors have their channels last.
    Raises UnreadableInput, MissingBackend.
    """
    nibabel = require("nibabel", "volumes", "reading NIfTI files")
    try:
        with _quiet(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            _check_offset(path)
            image = nibabel.load(path)
            if not isinstance(image, (nibabel.Nifti1Image, nibabel.Nifti2Image)):
                raise UnreadableInput(f"{path}: not a NIfTI file (nibabel finds {type(image).__name__})")
            _check_size(image, path)
            header = image.header
            values = _scaled(image)
            values = values.squeeze(tuple(k for k in range(3, values.ndim) if values.shape[k] == 1))
            units = header.get_xyzt_units()
            kept = {
                "space": RAS,
                "nifti": 2 if isinstance(image, nibabel.Nifti2Image) else 1,
                "units": list(units),
                "codes": [int(header["qform_code"]), int(header["sform_code"])],
                "description": bytes(header["descrip"]).rstrip(b"\0").decode("latin-1"),
            }
            affine, notes = _placed(image)
            notes = [f"{path}: {note}" for note in notes]
            if values.ndim == 4 == len(image.shape) and units[1] in ("sec", "msec", "usec"):
                notes.append(f"{path}: its {values.shape[3]} volumes in time are read as channels")
            return volume_of(path, values, affine, kept, notes)
    except SasnetError:
        raise
    except Exception as error:
        raise UnreadableInput(f"{path}: not a NIfTI file that can be read ({reason_of(error)})") from error


def _placed(image: Any) -> tuple[NDArray[np.float64], list[str]]:
    """The affine (4, 4), which is the header's sform, or its qform if the sform is singular; and notes."""
    affine, header = np.array(image.affine, np.float64), image.header
    quaternion = header.get_qform(coded=True)[0]
    if not np.linalg.det(affine[:3, :3]):
        other = header.get_base_affine() if quaternion is None else quaternion
        word = "sizes of voxels are" if quaternion is None else "qform is"
        return np.array(other, np.float64), [f"its sform spans no space: its {word} read instead"]
    if header["sform_code"] > 0 and quaternion is not None:
        corners = np.array(image.shape[:3]) * [[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]]
        apart = (affine[:3, :3] - quaternion[:3, :3]) @ corners.T + (affine[:3, 3:] - quaternion[:3, 3:])
        distance = float(np.linalg.norm(apart, axis=0).max())
        if distance > np.linalg.norm(affine[:3, :3], axis=0).min():
            return affine, [f"its qform and its sform are {distance:.3g} apart: the sform is read"]
    return affine, []


def _check_offset(path: Path) -> None:
    """Check that the samples begin near the header's end, since nibabel decompresses all data before them."""
    with gzip.open(path) if path.suffix.lower() == ".gz" else path.open("rb") as file:
        head = file.read(352)
    if len(head) < 348:
        raise ValueError("it ends inside its header")
    order = "<" if int.from_bytes(head[:4], "little") in (348, 540) else ">"
    second = int.from_bytes(head[:4], "little" if order == "<" else "big") == 540
    (offset,) = (
        struct.unpack_from(f"{order}q", head, 168) if second else struct.unpack_from(f"{order}f", head, 108)
    )
    if not 0 <= offset <= _FARTHEST:
        raise ValueError(f"its samples begin at byte {offset:.0f}")


def _check_size(image: Any, path: Path) -> None:
    kind = image.get_data_dtype()
    if kind.kind not in "iufb" and kind not in _COLORS:
        raise UnreadableInput(f"{path}: a volume must hold real numbers, found {kind}")
    wanted = math.prod(int(n) for n in image.shape) * kind.itemsize
    there, data = path.stat().st_size - int(image.dataobj.offset), image.dataobj
    if path.suffix.lower() == ".gz" or (data.slope, data.inter) != (1.0, 0.0):
        check_claim(path, wanted)  # otherwise the samples are memory-mapped
    if path.suffix.lower() != ".gz" and wanted > there:
        raise UnreadableInput(f"{path}: cut short: holds {max(there, 0)} of its volume's {wanted} bytes")


def _scaled(image: Any) -> NDArray[Any]:
    """The values, scaled if necessary; in single precision where that is finer than the file's type."""
    data = image.dataobj
    if image.get_data_dtype() in _COLORS:
        colors = np.asarray(data.get_unscaled())
        return np.stack([colors[name] for name in colors.dtype.names or ()], -1)
    if (data.slope, data.inter) == (1.0, 0.0):
        return np.asanyarray(data.get_unscaled())
    fine = image.get_data_dtype().itemsize > 2
    return np.asarray(data, np.float64 if fine else np.float32)


_FLIPPED = {"left-posterior-superior": (-1, -1, 1), "lps": (-1, -1, 1), "left-anterior-superior": (-1, 1, 1)}
_FLIPPED["las"] = _FLIPPED["left-anterior-superior"]
"""The signs of the axes that convert the spaces of NRRD to that of NIfTI."""


def write_nifti(path: Path, volume: Signal) -> None:
    """Write the values bit for bit, the affine in single precision; compressed where `path` ends in .gz.

    Raises UsageError, MissingBackend.
    """
    nibabel = require("nibabel", "volumes", "writing NIfTI files")
    values, header = volume.values, volume.header
    if values.dtype.str[1:] not in _TYPES:
        raise UsageError(f"NIfTI holds no {values.dtype}; NPY and NPZ do")
    flips = _FLIPPED.get(str(header.get("space", "")).lower(), (1, 1, 1))
    affine = np.diag([*flips, 1.0]) @ volume.grid.affine
    kind = (
        nibabel.Nifti2Image if header.get("nifti") == 2 or max(values.shape) > 32767 else nibabel.Nifti1Image
    )
    with _quiet():
        flat = values[..., 0] if values.shape[-1] == 1 else values
        image = kind(flat, affine, dtype=values.dtype)
        # store the values unscaled
        image.header.set_slope_inter(1, 0)
        qform, sform = header["codes"] if len(header.get("codes", ())) == 2 else (0, 2)
        image.set_sform(affine, code=int(sform) or 2)
        image.set_qform(affine, code=int(qform), strip_shears=True)
        units = header.get("units", ())
        known = len(units) == 2 and all(unit in nibabel.nifti1.unit_codes for unit in units)
        image.header.set_xyzt_units(*(units if known else ("unknown", "unknown")))
        image.header["descrip"] = str(header.get("description", "")).encode("latin-1", "replace")[:79]
        nibabel.save(image, path)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep nibabel from logging header repairs to the terminal."""
    logger = logging.getLogger("nibabel.global")
    level = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        logger.setLevel(level)
