"""GLB scenes that the tests build themselves: every way in which glTF stores points and triangles."""

from __future__ import annotations

import base64
import json
import struct

import numpy as np
import pytest

from sasnet_sdf.errors import UnreadableInput
from sasnet_sdf.geometry import PointCloud, TriangleMesh
from sasnet_sdf.io import read_geometry
from sasnet_sdf.supervision.targets import is_closed, signed_volume

# a tetrahedron, outward, of volume 1/6
CORNERS = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]], np.float32)
FACES = np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]], np.uint16)
KINDS = {"i1": 5120, "u1": 5121, "i2": 5122, "u2": 5123, "u4": 5125, "f4": 5126}


class Builder:
    """The JSON and the bytes of a GLB; `add` gives an accessor's number."""

    def __init__(self):
        self.data = b""
        self.tree = {
            "asset": {"version": "2.0"},
            "accessors": [],
            "bufferViews": [],
            "meshes": [],
            "nodes": [],
        }

    def view(self, array, **more):
        start = len(self.data)
        self.data += array.tobytes()
        self.data += bytes(-len(self.data) % 4)
        self.tree["bufferViews"].append(
            {"buffer": 0, "byteOffset": start, "byteLength": array.nbytes, **more}
        )
        return len(self.tree["bufferViews"]) - 1

    def add(self, array, view=None, **more):
        view = self.view(array) if view is None else view
        kind = {1: "SCALAR", 3: "VEC3", 4: "VEC4"}[array.shape[1] if array.ndim > 1 else 1]
        accessor = {"bufferView": view, "componentType": KINDS[array.dtype.str[1:]], "type": kind}
        self.tree["accessors"].append(accessor | {"count": len(array)} | more)
        return len(self.tree["accessors"]) - 1

    def mesh(self, positions, faces=None, mode=None, **more):
        """A mesh of one primitive, and a node that shows it unless `node` is None."""
        primitive = {"attributes": {"POSITION": positions, **more.pop("attributes", {})}}
        primitive |= {} if faces is None else {"indices": faces}
        primitive |= {} if mode is None else {"mode": mode}
        self.tree["meshes"].append({"primitives": [primitive | more]})
        self.tree["nodes"].append({"mesh": len(self.tree["meshes"]) - 1})
        return self.tree["nodes"][-1]

    def write(self, path, uri=None, binary=True):
        buffer = {"byteLength": len(self.data)} | ({} if uri is None else {"uri": uri})
        text = json.dumps(self.tree | {"buffers": [buffer]}).encode()
        text += b" " * (-len(text) % 4)
        chunks = struct.pack("<II", len(text), 0x4E4F534A) + text
        if binary:
            chunks += struct.pack("<II", len(self.data), 0x004E4942) + self.data
        path.write_bytes(struct.pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks)
        return path


@pytest.fixture
def scene():
    return Builder()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "scene.glb"


def tetrahedron(scene, **more):
    return scene.mesh(scene.add(CORNERS), scene.add(FACES.ravel()), **more)


def volume(mesh):
    assert isinstance(mesh, TriangleMesh) and is_closed(mesh.faces)
    return signed_volume(mesh.vertices, mesh.faces)


def test_sparse_accessors(scene, path):
    base = scene.add(CORNERS)
    scene.tree["accessors"][base]["sparse"] = {
        "count": 1,
        "indices": {"bufferView": scene.view(np.array([3], np.uint16)), "componentType": 5123},
        "values": {"bufferView": scene.view(5 * CORNERS[3:])},
    }
    scene.mesh(base, scene.add(FACES.ravel()))
    assert volume(read_geometry(scene.write(path))) == pytest.approx(5 / 6)


def test_an_accessor_without_a_view_is_zero_but_for_its_sparse_values(scene, path):
    scene.tree["accessors"].append(
        {
            "componentType": 5126,
            "type": "VEC3",
            "count": 4,
            "sparse": {
                "count": 3,
                "indices": {"bufferView": scene.view(np.array([1, 2, 3], np.uint8)), "componentType": 5121},
                "values": {"bufferView": scene.view(CORNERS[1:])},
            },
        }
    )
    scene.mesh(0, scene.add(FACES.ravel()))
    assert volume(read_geometry(scene.write(path))) == pytest.approx(1 / 6)


