"""Whether a file holds an image or a volume; what is neither is a cloud or a mesh to others."""

from __future__ import annotations

import zipfile
from pathlib import Path

from .arrays import checked_header
from .atomic import suffix_of


def signal_kind(path: str | Path) -> str | None:
    """`image`, `volume` or None, by the extension, and where that does not tell, by the file's head.

    A TIFF of several pages is a volume, an NPZ that has `volume` too, and an NPY of three axes or
    more. Of a file that cannot be read the answer is None: its reader says what is wrong with it.
    """
    path = Path(path)
    suffix = suffix_of(path)
    if suffix in (".png", ".jpg", ".jpeg"):
        return "image"
    if suffix in (".nii", ".nii.gz", ".nrrd"):
        return "volume"
    try:
        if suffix in (".tif", ".tiff"):
            import tifffile

            with tifffile.TiffFile(path) as file:
                return "volume" if len(file.pages) > 1 else "image"
        if suffix == ".npz":
            with zipfile.ZipFile(path) as archive:
                return "volume" if "volume.npy" in archive.namelist() else None
        if suffix == ".npy":
            with path.open("rb") as file:
                shape, _, _ = checked_header(file, path.stat().st_size)
            return "volume" if len(shape) >= 3 else None
    except Exception:  # noqa: BLE001 - whatever a library raises of a damaged file
        return None
    return None
