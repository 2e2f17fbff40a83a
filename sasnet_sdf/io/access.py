"""Reading and writing files by the table of formats, and the errors for files of an unknown format."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

from ..errors import UnreadableInput, UsageError
from ..runtime.system import check_memory, held_bytes
from .files import atomic_write, check_address, check_file, check_place, readable, reason_of
from .formats import OWN, Format, Kind, extensions, find, function_of, kind_of, suffix_of


def read(path: str | Path, *kinds: Kind, max_memory: int | None = None) -> Any:
    """Read a file that holds one of the kinds, and return what its reader returns.

    max_memory: bytes that the process may hold. Raises UnreadableInput where the file is missing,
    damaged or holds something else, MissingBackend where a library is missing, UsageError where reading
    would need more than max_memory.
    """
    path = Path(path)
    row, kind = find(path, *kinds), kind_of(path)
    if row is None or ("cloud" in kinds and kind in ("image", "volume")):
        raise refused(path, *kinds)
    check_file(path)
    with readable(path):
        if max_memory is not None:
            advice = "a binary PLY of points alone is read piece by piece"
            check_memory(f"{path}: reading it", held_bytes() + _memory(row, path), max_memory, lambda: advice)
        reader = function_of(next(row.read[kind] for kind in kinds if kind in row.read))
        try:
            return reader(path)
        except ValueError as error:
            if row in OWN:  # a bug in this package, not damage to the file
                raise
            reason = f"not a {row.name} file that can be read ({reason_of(error)})"
            raise UnreadableInput(f"{path}: {reason}") from error


def _memory(row: Format, path: Path) -> float:
    if isinstance(row.memory, (int, float)):
        return row.memory * path.stat().st_size
    return function_of(row.memory)(path)


def write(path: str | Path, kind: Kind, value: Any) -> tuple[str, ...]:
    """Write a value atomically, in the format of the extension.

    Returns a sentence about each thing that the format cannot keep. Raises UsageError where the extension
    is unknown, the format cannot hold the value or the file cannot be written; MissingBackend where a
    library is missing.
    """
    row = find(path, kind, writing=True)
    if row is None:
        raise UsageError(_unknown(Path(path), extensions(kind, writing=True), kind))
    with atomic_write(path) as partial:
        try:
            notes = function_of(row.write[kind])(partial, value) or ()
        except UsageError as error:
            raise UsageError(f"{path}: {error}") from error
    return tuple(f"{path}: {note}" for note in notes)


def check_writable(path: str | Path, overwrite: bool, kinds: Collection[Kind] = ()) -> None:
    """Check, before the work starts, that the output's format holds one of the kinds and can be written.

    Without kinds, any writable format is accepted. Raises UsageError, also where the file exists already
    and is not to be overwritten.
    """
    path = Path(path)
    if find(path, *kinds, writing=True) is None:
        raise UsageError(_unknown(path, extensions(*kinds, writing=True), *kinds))
    check_place(path, overwrite)


def _unknown(path: Path, known: Collection[str], *kinds: Kind) -> str:
    found = f"extension {path.suffix}" if path.suffix else "file without an extension"
    what = " of an image" if kinds == ("image",) else " of a volume" if kinds == ("volume",) else ""
    return f"{path}: unknown {found}{what}; known: {' '.join(known)}"


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

_COMMANDS = {
    "volume": "is a volume: `sasnet-sdf fit-volume`, and `render --isosurface` for a surface of it",
    "image": "is an image: `sasnet-sdf fit-image`",
    "model": "is a trained model: `sasnet-sdf extract` for its surface, `render` for its image or volume",
    "cloud": "is a point cloud or a mesh: `sasnet-sdf reconstruct`",
}
_PHOTOGRAPHS = "; photographs of an object need photogrammetry first (COLMAP)"


def refused(path: Path, *kinds: Kind) -> UnreadableInput:
    """The error for an input that holds none of the kinds; it names what the file holds and what reads it.

    Raises UnreadableInput where the path is an address on the network.
    """
    check_address(path)
    known = extensions(*kinds)
    if path.is_dir():
        return UnreadableInput(f"{path}: {_folder_advice(path, known)}")
    suffix, kind = suffix_of(path), kind_of(path)
    if advice := _COMMANDS.get(kind) if kind else _BY_SUFFIX.get(suffix):
        more = _PHOTOGRAPHS if kind == "image" and "cloud" in kinds else ""
        return UnreadableInput(f"{path}: {advice}{more}")
    return UnreadableInput(_unknown(path, known, *kinds))


def _folder_advice(path: Path, known: Collection[str]) -> str:
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
