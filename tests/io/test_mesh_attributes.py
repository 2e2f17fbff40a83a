"""Colors and normals of meshes, and notes of what a mesh loses, in OFF, OBJ, PLY and STL."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from sasnet_sdf.errors import UnreadableInput
from sasnet_sdf.geometry import PointCloud
from sasnet_sdf.io import read_geometry

SQUARE = "0 0 0|1 0 0|1 1 0|0 1 0"
NORMALS = "0 0 1|0 0.6 0.8|0 0 1|0 0 1"
COLORS = "255 0 0 255|0 255 0 255|0 0 255 255|255 255 255 255"


def off(path, head, *columns, faces="3 0 1 2\n3 0 2 3\n"):
    rows = zip(*(column.split("|") for column in columns), strict=True)
    path.write_text(
        f"{head}\n4 {faces.count(chr(10))} 0\n" + "".join(" ".join(r) + "\n" for r in rows) + faces
    )
    return read_geometry(path)


@pytest.mark.parametrize(
    "head, columns",
    [
        ("NOFF", [NORMALS]),
        ("COFF", [COLORS]),
        ("CNOFF", [NORMALS, COLORS]),
        ("NCOFF", [COLORS, NORMALS]),
        ("STOFF", ["0 0|0 1|1 1|1 0"]),
        ("STCNOFF", [NORMALS, COLORS, "0 0|0 1|1 1|1 0"]),
    ],
)
def test_off_headers(tmp_path, head, columns):
    mesh = off(tmp_path / "mesh.off", head, SQUARE, *columns)
    assert mesh.vertices.tolist() == [[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]]
    assert mesh.faces.tolist() == [[0, 1, 2], [0, 2, 3]]
    assert (mesh.normals is not None) == ("N" in head) and (mesh.colors is not None) == ("C" in head)
    if "N" in head:
        assert mesh.normals[1].tolist() == [0, 0.6, 0.8]
    if "C" in head:
        assert mesh.colors.tolist() == [[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255]]
    assert mesh.notes == (("not carried over: texture coordinates",) if "ST" in head else ())


def test_off_without_letters(tmp_path):
    path = tmp_path / "mesh.off"
    assert off(path, "OFF", SQUARE, NORMALS).notes == ("not carried over: 3 further numbers of each vertex",)
    faces = "3 0 1 2 255 0 0\n3 0 2 3 0 0 255\n"
    mesh = off(path, "OFF", SQUARE, faces=faces)
    assert mesh.colors.tolist() == [[128, 0, 128], [255, 0, 0], [128, 0, 128], [0, 0, 255]]
    assert "averaged" in mesh.notes[0]
    for more in ({"faces": "3 0 1 2 7\n3 0 2 3 8\n"}, {"faces": "3 0 1 2 255 0 0\n3 0 2 3\n"}):
        mesh = off(path, "OFF", SQUARE, **more)
        assert mesh.colors is None and mesh.notes == ("not carried over: colors of faces",)
    assert isinstance(off(path, "COFF", SQUARE, COLORS, faces=""), PointCloud)
    for head, name in (("4OFF", "4OFF"), ("OFF BINARY", "binary")):
        with pytest.raises(UnreadableInput, match=f"is {name}"):
            off(path, head, SQUARE)


OBJ = "v 0 0 0\nv 1 0 0\nv 0 1 0\nvt 0 0\n"


@pytest.mark.parametrize(
    "text, notes",
    [
        ("mtllib a.mtl\nusemtl a\n" + OBJ + "f 1/1 2/1 3/1\n", ["colors of materials, textures"]),
        ("usemtl a\n" + OBJ.replace("vt 0 0\n", "") + "f 1 2 3\n", ["colors of materials"]),
        (OBJ + "f 1/1 2/1 3/1\n", ["texture coordinates"]),
        (
            OBJ.replace("vt 0 0\n", "v 1 1 1 1 0 0\n") + "f 1 2 3\n",
            ["colors, which only some of its vertices have"],
        ),
        (OBJ[:-7] + "f 1 2 3\nl 1 2\nl 2 3\np 1\n", ["lines (2), point elements (1)"]),
        (OBJ[:-7] + "p 1 2 3\n", []),
        (OBJ[:-7] + "l 1 2\n", ["lines (1)"]),
    ],
)
def test_obj_names_what_it_loses(tmp_path, text, notes):
    path = tmp_path / "mesh.obj"
    path.write_text(text)
    found = read_geometry(path).notes
    assert len(found) == len(notes) and all(part in note for part, note in zip(notes, found, strict=True))


PLY = "ply\nformat ascii 1.0\nelement vertex 4\nproperty float x\nproperty float y\nproperty float z\n"
ROWS = SQUARE.replace("|", "\n") + "\n"


def test_ply_colors_of_faces(tmp_path):
    path = tmp_path / "mesh.ply"
    colors = "".join(f"property uchar {c}\n" for c in ("red", "green", "blue"))
    head = f"{PLY}element face 2\nproperty list uchar int vertex_indices\n{colors}end_header\n"
    path.write_text(head + ROWS + "3 0 1 2 255 0 0\n3 0 2 3 0 0 255\n")
    mesh = read_geometry(path)
    assert mesh.colors.tolist() == [[128, 0, 128], [255, 0, 0], [128, 0, 128], [0, 0, 255]]
    assert mesh.notes == ("the colors of its faces were averaged at the vertices",)
    both = head.replace("element face", f"{colors}element face")
    rows = "".join(f"{row} 9 9 9\n" for row in ROWS.splitlines())
    path.write_text(both + rows + "3 0 1 2 255 0 0\n3 0 2 3 0 0 255\n")
    mesh = read_geometry(path)
    assert (mesh.colors == 9).all() and "colors of faces" in mesh.notes[0]


def test_ply_strips_textures_and_other_elements(tmp_path):
    path = tmp_path / "mesh.ply"
    head = f"{PLY}property float s\nproperty float t\nelement tristrips 1\n"
    head += "property list int int vertex_indices\nelement edge 1\nproperty int a\nend_header\n"
    rows = "".join(f"{row} 0 0\n" for row in ROWS.splitlines())
    path.write_text(f"{head}{rows}7 0 1 2 -1 0 2 3\n5\n")
    mesh = read_geometry(path)
    assert mesh.faces.tolist() == [[0, 1, 2], [0, 2, 3]]
    (lost,) = mesh.notes
    assert "texture" in lost and "edge" in lost
    path.write_text(f"{head}{rows}4 0 1 2 9\n5\n")
    with pytest.raises(UnreadableInput, match=r"a face names vertex 9 \(from 0\), there are 4"):
        read_geometry(path)


def stl(path, header=b"", attributes=(0, 0), tail=b""):
    square = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]], "<f4")
    rows = b"".join(
        bytes(12) + square[list(face)].tobytes() + struct.pack("<H", attribute)
        for face, attribute in zip(((0, 1, 2), (0, 2, 3)), attributes, strict=True)
    )
    path.write_bytes(header.ljust(80, b" ") + struct.pack("<I", 2) + rows + tail)
    return read_geometry(path)


def test_binary_stl_that_begins_with_solid(tmp_path):
    mesh = stl(tmp_path / "mesh.stl", b"solid exported", tail=bytes(16))
    assert (len(mesh.vertices), len(mesh.faces)) == (4, 2)
    assert mesh.notes == ("16 bytes after its triangles were ignored",)
    assert stl(tmp_path / "mesh.stl", b"solid exported").notes == ()


def test_colors_of_stl(tmp_path):
    path, red, green = tmp_path / "mesh.stl", 31, 31 << 5
    viscam = stl(path, attributes=(0x8000 | red << 10, 0x8000 | green))
    magics = stl(path, b"COLOR=\x00\xff\x00\xff", attributes=(red, 0x8000))
    for mesh in (viscam, magics):
        colors = dict(zip(map(tuple, mesh.vertices.tolist()), mesh.colors.tolist(), strict=True))
        assert colors[1, 0, 0] == [255, 0, 0] and colors[0, 1, 0] == [0, 255, 0]
        assert colors[0, 0, 0] == colors[1, 1, 0] == [128, 128, 0]
        assert mesh.notes == ("the colors of its faces were averaged at the vertices",)
    assert stl(path, attributes=(7, 7)).colors is None
