"""GLB: what a scene places, its colors, and what is not carried over."""

from __future__ import annotations

import json
import struct

import numpy as np
import pytest

from sasnet_sdf.errors import UnreadableInput
from sasnet_sdf.geometry import PointCloud, TriangleMesh
from sasnet_sdf.io import read_geometry

TYPES = {"u1": 5121, "i2": 5122, "u2": 5123, "u4": 5125, "f4": 5126}
CORNERS = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]], "f4")
TETRAHEDRON = np.array([[0, 2, 1], [0, 1, 3], [1, 2, 3], [2, 0, 3]])


class Glb:
    """A GLB file in the making, with one scene."""

    def __init__(self):
        self.data = b""
        self.tree = {"asset": {"version": "2.0"}, "scenes": [{"nodes": []}], "scene": 0}
        self.tree |= {name: [] for name in ("accessors", "bufferViews", "meshes", "nodes")}

    def view(self, values):
        self.data += b"\0" * (-len(self.data) % 4)
        self.tree["bufferViews"].append(
            {"buffer": 0, "byteOffset": len(self.data), "byteLength": values.nbytes}
        )
        self.data += values.tobytes()
        return len(self.tree["bufferViews"]) - 1

    def array(self, values, **more):
        values = np.ascontiguousarray(values)
        kind = "SCALAR" if values.ndim == 1 else f"VEC{values.shape[1]}"
        accessor = {"bufferView": self.view(values), "componentType": TYPES[values.dtype.str[1:]]}
        self.tree["accessors"].append(accessor | {"count": len(values), "type": kind} | more)
        return len(self.tree["accessors"]) - 1

    def part(self, positions=CORNERS, indices=TETRAHEDRON, attributes=None, **more):
        found = {"POSITION": self.array(np.asarray(positions, "f4")), **(attributes or {})}
        if indices is not None:
            more["indices"] = self.array(np.ravel(indices).astype("u4"))
        return {"attributes": found, **more}

    def add(self, *parts, shown=True, **node):
        self.tree["meshes"].append({"primitives": parts})
        self.tree["nodes"].append({"mesh": len(self.tree["meshes"]) - 1, **node})
        if shown:
            self.tree["scenes"][0]["nodes"].append(len(self.tree["nodes"]) - 1)
        return self

    def read(self, tmp_path, **more):
        text = json.dumps(self.tree | more | {"buffers": [{"byteLength": len(self.data)}]}).encode()
        text, data = text + b" " * (-len(text) % 4), self.data + b"\0" * (-len(self.data) % 4)
        chunks = struct.pack("<II", len(text), 0x4E4F534A) + text
        chunks += struct.pack("<II", len(data), 0x004E4942) + data
        path = tmp_path / "scene.glb"
        path.write_bytes(struct.pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks)
        return read_geometry(path)


def painted(color, **more):
    return {"pbrMetallicRoughness": {"baseColorFactor": [*color, 1], **more}}


def test_a_material_colors_its_vertices(tmp_path):
    glb = Glb()
    mesh = glb.add(glb.part(material=0)).read(tmp_path, materials=[painted([1, 0.2, 0])])
    assert isinstance(mesh, TriangleMesh) and np.all(mesh.colors == [255, 51, 0]) and mesh.notes == ()


def test_colors_of_vertices_are_times_those_of_their_material(tmp_path):
    glb = Glb()
    colors = glb.array(np.full((4, 4), 200, "u1"), normalized=True)
    part = glb.part(attributes={"COLOR_0": colors}, material=0)
    mesh = glb.add(part).read(tmp_path, materials=[painted([1, 0.5, 0])])
    assert np.all(mesh.colors == [200, 100, 0])
    glb = Glb()
    part = glb.part(attributes={"COLOR_0": glb.array(np.full((4, 3), 200, "u1"))}, material=0)
    mesh = glb.add(part).read(tmp_path, materials=[{}])
    assert np.all(mesh.colors == 200)


