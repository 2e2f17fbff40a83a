"""The table of file formats: readers, writers, checks, messages and lists of extensions come from it."""

from __future__ import annotations

import importlib
import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Literal

from ..errors import UsageError

Kind = Literal["cloud", "mesh", "image", "volume", "model", "table", "report"]
"""The kinds of file content. Tables (distances and gradients at points) and reports are only written."""

Function = Callable[..., Any] | str
"""A function, or `module:name`, which is imported when it is first called."""


@dataclass(frozen=True)
class Format:
    """A file format: its names, and the functions that read and write it (docs/extending.md).

    name: the name in messages and the documentation, such as "PLY". extensions: in lower case with their
    dots, such as (".ply",).

    read: for each kind that a file may hold, a function `read(path)`. It returns a PointCloud or a
    TriangleMesh for "cloud" and "mesh" (one function for both, which returns whichever the file holds), a
    Signal for "image" and "volume". It raises UnreadableInput or ValueError where the file is damaged.

    write: for each kind, a function `write(path, value)`. The path is a temporary one in the output's folder,
    with the same extension; it is renamed when the function returns. The function returns sentences about
    what the format cannot keep, or None, and raises UsageError where the format cannot hold the value.

    memory: the peak memory that reading takes, either in bytes per byte of the file or as a function
    `memory(path)` that returns bytes. 0 where the file is read piece by piece. content: a function
    `content(path)`, which returns the kind that a file holds; None where the extension decides. extra: the
    extra of this package that installs the format's library.
    """

    name: str
    extensions: tuple[str, ...]
    read: Mapping[Kind, Function] = field(default_factory=dict)
    write: Mapping[Kind, Function] = field(default_factory=dict)
    memory: float | Function = 0.0
    content: Function | None = None
    extra: str = ""

    def __post_init__(self) -> None:
        if not self.extensions or any(e != e.lower() or e[:1] != "." for e in self.extensions):
            raise UsageError(f"{self.name}: extensions must be like '.ply', found {self.extensions!r}")


def _geometry(function: str) -> dict[Kind, Function]:
    return {"cloud": function, "mesh": function}


_ROWS = [
    Format(
        "PLY",
        (".ply",),
        _geometry(".ply:read"),
        {"mesh": ".ply:write_mesh", "cloud": ".ply:write_cloud", "table": ".ply:write_table"},
        memory=".ply:memory",
    ),
    Format("OBJ", (".obj",), _geometry(".obj_off:read_obj"), {"mesh": ".obj_off:write_obj"}, memory=8),
    Format("STL", (".stl",), {"mesh": ".stl:read"}, {"mesh": ".stl:write"}, memory=13),
    Format("OFF", (".off",), _geometry(".obj_off:read_off"), {"mesh": ".obj_off:write_off"}, memory=23),
    Format("GLB", (".glb",), _geometry(".glb:read"), {"mesh": ".glb:write"}, memory=18),
    Format("CSV", (".csv",), {"cloud": ".text:read"}, {"table": ".text:write_table"}),
    Format("TXT", (".txt",), {"cloud": ".text:read"}, {"table": ".text:write_table"}),
    Format("XYZ, PTS and ASC", (".xyz", ".pts", ".asc"), {"cloud": ".text:read"}),
    Format(
        "NPY",
        (".npy",),
        {"cloud": ".arrays:read_npy", "volume": ".arrays:read_npy_volume"},
        {"table": ".arrays:write_npy_table", "volume": ".arrays:write_npy_volume"},
        content=".arrays:content",
    ),
    Format(
        "NPZ",
        (".npz",),
        {"cloud": ".arrays:read_npz", "volume": ".arrays:read_npz_volume"},
        {"table": ".arrays:write_npz_table", "volume": ".arrays:write_npz_volume"},
        memory=".arrays:memory",
        content=".arrays:content",
    ),
    Format("PCD", (".pcd",), {"cloud": ".pcd:read"}),
    Format("PTX", (".ptx",), {"cloud": ".scanners:read_ptx"}),
    Format("LAS and LAZ", (".las", ".laz"), {"cloud": ".las:read"}, extra="lidar"),
    Format("E57", (".e57",), {"cloud": ".scanners:read_e57"}, extra="lidar"),
    Format("PNG", (".png",), {"image": ".images:read"}, {"image": ".images:write_png"}),
    Format("JPEG", (".jpg", ".jpeg"), {"image": ".images:read"}, {"image": ".images:write_jpeg"}),
    Format(
        "TIFF",
        (".tif", ".tiff"),
        {"image": ".images:read", "volume": ".tiff:read_volume"},
        {"image": ".tiff:write_image", "volume": ".tiff:write_volume"},
        content=".tiff:content",
    ),
    Format(
        "NIfTI",
        (".nii", ".nii.gz"),
        {"volume": ".volumes:read_nifti"},
        {"volume": ".volumes:write_nifti"},
        extra="volumes",
    ),
    Format("NRRD", (".nrrd",), {"volume": ".nrrd:read"}, {"volume": ".nrrd:write"}, extra="volumes"),
    Format("model", (".sasnet",), {"model": ".models:read_model"}, {"model": ".models:write_model"}),
    Format("JSON", (".json",), write={"report": ".files:write_json"}),
]
"""The formats of this package and registered ones. `memory` was measured on files of 5 to 22 MB."""

