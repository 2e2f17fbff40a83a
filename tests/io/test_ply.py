"""PLY: what is written is read back to the last bit, whatever the encoding."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from sasnet_sdf.errors import UnreadableInput
from sasnet_sdf.geometry import PointCloud, TriangleMesh
from sasnet_sdf.io import read_cloud, read_geometry, write_cloud, write_mesh
from sasnet_sdf.io.ply import read

REALS = st.floats(allow_nan=False, allow_infinity=False)
BYTES = st.integers(0, 255)

SQUARE = np.array([[0.0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0], [2, 0, 0]])


@settings(deadline=None, max_examples=25)
@given(st.data(), st.integers(1, 20), st.booleans(), st.booleans(), st.booleans())
def test_cloud_round_trip(tmp_path_factory, data, count, with_normals, with_colors, with_sensors):
    shape = (count, 3)
    singles = st.floats(-1, 1, width=32)
    cloud = PointCloud(
        data.draw(arrays(np.float64, shape, elements=REALS)),
        data.draw(arrays(np.float64, shape, elements=singles)) if with_normals else None,
        data.draw(arrays(np.uint8, shape, elements=BYTES)) if with_colors else None,
        data.draw(arrays(np.float64, shape, elements=REALS)) if with_sensors else None,
        {
            "intensity": data.draw(arrays(np.uint16, count)),
            "scan angle": data.draw(arrays(np.float32, count, elements=singles)),
            "time": data.draw(arrays(np.float64, count, elements=REALS)),
        },
    )
    path = tmp_path_factory.mktemp("ply") / "cloud.ply"
    write_cloud(path, cloud)
    back = read_geometry(path)
    assert isinstance(back, PointCloud)
    for name in ("points", "normals", "colors", "sensors"):
        same(getattr(back, name), getattr(cloud, name), name)
    assert list(back.scalars) == ["intensity", "scan_angle", "time"]
    for found, values in zip(back.scalars.values(), cloud.scalars.values(), strict=True):
        same(found, values, "scalars")


def same(found, values, name):
    assert (found is None) == (values is None), name
    if values is not None:
        assert found.dtype == values.dtype and np.array_equal(found, values), name


@settings(deadline=None, max_examples=25)
@given(st.data(), st.integers(3, 20), st.integers(1, 30), st.booleans())
def test_mesh_round_trip(tmp_path_factory, data, vertices, faces, with_colors):
    mesh = TriangleMesh(
        data.draw(arrays(np.float64, (vertices, 3), elements=REALS)),
        data.draw(arrays(np.int64, (faces, 3), elements=st.integers(0, vertices - 1))),
        colors=data.draw(arrays(np.uint8, (vertices, 3), elements=BYTES)) if with_colors else None,
    )
    path = tmp_path_factory.mktemp("ply") / "mesh.ply"
    write_mesh(path, mesh)
    back = read_geometry(path)
    assert isinstance(back, TriangleMesh) and back.normals is None
    assert np.array_equal(back.vertices, mesh.vertices) and np.array_equal(back.faces, mesh.faces)
    assert (back.colors is None) if mesh.colors is None else np.array_equal(back.colors, mesh.colors)


def write_with_plyfile(path, rows, polygons, **options):
    from plyfile import PlyData, PlyElement

    elements = [PlyElement.describe(rows, "vertex")]
    if polygons is not None:
        faces = np.empty(len(polygons), [("vertex_index", object)])
        faces["vertex_index"][:] = [np.array(polygon, np.int32) for polygon in polygons]
        elements.append(
            PlyElement.describe(
                faces, "face", val_types={"vertex_index": "i4"}, len_types={"vertex_index": "u1"}
            )
        )
    PlyData(elements, **options).write(path)


@pytest.mark.parametrize("options", [{"text": True}, {"byte_order": "<"}, {"byte_order": ">"}])
def test_polygons_become_fans_in_every_encoding(tmp_path, options):
    rows = np.zeros(5, [("z", "f8"), ("x", "f4"), ("label", "u2"), ("y", "f8")])
    rows["x"], rows["y"], rows["z"] = SQUARE.T
    polygons = [np.array([0, 1, 2, 3]), np.array([1, 4, 2]), np.array([0, 1])]
    write_with_plyfile(tmp_path / "mixed.ply", rows, polygons, **options)
    mesh = read(tmp_path / "mixed.ply")
    assert isinstance(mesh, TriangleMesh)
    assert np.array_equal(mesh.vertices, SQUARE)
    assert mesh.faces.tolist() == [[0, 1, 2], [0, 2, 3], [1, 4, 2]]
    write_with_plyfile(tmp_path / "quads.ply", rows, polygons[:1], **options)
    quad = read(tmp_path / "quads.ply")
    assert isinstance(quad, TriangleMesh) and quad.faces.tolist() == [[0, 1, 2], [0, 2, 3]]


def test_georeferenced_doubles_survive_exactly(tmp_path):
    points = np.random.default_rng(1).random((50, 3)) + [5e6, 6e5, 100]
    write_cloud(tmp_path / "utm.ply", PointCloud(points, sensors=points + 0.1))
    cloud = read_cloud(tmp_path / "utm.ply")
    assert np.array_equal(cloud.points, points)
    assert cloud.sensors is not None and np.array_equal(cloud.sensors, points + 0.1)


@pytest.mark.parametrize("kind, scale", [("u1", 1), ("f4", 1 / 255), ("f4", 1), ("u2", 257)])
def test_colors_of_every_kind(tmp_path, kind, scale):
    colors = np.array([[255, 0, 10], [1, 128, 254]])
    rows = np.zeros(2, [(n, "f4") for n in "xyz"] + [(n, kind) for n in ("red", "green", "blue")])
    for k, name in enumerate(("red", "green", "blue")):
        rows[name] = colors[:, k] * scale
    write_with_plyfile(tmp_path / "colors.ply", rows, None)
    found = read_cloud(tmp_path / "colors.ply").colors
    assert found is not None and found.dtype == np.uint8 and np.array_equal(found, colors)


def colored(tmp_path, names, values):
    rows = np.zeros(len(values), [(n, "f4") for n in ("x", "y", "z", *names)])
    for name, column in zip(names, values.T, strict=True):
        rows[name] = column
    path = tmp_path / "cloud.ply"
    write_with_plyfile(path, rows, None)
    return read_geometry(path)


def test_a_color_above_1_does_not_change_the_scale(tmp_path):
    colors = np.random.default_rng(0).integers(0, 256, (300, 3))
    shares = colors / 255
    shares[0], shares[1] = 1.02, 40
    found = colored(tmp_path, ("r", "g", "b"), shares).colors
    assert np.all(found[:2] == 255) and np.array_equal(found[2:], colors[2:])
    bytes_ = np.minimum(colors, 3).astype(float)
    bytes_[0] = 255.4
    found = colored(tmp_path, ("r", "g", "b"), bytes_[:9]).colors
    assert np.all(found[0] == 255) and np.array_equal(found[1:], bytes_[1:9])


def test_splats_have_colors(tmp_path):
    colors = np.random.default_rng(0).integers(0, 256, (30, 3))
    coefficients = (colors / 255 - 0.5) / 0.28209479
    coefficients[0] = [-9, 0, 9]
    names = ("f_dc_0", "f_dc_1", "f_dc_2", "opacity")
    cloud = colored(tmp_path, names, np.column_stack([coefficients, np.arange(30)]))
    assert cloud.colors[0].tolist() == [0, 128, 255] and np.array_equal(cloud.colors[1:], colors[1:])
    assert list(cloud.scalars) == ["opacity"]
    names = (*names[:3], "red", "green", "blue")
    cloud = colored(tmp_path, names, np.column_stack([coefficients, colors]))
    assert np.array_equal(cloud.colors, colors) and list(cloud.scalars) == ["f_dc_0", "f_dc_1", "f_dc_2"]


def test_a_mesh_cut_short_is_never_read_in_part(tmp_path):
    path = tmp_path / "whole.ply"
    write_mesh(path, TriangleMesh(SQUARE, np.array([[0, 1, 2], [0, 2, 3], [1, 4, 2]])))
    data = path.read_bytes()
    for length in range(len(data)):
        path.write_bytes(data[:length])
        with pytest.raises(UnreadableInput, match=r"whole\.ply: "):
            read_geometry(path)
    path.write_bytes(data[:-5])
    with pytest.raises(UnreadableInput, match="2 of the 3 faces"):
        read_geometry(path)


def test_ascii_cut_short_says_how_much_is_there(tmp_path):
    path = tmp_path / "cut.ply"
    rows = "".join(f"{k} 1.25 2.5\n" for k in range(40))
    header = "ply\nformat ascii 1.0\nelement vertex 50\n"
    path.write_text(header + "".join(f"property float {n}\n" for n in "xyz") + "end_header\n" + rows)
    with pytest.raises(UnreadableInput, match="40 of the 50 vertices"):
        read_geometry(path)


def test_a_header_that_lies_takes_no_memory(tmp_path):
    path = tmp_path / "huge.ply"
    for form in ("ascii", "binary_little_endian"):
        path.write_text(
            f"ply\nformat {form} 1.0\nelement vertex 99999999999\nproperty float x\nproperty float y\n"
            "property float z\nelement face 1\nproperty list uchar int vertex_indices\nend_header\n1 2 3\n"
        )
        with pytest.raises(UnreadableInput, match="of the 99999999999 vertices"):
            read_geometry(path)


def ascii_ply(path, vertex, rows, comment=b""):
    head = f"ply\nformat ascii 1.0\nelement vertex {len(POINTS_3)}\n{vertex}end_header\n".encode()
    path.write_bytes(head.replace(b"element", comment + b"element", 1) + rows.encode())
    return read_cloud(path)


POINTS_3 = np.array([[0, 0.5, 1], [2, 3, 4], [5, 6, 7]])
XYZ = "property double x\nproperty double y\nproperty double z\n"


def test_ascii_rows_as_programs_write_them(tmp_path):
    path = tmp_path / "cloud.ply"
    colored = XYZ + "".join(f"property uchar {name}\n" for name in ("red", "green", "blue"))
    cloud = ascii_ply(path, colored, "0 .5 1 9.0 8 7\n\n2 3 4 9 8 7\n 5 6 7\t9 8.00 7 \n")
    assert np.array_equal(cloud.points, POINTS_3) and np.all(cloud.colors == [9, 8, 7])
    cloud = ascii_ply(path, XYZ, "0 0,5 1\n-nan(ind) 1.#QNAN nan\n5 6 7\n")
    assert np.isnan(cloud.points[1]).all() and np.array_equal(cloud.points[::2], POINTS_3[::2])
    listed = XYZ + "property list uchar int seen\n"
    cloud = ascii_ply(path, listed, "0 .5 1 2 8 9\n2 3 4 0\n5 6 7 1 3\n")
    assert np.array_equal(cloud.points, POINTS_3)
    assert cloud.notes == ("not carried over: lists of vertices (seen)",)


@pytest.mark.parametrize(
    "rows, words",
    [
        ("0 0 0 1\n0 0 1 300\n1 1 1 1\n", r"vertex 2 of 3 is damaged \(300 does not fit the type of q"),
        ("0 0 0 1\n0 0 1 1.5\n1 1 1 1\n", "vertex 2 of 3 is damaged"),
        ("0 0 0 1\n0 0 one 1\n1 1 1 1\n", r"vertex 2 of 3 is damaged \('one' is not a number"),
        ("0 0 0 1\n0 0 1 1\n1.00 1 1\n", r"vertex 3 of 3 is damaged \(3 values where 4 should be"),
        ("0 0 0 1\n0 0 1 1\n", "2 of the 3 vertices"),
    ],
)
def test_damaged_ascii_rows_are_named(tmp_path, rows, words):
    with pytest.raises(UnreadableInput, match=words):
        ascii_ply(tmp_path / "cloud.ply", XYZ + "property uchar q\n", rows)


def test_polygons_of_several_sizes_beside_numbers(tmp_path):
    path = tmp_path / "mesh.ply"
    head = (
        f"ply\nformat ascii 1.0\nelement face 2\nproperty int flags\n{{}}element vertex 4\n{XYZ}end_header\n"
    )
    corners = "property list uchar int vertex_index\nproperty list uchar float texcoord\n"
    points = "0 0 0\n1 0 0\n1 1 0\n0 1 0\n"
    path.write_text(head.format(corners) + "0 3 0 1 2 2 .5 .5\n1 4 0 1 2 3 0\n" + points)
    mesh = read_geometry(path)
    assert mesh.faces.tolist() == [[0, 1, 2], [0, 1, 2], [0, 2, 3]]
    assert mesh.notes == ("not carried over: textures",)
    path.write_text(head.format("property list uchar int corners\n") + "0 3 0 1 2\n1 3 0 2 3\n" + points)
    assert read_geometry(path).faces.tolist() == [[0, 1, 2], [0, 2, 3]]


def test_letters_beyond_ascii_in_a_header(tmp_path):
    path = tmp_path / "cloud.ply"
    write_cloud(path, PointCloud(POINTS_3))
    path.write_bytes(path.read_bytes().replace(b"element", "comment Höhe é\nelement".encode(), 1))
    assert np.array_equal(read_cloud(path).points, POINTS_3)
    assert np.array_equal(ascii_ply(path, XYZ, "0 .5 1\n2 3 4\n5 6 7\n", b"comment \xe9\n").points, POINTS_3)


@pytest.mark.parametrize("kind", ["u4", "f4"])
def test_packed_colors(tmp_path, kind):
    rows = np.zeros(3, [(n, "f8") for n in "xyz"] + [("rgb", "u4")])
    rows["rgb"] = [0x0A141E, 0x102030, 0]
    write_with_plyfile(tmp_path / "cloud.ply", rows.view([*rows.dtype.descr[:3], ("rgb", kind)]), None)
    cloud = read_cloud(tmp_path / "cloud.ply")
    assert cloud.colors.tolist() == [[10, 20, 30], [16, 32, 48], [0, 0, 0]] and not cloud.scalars


def test_all_that_is_lost_is_in_one_note(tmp_path):
    names = ["x", "y", "z", "red", "green", "blue", "opacity", "scale_0", "rot_0"]
    path = tmp_path / "mesh.ply"
    text = "ply\nformat ascii 1.0\nelement vertex 3\n" + "".join(f"property float {n}\n" for n in names)
    text += "element face 1\nproperty list uchar int vertex_indices\nproperty list uchar float color\n"
    text += "".join(f"property uchar {n}\n" for n in ("red", "green", "blue"))
    text += "element edge 1\nproperty int vertex1\nend_header\n"
    text += "0 0 0 0 0 0 1 1 1\n1 0 0 0 0 0 1 1 1\n0 1 0 0 0 0 1 1 1\n3 0 1 2 1 0.5 9 9 9\n2\n"
    path.write_text(text)
    assert read_geometry(path).notes == (
        "not carried over: shapes, opacities and view-dependent colors of its 3D Gaussians,"
        " colors of the corners of faces, rows of edge (1),"
        " colors of faces, since its vertices have colors",
    )