def test_white_is_no_color_and_a_texture_is_named(tmp_path):
    glb = Glb()
    assert glb.add(glb.part(material=0)).read(tmp_path, materials=[painted([1, 1, 1])]).colors is None
    glb = Glb()
    textured = painted([1, 0, 0], baseColorTexture={"index": 0})
    mesh = glb.add(glb.part(material=0)).read(tmp_path, materials=[textured])
    assert mesh.colors is None and mesh.notes == ("not carried over: textures",)


def test_all_that_is_lost_is_in_one_note(tmp_path):
    glb = Glb()
    glb.add(glb.part(material=0), glb.part(mode=1, indices=[0, 1]), {"attributes": {}})
    glb.add(glb.part(), translation=[3, 0, 0])
    glb.add(glb.part(), shown=False)
    gloss = {"extensions": {"KHR_materials_pbrSpecularGlossiness": {"diffuseTexture": {"index": 0}}}}
    mesh = glb.read(tmp_path, materials=[gloss])
    assert len(mesh.faces) == 8
    assert mesh.notes == (
        "not carried over: textures, lines (1), parts without positions (1),"
        " meshes outside its default scene (1), the division into 2 parts",
    )


def test_strips_fans_and_instances(tmp_path):
    glb = Glb()
    strip, fan = glb.part(indices=[0, 2, 1, 3], mode=5), glb.part(indices=[3, 0, 1, 2], mode=6)
    mesh = glb.add(strip, fan).read(tmp_path)
    own = (mesh.vertices[:, None] == CORNERS).all(2).argmax(1)[mesh.faces]
    turned = [np.roll(face, -face.argmin()).tolist() for face in own]
    assert turned == [[0, 2, 1], [1, 2, 3], [0, 1, 3], [1, 2, 3]]
    glb = Glb()
    moves = {"TRANSLATION": glb.array(np.array([[0, 0, 0], [5, 0, 0]], "f4"))}
    glb.add(glb.part(), extensions={"EXT_mesh_gpu_instancing": {"attributes": moves}})
    mesh = glb.read(tmp_path, extensionsRequired=["EXT_mesh_gpu_instancing"])
    assert len(mesh.faces) == 8 and mesh.vertices[:, 0].max() == 6


def test_sparse_and_normalized_positions(tmp_path):
    glb = Glb()
    part = glb.part()
    sparse = {"count": 1, "indices": {"bufferView": glb.view(np.array([3], "u2")), "componentType": 5123}}
    sparse["values"] = {"bufferView": glb.view(np.array([[0, 0, 7]], "f4"))}
    glb.tree["accessors"][part["attributes"]["POSITION"]]["sparse"] = sparse
    assert glb.add(part).read(tmp_path).vertices[:, 2].max() == 7
    glb = Glb()
    part = glb.part()
    part["attributes"]["POSITION"] = glb.array((CORNERS * 32767).astype("i2"), normalized=True)
    mesh = glb.add(part).read(tmp_path, extensionsRequired=["KHR_mesh_quantization"])
    assert mesh.vertices.max() == 1


def test_points_beside_a_few_triangles_are_the_scan(tmp_path):
    points = np.random.default_rng(0).random((100, 3))
    glb = Glb()
    glb.add(glb.part(points, None, mode=0, extensions={"KHR_gaussian_splatting": {}})).add(glb.part())
    cloud = glb.read(tmp_path)
    assert isinstance(cloud, PointCloud) and len(cloud) == 100
    assert cloud.notes == (
        "not carried over: shapes and opacities of its 3D Gaussians",
        "its 4 triangles beside 100 points were left out, as marks of cameras",
    )


@pytest.mark.parametrize(
    "more, words",
    [
        ({"extensionsRequired": ["KHR_draco_mesh_compression"]}, "requires KHR_draco_mesh_compression"),
        ({"scenes": [{"nodes": []}]}, "no points and no triangles; its 1 meshes are not in its scene"),
        ({"materials": [painted([1])]}, "a material's color"),
    ],
)
def test_what_is_refused_and_why(tmp_path, more, words):
    glb = Glb()
    with pytest.raises(UnreadableInput, match=words):
        glb.add(glb.part(material=0)).read(tmp_path, **({"materials": [{}]} | more))