OWN = tuple(_ROWS)


def register(row: Format) -> None:
    """Add a file format, which all functions, commands and lists of extensions then know.

    An installed package may instead name its `Format` as an entry point of the group
    `sasnet_sdf.formats`; it is imported only when an extension is unknown or all formats are listed. Where
    formats share an extension, this package's own come first, then registered ones in order of registration.
    """
    _ROWS.append(row)


@cache
def _installed() -> tuple[Format, ...]:
    """The formats of installed packages; one that cannot be loaded is logged and skipped."""
    from importlib.metadata import entry_points

    found: list[Format] = []
    for entry in entry_points(group="sasnet_sdf.formats"):
        try:
            row = entry.load()
            if not isinstance(row, Format):
                raise TypeError(f"it is a {type(row).__name__}, not a Format")
            found.append(row)
        except Exception as error:  # noqa: BLE001 - whatever another package raises
            logging.getLogger(__name__).warning("the file format %s cannot be used: %s", entry.value, error)
    return tuple(found)


def _rows() -> Iterator[Format]:
    yield from _ROWS
    yield from _installed()


def suffix_of(path: str | Path) -> str:
    """The extension that names the format, in lower case; `.nii.gz` is one extension."""
    name = Path(Path(path).name.lower())
    double = "".join(name.suffixes[-2:])
    return double if any(double in row.extensions for row in _ROWS) else name.suffix


def find(path: str | Path, *kinds: Kind, writing: bool = False) -> Format | None:
    """The first format of the extension that reads, or writes, one of the kinds; without kinds, any kind."""
    suffix = suffix_of(path)
    for row in _rows():
        held = row.write if writing else row.read
        if suffix in row.extensions and (held if not kinds else held.keys() & set(kinds)):
            return row
    return None


def extensions(*kinds: Kind, writing: bool = False) -> tuple[str, ...]:
    """All extensions that are read, or written, for one of the kinds; without kinds, for any."""
    held = [(row, row.write if writing else row.read) for row in _rows()]
    rows = [row for row, functions in held if (functions.keys() & set(kinds) if kinds else functions)]
    return tuple(dict.fromkeys(extension for row in rows for extension in row.extensions))


def function_of(function: Function) -> Callable[..., Any]:
    """The function itself, imported if the table has only its name."""
    if not isinstance(function, str):
        return function
    module, _, name = function.partition(":")
    return getattr(importlib.import_module(module, __package__), name)


def kind_of(path: str | Path) -> Kind | None:
    """The kind that a file holds, by its extension and, where that is ambiguous, its content.

    "cloud" stands for clouds and meshes. A file whose content cannot be read counts as the first kind
    of its format; the reader of that kind reports the error. None where the extension is unknown.
    """
    row = find(path)
    if row is None:
        return None
    try:
        kind = function_of(row.content)(Path(path)) if row.content else None
    except Exception:  # noqa: BLE001 - whatever a library raises for a damaged file
        kind = None
    kind = kind or next(iter(row.read))
    return "cloud" if kind == "mesh" else kind


def signal_kind(path: str | Path) -> Literal["image", "volume"] | None:
    """Whether a file holds an image or a volume; None for everything else. See `kind_of`."""
    kind = kind_of(path)
    return kind if kind == "image" or kind == "volume" else None
