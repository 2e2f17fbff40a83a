"""What kind of file a path names, and what to do with one that a command does not read."""

from __future__ import annotations

import zipfile
from collections.abc import Collection
from pathlib import Path

from ..errors import UnreadableInput
from .arrays import checked_header
from .files import IMAGES, check_address, suffix_of


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


_ADVICE = {
    "is packed: unpack it first": ".zip .gz .bz2 .xz .zst .7z .rar .tar .tgz",
    "refers to other files: export it as GLB, which is one file": ".gltf",
    "is a scene of a 3D program: export it as GLB, OBJ or PLY (Blender does)": (
        ".fbx .dae .3ds .blend .usd .usda .usdc .usdz .abc .ma .mb .max .c4d .skp .lwo .x3d .wrl .3mf .drc"
    ),
    "is a CAD model: export a triangle mesh of it, as STL or OBJ": (
        ".step .stp .iges .igs .ifc .dwg .dxf .3dm .sldprt .f3d"
    ),
    "is in a scanner maker's format: export it as E57, LAS or LAZ from the maker's program": (
        ".rcp .rcs .fls .lsproj .zfs .zfprj .imp .rdbx .rxp .fws .cl3 .pod .ptg"
    ),
    "is in another program's format: save it as PLY there (CloudCompare, ParaView, MeshLab)": (
        ".bin .vtk .vtp .vtu .mlp .splat .ksplat .spz .sog .pcap .bag .pkl .pt .pth"
    ),
    "is a table of another kind: save it as CSV": ".xlsx .xls .ods .tsv .parquet .feather",
    "is an image of another kind: save it as PNG, JPEG or TIFF": (
        ".bmp .gif .webp .heic .avif .exr .psd .svg .jp2 .dng .cr2 .nef .arw"
    ),
    "is a film: take single pictures from it": ".mp4 .mov .avi .mkv",
    "is a volume of another kind: save it as NRRD, NIfTI or a TIFF stack (3D Slicer, Fiji)": (
        ".dcm .mha .mhd .nhdr .hdr .img .mgz .mgh .mnc .mrc .map .vti .raw .vol .czi .lif .nd2"
    ),
}
_BY_SUFFIX = {suffix: advice for advice, suffixes in _ADVICE.items() for suffix in suffixes.split()}

_VOLUME = "is a volume: `sasnet-sdf fit-volume`, and `render --isosurface` for a surface of it"
_IMAGE = "is an image: `sasnet-sdf fit-image`"
_PHOTOGRAPHS = "; photographs of an object need photogrammetry first (COLMAP)"
_MODEL = "is a trained model: `sasnet-sdf extract` for its surface, `render` for its image or volume"
_GEOMETRY = "is a point cloud or a mesh: `sasnet-sdf reconstruct`"


def refused(path: Path, known: Collection[str], what: str = "") -> UnreadableInput:
    """The error for an input that is none of the `known` extensions, or holds something else.

    what: says of what they are the extensions, if not of any scan. Raises UnreadableInput where the path
    is an address on the network.
    """
    check_address(path)
    if path.is_dir():
        return UnreadableInput(f"{path}: {_of_folder(path, known)}")
    if advice := _advice(path):
        more = _PHOTOGRAPHS if advice is _IMAGE and not what else ""
        return UnreadableInput(f"{path}: {advice}{more}")
    found = f"extension {path.suffix}" if path.suffix else "file without an extension"
    return UnreadableInput(f"{path}: unknown {found}{what}; known: {' '.join(known)}")


def _advice(path: Path) -> str | None:
    from . import READABLE

    suffix, kind = suffix_of(path), signal_kind(path)
    if suffix == ".sasnet":
        return _MODEL
    if kind == "volume":
        return _VOLUME
    if kind == "image" or suffix in IMAGES:
        return _IMAGE
    return _GEOMETRY if suffix in READABLE else _BY_SUFFIX.get(suffix)


def _of_folder(path: Path, known: Collection[str]) -> str:
    try:
        names = sorted(file.name for file in path.iterdir())
    except OSError as error:
        return f"is a folder that cannot be read ({error.strerror or error})"
    if found := [name for name in names if suffix_of(name) in known]:
        more = f" and {len(found) - 3} more" if len(found) > 3 else ""
        return f"is a folder; name files in it, such as {', '.join(found[:3])}{more}"
    for name in names:
        if advice := _BY_SUFFIX.get(suffix_of(name)):
            return f"is a folder, and {name} in it {advice}"
    return f"is a folder, and has no file in it that is read ({' '.join(known)})"