def test_quantized_positions(scene, path):
    scene.tree["extensionsRequired"] = ["KHR_mesh_quantization"]
    # rows of 8 bytes, as alignment wants
    rows = np.zeros((4, 4), np.int16)
    rows[:, :3] = CORNERS * 32767
    view = scene.view(rows, byteStride=8)
    normalized = scene.add(rows[:, :3], view, normalized=True)
    whole = scene.add(rows[:, :3], view)
    node = scene.mesh(normalized, scene.add(FACES.ravel()))
    node |= {"translation": [10, 0, 0], "scale": [2, 2, 2]}
    mesh = read_geometry(scene.write(path))
    assert volume(mesh) == pytest.approx(8 / 6)
    assert mesh.vertices.max(0) == pytest.approx([12, 2, 2])
    node["mesh"] = 1
    scene.tree["meshes"].append({"primitives": [{"attributes": {"POSITION": whole}, "indices": 2}]})
    assert read_geometry(scene.write(path)).vertices.max() == pytest.approx(10 + 2 * 32767)


def test_instances(scene, path):
    node = tetrahedron(scene)
    places = np.array([[0, 0, 0], [3, 0, 0], [6, 0, 0]], np.float32)
    quarter = np.array([[0, 0, 0, 1], [0, 0, 0.5**0.5, 0.5**0.5], [0, 0, 0, 1]], np.float32)
    attributes = {"TRANSLATION": scene.add(places), "ROTATION": scene.add(quarter)}
    node["extensions"] = {"EXT_mesh_gpu_instancing": {"attributes": attributes}}
    scene.tree["extensionsRequired"] = ["EXT_mesh_gpu_instancing"]
    mesh = read_geometry(scene.write(path))
    assert len(mesh.faces) == 12 and volume(mesh) == pytest.approx(3 / 6)
    # a quarter turn about z takes the corner at x = 1 to y = 1, and that at y = 1 to x = -1
    assert [2, 0, 0] in mesh.vertices.round(6).tolist() and [3, 1, 0] in mesh.vertices.round(6).tolist()


def test_strips_and_fans(scene, path):
    positions = scene.add(np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0], [0.5, 0.5, 1]], np.float32))
    scene.mesh(positions, scene.add(np.array([4, 0, 1, 2, 3, 0], np.uint8)), mode=6)
    scene.mesh(positions, scene.add(np.array([0, 3, 1, 2], np.uint8)), mode=5)
    mesh = read_geometry(scene.write(path))
    assert len(mesh.faces) == 6 and volume(mesh) == pytest.approx(1 / 3)


def test_nodes_place_their_children_and_mirrors_turn_triangles(scene, path):
    node = tetrahedron(scene)
    # by columns: x doubled and mirrored, moved by 5 along z
    node["matrix"] = [-2, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 5, 1]
    scene.tree["nodes"].append({"children": [0], "rotation": [0, 0, 0.5**0.5, 0.5**0.5]})
    mesh = read_geometry(scene.write(path))
    assert volume(mesh) == pytest.approx(2 / 6)
    assert mesh.vertices.min(0) == pytest.approx([-1, -2, 5]) and mesh.vertices.max(0) == pytest.approx(
        [0, 0, 6]
    )


@pytest.mark.parametrize("kind", ["u1", "u2", "f4"])
def test_colors(scene, path, kind):
    shares = np.array([[0, 0, 0, 1], [1, 0, 0, 1], [0, 0.2, 0, 1], [1, 1, 1, 1]])
    one = 1 if kind == "f4" else np.iinfo(kind).max
    colors = scene.add((shares * one).astype(kind), normalized=kind != "f4")
    tetrahedron(scene, attributes={"COLOR_0": colors})
    assert read_geometry(scene.write(path)).colors.tolist() == [
        [0, 0, 0],
        [255, 0, 0],
        [0, 51, 0],
        [255, 255, 255],
    ]
    tetrahedron(scene)["translation"] = [9, 0, 0]
    mesh = read_geometry(scene.write(path))
    assert (mesh.colors[4:] == 255).all() and mesh.notes[-1] == "parts without colors are white"


