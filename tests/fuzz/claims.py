"""Small files that claim to be large: what each reader must refuse before it takes memory or time for it."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

_MANY = 1_000_000_000
_XYZ = "property float x\nproperty float y\nproperty float z\n"
_ZEROS = bytes(1 << 26)


def write_all(folder: Path, whole: Path) -> list[Path]:
    """Write the files into the folder; some are whole files of `corpus`, in the folder `whole`, changed."""
    for make in (_plys, _pcds, _others, _arrays, _glbs, _models):
        for name, content in make():
            (folder / name).write_bytes(content)
    for make in (_lidar, _images, _volumes):
        for name, content in make(whole):
            (folder / name).write_bytes(content)
    return sorted(folder.iterdir())


def _plys() -> Iterator[tuple[str, bytes]]:
    ascii_head, binary = "ply\nformat ascii 1.0\n", "ply\nformat binary_little_endian 1.0\n"
    many = f"element vertex {_MANY}\n{_XYZ}end_header\n"
    yield "ascii.ply", (ascii_head + many + "0 0 0\n").encode()
    yield "binary.ply", (binary + many).encode() + bytes(60)
    yield "digits.ply", (ascii_head + many.replace(str(_MANY), "9" * 5000)).encode()
    faces = (
        f"element vertex 1\n{_XYZ}element face {_MANY}\nproperty list uchar int vertex_indices\nend_header\n"
    )
    yield "faces.ply", (binary + faces).encode() + bytes(60)
    yield (
        "nothing.ply",
        f"{ascii_head}element vertex 1\n{_XYZ}element a {_MANY}\nend_header\n0 0 0\n".encode(),
    )
    one = f"element vertex 1\n{_XYZ}property list uint double more\nend_header\n"
    yield "list.ply", (binary + one).encode() + bytes(12) + struct.pack("<I", 2**32 - 1) + bytes(40)
    yield "list_ascii.ply", (ascii_head + one + f"0 0 0 {_MANY} 1 2\n").encode()


def _pcds() -> Iterator[tuple[str, bytes]]:
    head = "FIELDS x y z\nSIZE 4 4 4\nTYPE F F F\nCOUNT 1 1 1\nWIDTH {0}\nHEIGHT 1\nPOINTS {0}\nDATA {1}\n"
    for kind in ("ascii", "binary", "binary_compressed"):
        yield f"{kind}.pcd", head.format(_MANY, kind).encode() + b"1 2 3 4\n" * 10
    packed = head.format(_MANY, "binary_compressed").encode()
    yield "packed.pcd", packed + struct.pack("<II", 40, 4_000_000_000) + bytes(40)
    wide = head.replace("COUNT 1 1 1", f"COUNT 1 1 {_MANY}").format(1, "binary")
    yield "count.pcd", wide.encode() + bytes(60)


def _others() -> Iterator[tuple[str, bytes]]:
    yield "vertices.off", f"OFF\n{_MANY} 1 0\n0 0 0\n".encode()
    yield "faces.off", f"OFF\n3 {_MANY} 0\n0 0 0\n1 0 0\n0 1 0\n3 0 1 2\n".encode()
    yield "corners.off", f"OFF\n3 1 0\n0 0 0\n1 0 0\n0 1 0\n{_MANY} 0 1 2\n".encode()
    yield "cube.stl", bytes(80) + struct.pack("<I", 4_000_000_000) + bytes(120)
    yield "index.obj", f"v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 {10**30}\n".encode()
    yield "scan.pts", f"{_MANY}\n0 0 0\n".encode()
    pose = "1 0 0\n0 1 0\n0 0 1\n1 0 0 0\n0 1 0 0\n0 0 1 0\n0 0 0 1\n"
    yield "scan.ptx", f"{_MANY}\n{_MANY}\n0 0 0\n{pose}0 0 0 1\n".encode()


def _npy(shape: str, kind: str = "<f8", version: int = 1) -> bytes:
    head = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY" + bytes([version, 0]) + struct.pack("<H" if version == 1 else "<I", len(head)) + head


def _arrays() -> Iterator[tuple[str, bytes]]:
    yield "points.npy", _npy(f"({_MANY}, 3)") + bytes(72)
    yield "negative.npy", _npy(f"(-{_MANY}, -3)") + bytes(72)
    yield "volume.npy", _npy("(100000, 100000, 100000)", "|u1") + bytes(72)
    yield "objects.npy", _npy("(12, 3)", "|O") + b"cos\nsystem\n(S'exit 1'\ntR." + bytes(300)
    yield "header.npy", b"\x93NUMPY\2\0" + struct.pack("<I", 2**32 - 1) + b"{" * 20_000
    for name, members in (
        ("points.npz", {"points": _npy(f"({_MANY}, 3)") + bytes(72)}),
        ("objects.npz", {"points": _npy("(12, 3)", "|O") + bytes(288)}),
        ("volume.npz", {"volume": _npy(f"({_MANY}, 9, 9)") + bytes(72)}),
        ("members.npz", {f"a{k}": b"" for k in range(3000)} | {"points": _npy("(12, 3)") + bytes(288)}),
    ):
        yield name, _archive(members)
    # that the header of its member is as long as the member, which unpacks to 64 MB
    yield "line.npz", _archive({"a\nb": _npy("(12, 3)") + bytes(288)})
    long = b"\x93NUMPY\2\0" + struct.pack("<I", len(_ZEROS)) + _ZEROS
    yield "header.npz", _archive({"points": long}, zipfile.ZIP_DEFLATED)
    # that it unpacks to more than any packing can
    honest = _archive({"points": _npy("(12, 3)") + bytes(288), "volume": _npy("(3, 4, 5)") + bytes(480)})
    for size in (len(_npy("(12, 3)")) + 288, len(_npy("(3, 4, 5)")) + 480):
        honest = honest.replace(struct.pack("<II", size, size), struct.pack("<II", size, 4_000_000_000))
    yield "sizes.npz", honest


def _archive(members: dict[str, bytes], packing: int = zipfile.ZIP_STORED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", packing) as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.npy", content)
    return file.getvalue()


def _glbs() -> Iterator[tuple[str, bytes]]:
    accessor = {"componentType": 5126, "type": "VEC3", "count": _MANY}
    mesh = {"primitives": [{"attributes": {"POSITION": 0}}]}
    tree = {"accessors": [accessor], "meshes": [mesh], "nodes": [{"mesh": 0}], "scenes": [{"nodes": [0]}]}
    yield "accessor.glb", _glb(json.dumps(tree))
    nodes = [{"mesh": 0}] * 100_000
    placed = tree | {"accessors": [accessor | {"count": 99_999}], "nodes": nodes}
    yield "placed.glb", _glb(json.dumps(placed | {"scenes": [{"nodes": list(range(len(nodes)))}]}))
    points = {"bufferView": 0, "componentType": 5126, "type": "VEC4", "count": 3}
    views = {"bufferViews": [{"buffer": 0, "byteLength": 48}], "buffers": [{"byteLength": 48}]}
    yield "four.glb", _glb(json.dumps(tree | views | {"accessors": [points]}), bytes(range(48)))
    node = {"mesh": 0, "extensions": {"EXT_mesh_gpu_instancing": {"attributes": {"TRANSLATION": 1}}}}
    copies = [accessor | {"count": 99_999}, accessor | {"count": 1_000_000}]
    yield "instances.glb", _glb(json.dumps(tree | {"accessors": copies, "nodes": [node]}))
    sparse = {
        "count": _MANY,
        "indices": {"bufferView": 0, "componentType": 5123},
        "values": {"bufferView": 0},
    }
    few = [accessor | {"count": 3, "sparse": sparse}]
    yield "sparse.glb", _glb(json.dumps(tree | views | {"accessors": few}), bytes(48))
    yield "deep.glb", _glb("[" * 100_000 + "]" * 100_000)
    yield "elsewhere.glb", _glb(json.dumps(tree | {"buffers": [{"byteLength": 9, "uri": "/etc/passwd"}]}))


def _glb(text: str, data: bytes = b"") -> bytes:
    content = text.encode().ljust(-(-len(text) // 4) * 4)
    content += struct.pack("<I4s", len(data), b"BIN\0") + data if data else b""
    length = len(content) - len(data) - 8 * bool(data)
    return struct.pack("<4sIIII", b"glTF", 2, 20 + len(content), length, 0x4E4F534A) + content


def _models() -> Iterator[tuple[str, bytes]]:
    yield "header.sasnet", struct.pack("<Q", 2**62) + b"{" + bytes(200)
    tensor = {"dtype": "F32", "shape": [_MANY, 4], "data_offsets": [0, 16 * _MANY]}
    yield "tensor.sasnet", _safetensors({"weights": tensor})
    yield "deep.sasnet", _safetensors({"__metadata__": {"sasnet-sdf": "[" * 100_000 + "]" * 100_000}})


def _safetensors(header: dict[str, object]) -> bytes:
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + bytes(64)


def _patched(content: bytes, place: int, form: str, *values: float) -> bytes:
    changed = bytearray(content)
    struct.pack_into(form, changed, place, *values)
    return bytes(changed)


def _lidar(whole: Path) -> Iterator[tuple[str, bytes]]:
    """LAS, LAZ and E57, where their libraries are there."""
    if not (whole / "points.laz").exists():
        return
    las, laz = (whole / "points.las").read_bytes(), (whole / "points.laz").read_bytes()
    yield "points.las", _patched(las, 107, "<I", 4_000_000_000)
    yield "points.laz", _patched(laz, 107, "<I", 4_000_000_000)
    for name, content in (("records.las", las), ("records.laz", laz)):
        yield name, _patched(content, 100, "<I", 3_000_000_000)
    start = struct.unpack_from("<I", laz, 96)[0]
    table = struct.unpack_from("<q", laz, start)[0]
    yield "chunks.laz", _patched(laz, table + 4, "<I", 4_000_000_000)
    # of its laszip record: points of a chunk, and bytes of the first item of a point
    record = laz.index(b"laszip encoded") + 52
    yield "chunk.laz", _patched(laz, record + 12, "<I", 4_000_000_000)
    yield "item.laz", _patched(laz, record + 36, "<H", 65_535)
    e57 = (whole / "scan.e57").read_bytes()
    place = e57.index(b"?>") + 2
    # over the elements that follow, so that the length stays
    bomb = b'<!DOCTYPE a [<!ENTITY b "bbbb"><!ENTITY c "&b;&b;&b;&b;">]>'
    yield "entities.e57", e57[:place] + bomb + e57[place + len(bomb) :]
    nested = b"<a>" * 100
    yield "nested.e57", e57[:place] + nested + e57[place + len(nested) :]


def _images(whole: Path) -> Iterator[tuple[str, bytes]]:
    for name in ("palette.png", "deep.png"):
        png = bytearray((whole / name).read_bytes())
        png[16:24] = struct.pack(">II", 60_000, 60_000)
        png[29:33] = struct.pack(">I", zlib.crc32(png[12:29]))
        yield name, bytes(png)
    png, packed = (whole / "words.png").read_bytes(), zlib.compress(_ZEROS)
    for kind, words in ((b"zTXt", b"Comment\0\0"), (b"iCCP", b"profile\0\0")):
        body = kind + words + packed
        chunk = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
        yield f"{kind.decode()}.png", png[:33] + chunk + png[33:]
    jpg = (whole / "photo.jpg").read_bytes()
    yield "photo.jpg", _patched(jpg, jpg.index(b"\xff\xc0") + 5, ">HH", 65_500, 65_500)
    for name in ("plain.tif", "deep.tif", "palette.tif", "stack.tif"):
        tif = (whole / name).read_bytes()
        tags, order = struct.unpack_from("<I", tif, 4)[0], "<"
        if tif[:2] == b"MM":
            tags, order = struct.unpack_from(">I", tif, 4)[0], ">"
        for k in range(struct.unpack_from(f"{order}H", tif, tags)[0]):
            if struct.unpack_from(f"{order}H", tif, tags + 2 + 12 * k)[0] in (256, 257):
                tif = _patched(tif, tags + 4 + 12 * k, f"{order}HII", 4, 1, 200_000)
        yield name, tif


def _volumes(whole: Path) -> Iterator[tuple[str, bytes]]:
    head = "NRRD0004\ntype: uchar\ndimension: 3\nsizes: {}\nencoding: {}\n\n"
    yield "raw.nrrd", head.format("100000 100000 100000", "raw").encode() + bytes(60)
    yield "claim.nrrd", head.format("100000 100000 100000", "gzip").encode() + gzip.compress(bytes(60))
    yield (
        "lines.nrrd",
        head.replace("encoding", f"line skip: {_MANY}\nencoding").format("3 4 5", "raw").encode(),
    )
    yield "bomb_gz.nrrd", head.format("3 4 5", "gzip").encode() + gzip.compress(_ZEROS)
    yield "bomb_bz2.nrrd", head.format("3 4 5", "bzip2").encode() + bz2.compress(_ZEROS)
    if (whole / "brain.nii").exists():
        nii = (whole / "brain.nii").read_bytes()
        large, far = _patched(nii, 42, "<3h", 30_000, 30_000, 30_000), _patched(nii, 108, "<f", 1e12)
        for name, content in (("large", large), ("far", far)):
            yield f"{name}.nii", content
            yield f"{name}.nii.gz", gzip.compress(content)
