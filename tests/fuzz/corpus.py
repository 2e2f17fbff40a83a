"""Small whole files of every format that is read, made by code: what the fuzz tests damage.

Each holds a few tens of numbers, so that a changed byte is likely to matter.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np

_GENERATOR = np.random.default_rng(0)
_POINTS = np.round(_GENERATOR.normal(size=(12, 3)), 3)
_NORMALS = np.round(_POINTS / np.linalg.norm(_POINTS, axis=1, keepdims=True), 4)
_COLORS = _GENERATOR.integers(0, 255, (12, 3))
_CUBE = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)], float)
_QUADS = np.array([[0, 1, 3, 2], [4, 6, 7, 5], [0, 4, 5, 1], [2, 3, 7, 6], [0, 2, 6, 4], [1, 5, 7, 3]])
_FACES = np.concatenate([_QUADS[:, [0, 1, 2]], _QUADS[:, [0, 2, 3]]])


def write_all(folder: Path) -> list[Path]:
    """Write every file into the folder; their paths."""
    for make in (_plys, _texts, _pcds, _arrays, _lidar, _meshes, _images, _volumes, _models):
        for name, content in make(folder):
            if content is not None:
                (folder / name).write_bytes(content)
    return sorted(folder.iterdir())


def _rows(*columns: np.ndarray, separator: str = " ") -> str:
    return "".join(separator.join(f"{x:g}" for x in row) + "\n" for row in np.hstack(columns))


def _plys(folder: Path) -> Iterator[tuple[str, bytes | None]]:
    xyz = "".join(f"property float {axis}\n" for axis in "xyz")
    rgb = "".join(f"property uchar {name}\n" for name in ("red", "green", "blue"))
    vertex, faces = "element vertex 12\n", "element face 6\nproperty list uchar int vertex_indices\n"
    points = _rows(_POINTS, _COLORS)
    yield "ascii.ply", f"ply\nformat ascii 1.0\n{vertex}{xyz}{rgb}end_header\n{points}".encode()
    cube = f"element vertex 8\n{xyz}{faces}end_header\n"
    quads = "".join(f"4 {a} {b} {c} {d}\n" for a, b, c, d in _QUADS)
    yield "quads.ply", f"ply\nformat ascii 1.0\n{cube}{_rows(_CUBE)}{quads}".encode()
    for kind, order in (("little", "<"), ("big", ">")):
        head = f"ply\nformat binary_{kind}_endian 1.0\n"
        bytes_of = _POINTS.astype(f"{order}f4").tobytes()
        yield f"{kind}.ply", f"{head}{vertex}{xyz}end_header\n".encode() + bytes_of
        polygons = b"".join(struct.pack(f"{order}B4i", 4, *quad) for quad in _QUADS)
        yield f"mesh_{kind}.ply", (head + cube).encode() + _CUBE.astype(f"{order}f4").tobytes() + polygons
    lists = f"{vertex}{xyz}property list uchar float extra\nend_header\n"
    rows = b"".join(row.tobytes() + struct.pack("<B2f", 2, 1, 2) for row in _POINTS.astype("<f4"))
    yield "lists.ply", f"ply\nformat binary_little_endian 1.0\n{lists}".encode() + rows


def _texts(folder: Path) -> Iterator[tuple[str, bytes | None]]:
    yield "plain.xyz", _rows(_POINTS, _NORMALS).encode()
    named = "x,y,z,red,green,blue,vx,vy,vz\n" + _rows(_POINTS, _COLORS, _NORMALS, separator=",")
    yield "named.csv", named.encode()
    yield "counted.pts", f"12\n{_rows(_POINTS, _COLORS[:, :1], _COLORS)}".encode()
    yield "remark.asc", f"# x y z intensity\n{_rows(_POINTS, _COLORS[:, :1])}".encode()
    yield "other.txt", _rows(_POINTS).encode()
    pose = "3 4\n1 2 3\n1 0 0\n0 1 0\n0 0 1\n1 0 0 0\n0 1 0 0\n0 0 1 0\n1 2 3 1\n"
    yield (
        "scan.ptx",
        f"{pose}{_rows(_POINTS, np.full((12, 1), 0.5), _COLORS)}".replace("3 4", "3\n4").encode(),
    )


def _pcds(folder: Path) -> Iterator[tuple[str, bytes | None]]:
    head = (
        "VERSION .7\nFIELDS x y z rgb\nSIZE 4 4 4 4\nTYPE F F F U\nCOUNT 1 1 1 1\n"
        "WIDTH 4\nHEIGHT 3\nVIEWPOINT 0 0 0 1 0 0 0\nPOINTS 12\nDATA "
    )
    packed = np.rec.fromarrays([*_POINTS.T, np.arange(12)], dtype="<f4,<f4,<f4,<u4")
    yield "ascii.pcd", f"{head}ascii\n{_rows(_POINTS, _COLORS[:, :1])}".encode()
    yield "binary.pcd", f"{head}binary\n".encode() + packed.tobytes()
    columns = b"".join(np.ascontiguousarray(packed[name]).tobytes() for name in packed.dtype.names or ())
    # literals, and at the end a copy of the last four bytes
    pieces = [columns[k : k + 32] for k in range(0, len(columns) - 4, 32)]
    pieces[-1] = columns[32 * (len(pieces) - 1) : -4]
    stream = b"".join(bytes([len(piece) - 1]) + piece for piece in pieces) + b"\x03" + columns[-4:]
    sizes = struct.pack("<II", len(stream), len(columns))
    yield "packed.pcd", f"{head}binary_compressed\n".encode() + sizes + stream


def _arrays(folder: Path) -> Iterator[tuple[str, bytes | None]]:
    table, volume = np.hstack([_POINTS, _NORMALS]), _GENERATOR.normal(size=(3, 4, 5)).astype(np.float32)
    np.save(folder / "table.npy", table)
    np.save(folder / "columns.npy", np.asfortranarray(table))
    np.save(folder / "volume.npy", volume)
    np.savez(folder / "cloud.npz", points=_POINTS, normals=_NORMALS, intensity=np.arange(12))
    np.savez_compressed(folder / "packed.npz", points=_POINTS, colors=_COLORS)
    np.savez(folder / "volume.npz", volume=volume, spacing=np.ones(3))
    np.savez_compressed(folder / "volume_packed.npz", volume=volume)
    yield from ()


def _lidar(folder: Path) -> Iterator[tuple[str, bytes | None]]:
    """LAS, LAZ and E57, where their libraries are there."""
    try:
        import laspy
        import pye57
    except ImportError:
        return
    las = laspy.create(point_format=2, file_version="1.2")
    las.header.scales = [0.001] * 3
    las.x, las.y, las.z = _POINTS.T
    las.red, las.green, las.blue = (_COLORS.T * 257).astype(np.uint16)
    las.write(folder / "points.las")
    las.write(folder / "points.laz")
    e57 = pye57.E57(str(folder / "scan.e57"), mode="w")
    names = (*(f"cartesian{axis}" for axis in "XYZ"), *(f"color{c}" for c in ("Red", "Green", "Blue")))
    values = [*_POINTS.T, *_COLORS.T.astype(np.uint8)]
    e57.write_scan_raw({n: np.ascontiguousarray(v) for n, v in zip(names, values, strict=True)})
    e57.close()
    yield from ()


def _meshes(folder: Path) -> Iterator[tuple[str, bytes | None]]:
    from sasnet_sdf.geometry import TriangleMesh

    colors = np.arange(24).reshape(8, 3).astype(np.uint8)
    mesh = TriangleMesh(_CUBE, _FACES, _CUBE * 2 - 1, colors)
    for suffix in ("obj", "stl", "off", "glb"):
        mesh.save(folder / f"cube.{suffix}")
    yield "scene.glb", _scene()
    yield "face_colors.off", b"NOFF\n3 1 0\n0 0 0 0 0 1\n1 0 0 0 0 1\n0 1 0 0 0 1\n3 0 1 2 255 0 0\n"
    yield "points.obj", "".join(f"v {row}" for row in _rows(_POINTS).splitlines(True)).encode()
    corner = "  vertex {:g} {:g} {:g}\n"
    facets = "".join(
        " facet normal 0 0 1\n  outer loop\n"
        + "".join(corner.format(*_CUBE[k]) for k in face)
        + " endloop\n endfacet\n"
        for face in _FACES
    )
    yield "ascii.stl", f"solid cube\n{facets}endsolid cube\n".encode()


def _scene() -> bytes:
    """Instances of a strip with sparse, normalized positions below a mirrored node, and points."""
    positions = np.array([[0, 0, 0, 0], [127, 0, 0, 0], [0, 127, 0, 0], [0, 0, 127, 0]], np.int8)
    places = np.array([[0, 0, 0], [3, 0, 0]], np.float32)
    strip, where = np.array([0, 1, 2, 3], np.uint16), np.array([3], np.uint16)
    cloud = _GENERATOR.normal(size=(40, 3)).astype(np.float32)
    views, data = [], b""
    for block in (positions, places, strip, where, positions[3:, :3], cloud):
        views.append({"buffer": 0, "byteOffset": len(data), "byteLength": block.nbytes})
        data += block.tobytes() + bytes(-block.nbytes % 4)
    views[0]["byteStride"] = 4
    sparse = {"count": 1, "indices": {"bufferView": 3, "componentType": 5123}, "values": {"bufferView": 4}}
    accessors = [
        {
            "bufferView": 0,
            "componentType": 5120,
            "count": 4,
            "type": "VEC3",
            "normalized": True,
            "sparse": sparse,
        },
        {"bufferView": 1, "componentType": 5126, "count": 2, "type": "VEC3"},
        {"bufferView": 2, "componentType": 5123, "count": 4, "type": "SCALAR"},
        {"bufferView": 5, "componentType": 5126, "count": 40, "type": "VEC3"},
    ]
    strip_mesh = {"primitives": [{"attributes": {"POSITION": 0}, "indices": 2, "mode": 5}]}
    points_mesh = {"primitives": [{"attributes": {"POSITION": 3}, "mode": 0}]}
    copies = {"EXT_mesh_gpu_instancing": {"attributes": {"TRANSLATION": 1}}}
    tree = {
        "accessors": accessors,
        "bufferViews": views,
        "buffers": [{"byteLength": len(data)}],
        "meshes": [strip_mesh, points_mesh],
        "nodes": [{"mesh": 0, "extensions": copies}, {"children": [0], "scale": [-1, 1, 2]}, {"mesh": 1}],
        "scenes": [{"nodes": [1, 2]}],
    }
    text = json.dumps(tree).encode()
    text += b" " * (-len(text) % 4)
    head = struct.pack("<4sIIII", b"glTF", 2, 28 + len(text) + len(data), len(text), 0x4E4F534A)
    return head + text + struct.pack("<II", len(data), 0x004E4942) + data


def _images(folder: Path) -> Iterator[tuple[str, bytes | None]]:
    import tifffile
    from PIL import Image, PngImagePlugin

    from sasnet_sdf.io import write_image

    deep = _GENERATOR.integers(0, 65535, (4, 5, 3)).astype(np.uint16)
    small = (deep >> 8).astype(np.uint8)
    write_image(folder / "deep.png", deep)
    write_image(folder / "deep_gray.png", deep[..., :1])
    Image.fromarray(small).convert("P").save(folder / "palette.png")
    words = PngImagePlugin.PngInfo()
    words.add_text("Comment", "words " * 10, zip=True)
    Image.fromarray(small).save(folder / "words.png", pnginfo=words, icc_profile=b"profile " * 20)
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(small).save(folder / "photo.jpg", exif=exif)
    Image.fromarray(small).convert("CMYK").save(folder / "print.jpg")
    write_image(folder / "deep.tif", deep)
    write_image(folder / "reals.tif", deep.astype(np.float32))
    tifffile.imwrite(folder / "plain.tif", small, photometric="rgb", metadata=None)
    Image.fromarray(small).convert("P").save(folder / "palette.tif", compression="tiff_lzw")
    yield from ()


def _volumes(folder: Path) -> Iterator[tuple[str, bytes | None]]:
    import tifffile
    from PIL import Image

    from sasnet_sdf.errors import MissingBackend
    from sasnet_sdf.io import write_volume
    from sasnet_sdf.signals import Grid, Signal

    values = _GENERATOR.integers(0, 255, (3, 4, 5, 1)).astype(np.uint8)
    signal = Signal(values, Grid.of_volume((3, 4, 5), (1.0, 2.0, 0.5)))
    tifffile.imwrite(
        folder / "stack.tif", values[..., 0], imagej=True, metadata={"spacing": 2.0, "axes": "ZYX"}
    )
    signal.header["space units"] = ["um"] * 3
    write_volume(folder / "ome.tif", signal)
    first, *others = (Image.fromarray(page) for page in values[..., 0])
    first.save(folder / "lzw.tif", save_all=True, append_images=others, compression="tiff_lzw")
    head = "NRRD0004\ntype: uchar\ndimension: 3\nsizes: 3 4 5\nspacings: 1 2 0.5\nencoding: "
    yield "raw.nrrd", f"{head}raw\n\n".encode() + values.tobytes()
    bounds = "axis mins: 1 2 3\naxis maxs: 3 5 7\nthicknesses: nan nan 2\ncenterings: node cell node\n"
    head_of_bounds = head.replace("spacings: 1 2 0.5\n", bounds)
    yield "bounds.nrrd", f"{head_of_bounds}raw\n\n".encode() + values.tobytes()
    yield "text.nrrd", f"{head}ascii\n\n{' '.join(map(str, values.ravel()))}\n".encode()
    for name in ("brain.nii", "brain.nii.gz", "packed.nrrd"):
        try:
            write_volume(folder / name, signal)
        except MissingBackend:
            continue


def _models(folder: Path) -> Iterator[tuple[str, bytes | None]]:
    from sasnet_sdf.extraction.refinement import Support
    from sasnet_sdf.field import Field
    from sasnet_sdf.fitted import FittedSignal
    from sasnet_sdf.geometry import Frame
    from sasnet_sdf.model_config import GridConfig, SASNetConfig, SirenConfig
    from sasnet_sdf.networks.registry import build_model
    from sasnet_sdf.signals import Grid
    from sasnet_sdf.spatial import Tree

    grid = GridConfig(levels=2, log2_table=4, coarsest=2, finest=4)
    config = SASNetConfig(
        width=8, hidden_layers=1, low=2, band=6, bands=2, groups=2, decoder_width=4, grid=grid
    )
    low, high = -np.full(3, 0.9), np.full(3, 0.9)
    frame = Frame(np.array([1.0, 2.0, 3.0]), 4.0)
    facts = {"steps": 10, "loss": 0.1, "seed": 0}
    support = Support(Tree.of(_POINTS / 4), np.full(12, 0.1), 0.1)
    network = build_model(config, engine="torch")
    Field(network, frame, low, high, facts, support).save(folder / "field.sasnet")
    siren = build_model(SirenConfig(width=6, hidden_layers=1), dim=2, outputs=3)
    FittedSignal(siren, Grid.of_image(4, 5), np.zeros(3), np.full(3, 255.0), "|u1", 255.0, {}, facts).save(
        folder / "image.sasnet"
    )
    yield from ()
