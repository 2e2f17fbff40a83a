"""Meshes in every format: the same shape comes back, in the same place."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from sasnet_sdf.errors import UnreadableInput, UsageError
from sasnet_sdf.geometry import PointCloud, TriangleMesh
from sasnet_sdf.io import read_cloud, read_geometry, write_mesh
from sasnet_sdf.io.formats import extensions

MESHES = extensions("mesh", writing=True)

OFFSET = np.array([5e6 + 0.1, 6e5 + 0.2, 100.3])


def icosahedron(offset=0.0):
    import trimesh

    shape = trimesh.creation.icosahedron()
    vertices = np.array(shape.vertices)
    normals = vertices / np.linalg.norm(vertices, axis=1, keepdims=True)
    colors = np.random.default_rng(0).integers(0, 256, (12, 3)).astype(np.uint8)
    return TriangleMesh(vertices + offset, np.array(shape.faces, np.int64), normals, colors)


@pytest.mark.parametrize("extension", MESHES)
@pytest.mark.parametrize("offset", [0.0, OFFSET])
def test_round_trip(tmp_path, extension, offset):
    mesh, path = icosahedron(offset), tmp_path / f"mesh{extension}"
    write_mesh(path, mesh)
    back = read_geometry(path)
    assert isinstance(back, TriangleMesh) and back.vertices.dtype == np.float64
    assert (len(back.vertices), len(back.faces)) == (12, 20)
    if extension in (".ply", ".obj", ".off"):
        assert np.array_equal(back.vertices, mesh.vertices) and np.array_equal(back.faces, mesh.faces)
    # STL rounds to single precision where the mesh lies, GLB around the mesh's own center
    rounding = np.spacing(np.float32(np.abs(mesh.vertices).max())) if extension == ".stl" else 2e-7
    triangles = back.vertices[back.faces]
    np.testing.assert_allclose(triangles, mesh.vertices[mesh.faces], rtol=0, atol=rounding)


@pytest.mark.parametrize("extension", [".ply", ".obj"])
def test_normals_and_colors_are_kept(tmp_path, extension):
    mesh, path = icosahedron(), tmp_path / f"mesh{extension}"
    mesh.save(path)
    back = read_geometry(path)
    np.testing.assert_allclose(back.normals, mesh.normals, atol=1e-6)
    assert np.array_equal(back.colors, mesh.colors)


def test_glb_keeps_colors_and_normals(tmp_path):
    mesh = icosahedron()
    write_mesh(tmp_path / "mesh.glb", mesh)
    back = read_geometry(tmp_path / "mesh.glb")
    near = np.linalg.norm(back.vertices[:, None] - mesh.vertices[None], axis=2).argmin(1)
    assert np.array_equal(back.colors, mesh.colors[near])
    assert b'"NORMAL"' in (tmp_path / "mesh.glb").read_bytes()
    write_mesh(tmp_path / "bare.glb", TriangleMesh(mesh.vertices, mesh.faces))
    assert b'"NORMAL"' not in (tmp_path / "bare.glb").read_bytes()
    assert read_geometry(tmp_path / "bare.glb").colors is None


def test_what_a_format_cannot_keep_is_said(tmp_path):
    near, far = icosahedron(), icosahedron(OFFSET)
    bare = TriangleMesh(far.vertices, far.faces)
    for extension in (".ply", ".obj", ".glb"):
        assert write_mesh(tmp_path / f"near{extension}", near) == ()
    (colors,) = write_mesh(tmp_path / "near.stl", near)
    assert "STL is written without colors" in colors
    (rounded,) = bare.save(tmp_path / "far.stl")
    assert "rounded to 0.5; PLY keeps them" in rounded
    (moved,) = bare.save(tmp_path / "far.glb")
    assert "written about 5000000 600000 100" in moved
    assert bare.save(tmp_path / "far.off") == bare.save(tmp_path / "far.obj") == ()


def test_a_small_mesh_beside_the_origin_needs_no_translation(tmp_path):
    mesh, path = icosahedron(3.0), tmp_path / "mesh.glb"
    write_mesh(path, mesh)
    stored = path.read_bytes()
    assert mesh.vertices.astype("<f4").tobytes() in stored


def test_scalars_go_to_ply_and_nowhere_else(tmp_path):
    mesh = icosahedron()
    mesh = replace(mesh, scalars={"intensity": np.arange(12.0, dtype=np.float32), "x": np.arange(12)})
    for extension in MESHES:
        write_mesh(tmp_path / f"mesh{extension}", mesh)
        back = read_geometry(tmp_path / f"mesh{extension}")
        if extension == ".ply":
            assert np.array_equal(back.scalars["intensity"], np.arange(12, dtype=np.float32))
            assert np.array_equal(back.scalars["x_"], np.arange(12.0))
            assert np.array_equal(back.vertices, mesh.vertices)
        else:
            assert not back.scalars


def test_unknown_extensions(tmp_path):
    with pytest.raises(UsageError, match=r"mesh\.fbx: unknown extension \.fbx; known: \.ply \.obj"):
        write_mesh(tmp_path / "mesh.fbx", icosahedron())
    with pytest.raises(UnreadableInput, match=r"mesh\.abc1: unknown extension \.abc1; known: \.ply \.obj"):
        read_geometry(tmp_path / "mesh.abc1")


def test_what_is_not_there_or_not_a_file(tmp_path):
    with pytest.raises(UnreadableInput, match=r"scan\.ply: no such file"):
        read_geometry(tmp_path / "scan.ply")
    (tmp_path / "folder.ply").mkdir()
    with pytest.raises(UnreadableInput, match=r"folder\.ply: is a folder"):
        read_geometry(tmp_path / "folder.ply")


@pytest.mark.parametrize("extension", [".obj", ".off", ".stl", ".glb"])
def test_a_file_cut_short_is_refused_or_whole(tmp_path, extension):
    """Every format but OBJ says how much there should be."""
    path = tmp_path / f"mesh{extension}"
    write_mesh(path, icosahedron())
    data = path.read_bytes()
    for length in range(1, len(data) - 12, max(1, len(data) // 60)):
        path.write_bytes(data[:length])
        try:
            mesh = read_geometry(path)
        except UnreadableInput as error:
            assert path.name in str(error) and "\n" not in str(error)
        else:
            assert extension == ".obj" and len(read_cloud(path)) == (
                12 if isinstance(mesh, TriangleMesh) else len(mesh)
            )


def test_ascii_stl(tmp_path):
    import trimesh

    mesh, path = icosahedron(), tmp_path / "mesh.stl"
    text = trimesh.Trimesh(mesh.vertices, mesh.faces).export(file_type="stl_ascii")
    path.write_text(text)
    assert (len(read_geometry(path).vertices), len(read_geometry(path).faces)) == (12, 20)
    path.write_text(text[: len(text) // 2])
    with pytest.raises(UnreadableInput, match="cut short"):
        read_geometry(path)


OBJ = """
# a unit cube's corner and a square, split along seams of normals and texture
mtllib none.mtl
v 0 0 0
v 1 0 0
v 1 1 0
v 0 1 0
v 5000000.123456789 0 1
vt 0 0
vn 0 0 1
vn 0 1 0
usemtl steel
f 1/1/1 2/1/1 3/1/1 4/1/1
f -5//2 -1//2 -4//2
l 1 2
"""


def test_obj_keeps_positions_shared_across_seams(tmp_path):
    path = tmp_path / "mesh.obj"
    path.write_text(OBJ)
    mesh = read_geometry(path)
    assert isinstance(mesh, TriangleMesh) and mesh.normals is None
    assert mesh.faces.tolist() == [[0, 1, 2], [0, 2, 3], [0, 4, 1]]
    assert mesh.vertices[4, 0] == 5000000.123456789


def test_obj_of_points_keeps_normals_and_colors(tmp_path):
    path = tmp_path / "cloud.obj"
    path.write_text("v 1 2 3 1 0 0.2\nvn 0 0 1\nv 4 5 6 0 1 0\nvn 0 1 0\n")
    cloud = read_geometry(path)
    assert isinstance(cloud, PointCloud)
    assert cloud.points.tolist() == [[1, 2, 3], [4, 5, 6]] and cloud.normals.tolist() == [
        [0, 0, 1],
        [0, 1, 0],
    ]
    assert cloud.colors.tolist() == [[255, 0, 51], [0, 255, 0]]


@pytest.mark.parametrize(
    "text, message",
    [
        ("v 1 2 3\nv 1 2\n", "line 2 is damaged"),
        ("v 1 2 x\n", "line 1 is damaged"),
        ("v 1 2 3\nf 1 2 3\n", "vertex 2, there are 1"),
        ("v 1 2 3\nf 1 a 3\n", "line 2 is damaged"),
        ("v 1 2 3\nf -1 -2 -3\n", "there are 1"),
        ("v 1 2 3\nf 0 1 1\n", "vertex 0"),
        ("hello\n", "no vertices"),
        ("v 1 2 3\0\n", "not a text file"),
    ],
)
def test_damaged_obj(tmp_path, text, message):
    path = tmp_path / "mesh.obj"
    path.write_text(text)
    with pytest.raises(UnreadableInput, match=rf"mesh\.obj: .*{message}"):
        read_geometry(path)


TETRAHEDRON = "0 0 0\n1 0 0\n0 1 0\n0 0 1\n3 0 2 1\n3 0 1 3\n3 1 2 3\n3 2 0 3\n"


def test_off_of_any_case_and_colors_without_a_letter(tmp_path):
    path = tmp_path / "mesh.off"
    path.write_text("off\n4 4 6\n" + TETRAHEDRON)
    mesh = read_geometry(path)
    assert len(mesh.faces) == 4 and mesh.colors is None and mesh.notes == ()
    path.write_text("OFF\n4 4 6\n" + TETRAHEDRON.replace("\n", " 9 8 7 255\n", 4))
    assert np.all(read_geometry(path).colors == [9, 8, 7])
    path.write_text("OFF\n4 4 6\n" + TETRAHEDRON.replace("\n", " 0.5 -8 7 2\n", 4))
    assert read_geometry(path).notes == ("not carried over: 4 further numbers of each vertex",)


def test_what_obj_has_beside_its_mesh_is_in_one_note(tmp_path):
    path = tmp_path / "mesh.obj"
    corners = "v 0 0 0\nv 1 0 0\nv 0 1 0\nvt 0 0\n"
    path.write_text(corners + "o a\ng b\nusemtl red\nf 1 2 3\ng c\nf 1 3 2\ng b\nf 1 2 3\nl 1 2\n")
    assert read_geometry(path).notes == (
        "not carried over: colors of materials, textures, lines (1), the division into 2 parts",
    )
    path.write_text(corners.replace("vt 0 0\n", "o a\ng b\n") + "f 1 2 3\n")
    assert read_geometry(path).notes == ()


def test_stl_marks_counts_and_solids(tmp_path):
    mesh, path = icosahedron(), tmp_path / "mesh.stl"
    mesh.save(path)
    data = path.read_bytes()
    for count in (b"\0\0\0\0", b"\xff\xff\xff\xff"):
        path.write_bytes(data[:80] + count + data[84:])
        named = int.from_bytes(count, "little")
        found = read_geometry(path)
        assert len(found.faces) == 20
        assert found.notes == (f"its header names {named} triangles, 20 are there: all were read",)
    path.write_bytes(data[:80] + b"\0\0\0\0" + data[84:-1])
    with pytest.raises(UnreadableInput, match="no triangles"):
        read_geometry(path)
    solid = "solid {0}\nfacet\nouter loop\nvertex {0} 0 0\nvertex {0} 1 0\nvertex {0} 0 1\nendloop\n"
    solid += "endfacet\nendsolid {0}\n"
    path.write_bytes(b"\xef\xbb\xbf" + (solid.format(1) + solid.format(2)).encode())
    found = read_geometry(path)
    assert len(found.faces) == 2 and found.notes == ("not carried over: the division into 2 parts",)