def test_a_cloud_has_its_normals_and_colors_where_nodes_place_it(scene, path):
    normals = scene.add(np.tile(np.float32([1, 1, 0]) / np.float32(2**0.5), (4, 1)))
    colors = scene.add(np.full((4, 4), 51, np.uint8), normalized=True)
    node = scene.mesh(scene.add(CORNERS), mode=0, attributes={"NORMAL": normals, "COLOR_0": colors})
    node["scale"] = [2, 1, 1]
    cloud = read_geometry(scene.write(path))
    assert isinstance(cloud, PointCloud) and cloud.points.max(0).tolist() == [2, 1, 1]
    directions = cloud.normals / np.linalg.norm(cloud.normals, axis=1, keepdims=True)
    assert directions == pytest.approx(np.tile(np.array([1, 2, 0]) / 5**0.5, (4, 1)))
    assert cloud.colors.tolist() == [[51, 51, 51]] * 4


def test_points_beside_meshes(scene, path):
    points = np.random.default_rng(0).random((100, 3)).astype(np.float32)
    scene.mesh(scene.add(points), mode=0)
    tetrahedron(scene)
    cloud = read_geometry(scene.write(path))
    assert isinstance(cloud, PointCloud) and len(cloud) == 100
    assert cloud.notes == ("its 4 triangles beside 100 points were left out, as marks of cameras",)
    scene.tree["nodes"] += [{"mesh": 1} for _ in range(6)]
    with pytest.raises(UnreadableInput, match=r"scene\.glb: .* 100 points and 28 triangles"):
        read_geometry(scene.write(path))


def test_what_is_left_out_is_named(scene, path):
    scene.tree["materials"] = [{"pbrMetallicRoughness": {"baseColorTexture": {"index": 0}}}]
    tetrahedron(scene, material=0)
    scene.mesh(0, mode=3)
    (lost,) = read_geometry(scene.write(path)).notes
    assert "textures" in lost and "lines (3)" in lost
    del scene.tree["nodes"][0]
    with pytest.raises(UnreadableInput, match="holds 3 lines and no surface"):
        read_geometry(scene.write(path))


def test_what_cannot_be_read_is_refused_by_name(scene, path):
    scene.tree["extensionsRequired"] = ["KHR_materials_unlit", "KHR_draco_mesh_compression"]
    tetrahedron(scene)
    with pytest.raises(UnreadableInput, match="requires KHR_draco_mesh_compression"):
        read_geometry(scene.write(path))
    scene.tree["extensionsRequired"] = ["KHR_materials_unlit"]
    assert volume(read_geometry(scene.write(path))) == pytest.approx(1 / 6)
    scene.tree["bufferViews"][0]["extensions"] = {"EXT_meshopt_compression": {}}
    with pytest.raises(UnreadableInput, match=r"compressed \(EXT_meshopt_compression"):
        read_geometry(scene.write(path))


def test_data_within_the_json_and_in_other_files(scene, path):
    tetrahedron(scene)
    uri = "data:application/octet-stream;base64," + base64.b64encode(scene.data).decode()
    assert volume(read_geometry(scene.write(path, uri, binary=False))) == pytest.approx(1 / 6)
    with pytest.raises(UnreadableInput, match=r"another file \(scene\.bin\)"):
        read_geometry(scene.write(path, "scene.bin", binary=False))


@pytest.mark.parametrize(
    "change",
    [
        lambda tree: tree["nodes"].append({"children": [0, 1]}),
        lambda tree: tree["nodes"][0].update(children=[0]),
        lambda tree: tree["nodes"][0].update(mesh=-1),
        lambda tree: tree["nodes"][0].update(matrix=[1, 2, 3]),
        lambda tree: tree["nodes"][0].update(scale=[1, float("nan"), 1]),
        lambda tree: tree["bufferViews"][0].update(byteOffset=-4),
        lambda tree: tree["bufferViews"][0].update(byteLength=9),
        lambda tree: tree["bufferViews"][0].update(byteOffset=1 << 60),
        lambda tree: tree["accessors"][0].update(byteOffset=4),
        lambda tree: tree["accessors"][1].update(componentType=5126),
        lambda tree: tree["meshes"][0]["primitives"][0].update(mode=9),
        lambda tree: tree.update(scenes=[{"nodes": [0, 0]}]),
        lambda tree: tree.update(nodes={"a": 1}),
    ],
)
def test_damaged_scenes(scene, path, change):
    tetrahedron(scene)
    change(scene.tree)
    with pytest.raises(UnreadableInput, match=r"scene\.glb: .+") as caught:
        read_geometry(scene.write(path))
    assert "\n" not in str(caught.value)
