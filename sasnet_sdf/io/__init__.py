"""Reading and writing clouds, meshes, images and volumes; the file extension determines the format.

Each row of the table in `formats.py` names the functions that read and write one format.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..config import InputConfig
from ..errors import UnusableGeometry, UsageError
from ..geometry import Array, PointCloud, TriangleMesh
from ..signals import Signal
from .access import check_writable, read, write
from .columns import Scan
from .files import atomic_write, within
from .formats import Format, register

__all__ = [
    "Format",
    "atomic_write",
    "check_writable",
    "read_cloud",
    "read_geometry",
    "read_image",
    "read_merged",
    "read_mesh",
    "read_volume",
    "register",
    "write_cloud",
    "write_image",
    "write_mesh",
    "write_table",
    "write_volume",
]


def read_geometry(
    path: str | Path,
    max_points: int | None = None,
    max_memory: int | None = None,
    wanted: InputConfig | None = None,
) -> PointCloud | TriangleMesh:
    """Read a point cloud or a mesh, in its own coordinates: a TriangleMesh where the file has faces.

    The geometry is returned as stored, including points that are not finite; `reconstruct` leaves out what
    it cannot use. The `notes` of the geometry list what the reader left out.

    path: the file. docs/scans.md lists the formats.

    max_points: a larger cloud is thinned to one point per voxel. LAS, E57, PTX, text, NPY, binary PLY and
    binary PCD files are thinned while they are read. Meshes are not thinned. None: all points.

    max_memory: bytes that the process may hold, for a file that is read as a whole. None: no limit.

    wanted: which points of a cloud are kept, chosen before it is thinned. None: all of them.

    Raises UnreadableInput where the file is missing, damaged or of an unknown format; MissingBackend;
    UsageError where reading would need more memory, or `wanted` chooses points of a mesh;
    UnusableGeometry where no point is wanted.

        scan = sasnet_sdf.read_geometry("scan.ply", max_points=1_000_000)
    """
    return read_merged([path], max_points, max_memory, wanted)


def read_merged(
    sources: Sequence[str | Path | PointCloud | TriangleMesh],
    max_points: int | None = None,
    max_memory: int | None = None,
    wanted: InputConfig | None = None,
) -> PointCloud | TriangleMesh:
    """Merge several files and clouds into one cloud, each read as by `read_geometry`.

    Attributes that only some of the inputs have are left out, with a note. A single mesh is returned as is.
    Raises what `read_geometry` does, and UsageError where a mesh is among several.
    """
    from .merging import merged

    found: list[tuple[PointCloud | TriangleMesh | Scan, Path]] = []
    # numbers too large for their type become infinite here, and are counted and left out later
    with np.errstate(all="ignore"):
        for source in sources:
            if isinstance(source, (str, Path)):
                found.append((read(source, "cloud", "mesh", max_memory=max_memory), Path(source)))
            else:
                found.append((source, Path("the input")))
        return merged(found, max_points, wanted)


def read_cloud(path: str | Path) -> PointCloud:
    """Read the points of a file, or the vertices of a mesh, with their attributes.

    path: the file, of any format that `read_geometry` reads. Raises what `read_geometry` raises.

        cloud = sasnet_sdf.read_cloud("scan.ply")
    """
    geometry = read_geometry(path)
    if isinstance(geometry, PointCloud):
        return geometry
    return PointCloud(
        geometry.vertices, geometry.normals, geometry.colors, scalars=geometry.scalars, notes=geometry.notes
    )


def read_mesh(path: str | Path) -> TriangleMesh:
    """Read a triangle mesh; polygons become triangles.

    path: the file, of any format that `read_geometry` reads. Raises what `read_geometry` raises, and
    UnusableGeometry where the file holds no faces.

        mesh = sasnet_sdf.read_mesh("surface.ply")
    """
    geometry = read_geometry(path)
    if isinstance(geometry, TriangleMesh):
        return geometry
    raise UnusableGeometry(f"{path}: holds {len(geometry)} points and no faces; a mesh was expected")


def read_image(path: str | Path, max_memory: int | None = None) -> Signal:
    """Read an image bit for bit, with the top row first.

    Palettes and 1-bit images are expanded, the camera's orientation is applied, and colors are not multiplied
    by alpha. CMYK and other color spaces are converted to RGB, and only the first of several pages is read;
    `notes` report both.

    path: a PNG, JPEG or TIFF file.

    max_memory: bytes that the process may hold. None: no limit.

    Returns a Signal with values (H, W, C): gray, gray and alpha, RGB, or RGB and alpha; uint8, uint16
    or, for a TIFF of floats, float32. Raises UnreadableInput where the file is missing, damaged, not an
    image, or claims more pixels than it can hold; UsageError where it would need more memory.

        values = sasnet_sdf.read_image("photo.png").values
    """
    with within(max_memory):
        return read(path, "image")


def read_volume(path: str | Path, max_memory: int | None = None) -> Signal:
    """Read a volume of any real type with three axes, or with four of which the last has 1 to 4 channels.

    NPY, NIfTI and uncompressed NPZ files are memory-mapped where their values need no change. Booleans
    become uint8; pickles are never loaded. Values that are not finite are kept, and a note counts them.

    path: an NPY, NPZ, TIFF, NIfTI or NRRD file.

    max_memory: bytes that the process may hold. None: no limit.

    Returns a Signal with values (I, J, K, C), C in 1..4. The affine of its `grid` has the spacing, origin
    and directions of the file: the array `spacing` (3,) of an NPZ file, the spacing that ImageJ or OME gives
    a TIFF stack, NIfTI's affine, or NRRD's directions in the space that `header["space"]` names. Raises
    UnreadableInput where the file is missing, damaged or not a volume; MissingBackend; UsageError where it
    would need more memory.

        spacing = sasnet_sdf.read_volume("volume.npz").grid.spacing
    """
    with within(max_memory):
        return read(path, "volume")


def write_mesh(path: str | Path, mesh: TriangleMesh) -> tuple[str, ...]:
    """Write a mesh in the format of the extension: .ply, .obj, .stl, .off or .glb. The write is atomic.

    PLY, OBJ and OFF keep double precision. STL and GLB have single precision; for a mesh far from the origin,
    GLB stores coordinates relative to the mesh's center and the offset in its scene. Only PLY keeps scalars.

    path: the file; one that exists is replaced.

    mesh: vertices (V, 3) in world units, faces (F, 3).

    Returns a sentence about each attribute that the format cannot keep. Raises UsageError where the
    extension is unknown, or the file cannot be written.

        notes = sasnet_sdf.write_mesh("copy.obj", sasnet_sdf.read_mesh("surface.ply"))
    """
    return write(path, "mesh", mesh)


def write_cloud(path: str | Path, cloud: PointCloud) -> tuple[str, ...]:
    """Write a point cloud as a binary PLY file with all its attributes. The write is atomic.

    path: the file, .ply; one that exists is replaced.

    cloud: points (N, 3) in world units. Positions and sensors keep double precision; normals are written
    as floats, 64-bit integers as doubles, and other scalars in their own types.

    Returns a sentence about each attribute that the format cannot keep. Raises UsageError where the
    extension is unknown, or the file cannot be written.

        sasnet_sdf.write_cloud("cloud.ply", sasnet_sdf.PointCloud(points))
    """
    return write(path, "cloud", cloud)


def write_image(path: str | Path, image: Signal | NDArray[Any]) -> tuple[str, ...]:
    """Write an image in the format of the extension: .png, .jpg or .tif. The write is atomic.

    PNG and TIFF keep uint8 and uint16 bit for bit; TIFF also keeps float32. JPEG is lossy and takes uint8
    gray or RGB only.

    path: the file; one that exists is replaced.

    image: samples (H, W, C), C in 1..4, with the top row first, or a Signal of such samples.

    Returns a sentence about each thing that the format cannot keep. Raises UsageError where the format
    cannot hold the samples, the extension is unknown, or the file cannot be written.

        sasnet_sdf.write_image("copy.png", sasnet_sdf.read_image("photo.png"))
    """
    from .images import check_samples

    values = image.values if isinstance(image, Signal) else np.asarray(image)
    if values.ndim != 3 or not 1 <= values.shape[2] <= 4 or not values.size:
        raise UsageError(
            f"{path}: an image has the shape (H, W, C) with 1 to 4 channels, found {values.shape}"
        )
    check_samples(values.dtype, values.shape[2], path)
    return write(path, "image", values)


def write_volume(path: str | Path, volume: Signal) -> tuple[str, ...]:
    """Write a volume in the format of the extension: .npy, .npz, .tif, .nii, .nii.gz or .nrrd.

    Values are kept bit for bit. NIfTI and NRRD keep the affine (NIfTI in single precision), NPZ and TIFF the
    spacing, NPY neither.

    path: the file; one that exists is replaced.

    volume: values (I, J, K, C), C in 1..4, and their grid.

    Returns a sentence about each thing that the format cannot keep. Raises UsageError where the format
    cannot hold the values, the extension is unknown, or the file cannot be written; MissingBackend.

        sasnet_sdf.write_volume("copy.npz", sasnet_sdf.read_volume("volume.npz"))
    """
    if volume.values.ndim != 4 or volume.grid.dim != 3:
        raise UsageError(f"{path}: an image is no volume; write it as PNG or TIFF")
    return write(path, "volume", volume)


def write_table(path: str | Path, points: Array, distances: Array, gradients: Array) -> None:
    """Write points (N, 3), distances (N,) and gradients (N, 3) in float64, one row per point.

    The extension determines the format: .csv, .txt, .npy, .npz or .ply. Raises UsageError.
    """
    write(path, "table", np.column_stack([points, distances, gradients]).astype(np.float64))
