"""generate_surface_reconstruction_sasnet: the surface that sasnet_sdf.reconstruct gives, as a layer."""

from __future__ import annotations

import numpy as np
import pytest

import sasnet_meshlab
from sasnet_meshlab.layers import geometry_of
from sasnet_meshlab.versions import length_classes, transform_of
from sasnet_sdf import Field, PointCloud, TriangleMesh, reconstruct

pymeshlab = pytest.importorskip(
    "pymeshlab", reason='needs pip install "sasnet-sdf[meshlab]"', exc_type=ImportError
)

NAME = "generate_surface_reconstruction_sasnet"
SMALL = {"preset": "fast", "steps": 60, "resolution": 40}
TURNED = np.array([[0, -1, 0, 5e6], [3, 0, 0, -2], [0, 0, 1, 0], [0, 0, 0, 1.0]])


@pytest.fixture(autouse=True)
def registered():
    sasnet_meshlab.register()
    yield
    sasnet_meshlab.unregister()


@pytest.fixture(scope="module")
def sphere() -> np.ndarray:
    """Points (3000, 3) of the unit sphere; their own normals."""
    points = np.random.default_rng(0).normal(size=(3000, 3))
    return points / np.linalg.norm(points, axis=1, keepdims=True)


@pytest.fixture(scope="module")
def expected(sphere):
    """What the Python function gives for the sphere, stretched, turned and moved far away."""
    cloud = PointCloud(
        moved(sphere),
        sphere @ np.linalg.inv(TURNED[:3, :3]),
        colors=(sphere > 0).astype(np.uint8) * 255,
        scalars={"scalar": sphere[:, 0]},
    )
    return reconstruct(cloud, carry=("scalar",), **SMALL)


def moved(points: np.ndarray, transform: np.ndarray = TURNED) -> np.ndarray:
    return points @ transform[:3, :3].T + transform[:3, 3]


def add_layer(mesh_set, points, normals=None, faces=None, transform=TURNED, **attributes):
    attributes |= {} if normals is None else {"v_normals_matrix": normals}
    attributes |= {} if faces is None else {"face_matrix": faces.astype(np.int32)}
    mesh_set.add_mesh(pymeshlab.Mesh(points, **attributes), "scan")
    mesh_set.apply_filter("set_matrix", transformmatrix=transform, freeze=False)
    return mesh_set.current_mesh()


def painted(sphere: np.ndarray) -> dict[str, np.ndarray]:
    colors = np.hstack([sphere > 0, np.ones((len(sphere), 1))]).astype(np.float64)
    return {"normals": sphere, "v_color_matrix": colors, "v_scalar_array": sphere[:, 0].copy()}


def test_the_layer_is_what_python_gives(sphere, expected, tmp_path):
    mesh_set = pymeshlab.MeshSet()
    scan = add_layer(mesh_set, sphere, **painted(sphere))
    facts = mesh_set.apply_filter(NAME, savemodel=tmp_path / "scan.sasnet", **SMALL)
    layer = mesh_set.current_mesh()
    assert (layer.id(), layer.label()) == (1, "SASNet surface")
    np.testing.assert_array_equal(layer.face_matrix(), expected.mesh.faces)
    np.testing.assert_array_equal(layer.vertex_matrix(), expected.mesh.vertices)  # in double precision
    np.testing.assert_array_equal(transform_of(layer), np.eye(4))
    np.testing.assert_array_equal(layer.vertex_scalar_array(), expected.mesh.scalars["scalar"])
    colors = np.rint(layer.vertex_color_matrix() * 255)
    np.testing.assert_array_equal(colors[:, :3], expected.mesh.colors)
    outward = np.einsum("ij,ij->i", layer.vertex_normal_matrix(), layer.vertex_matrix() - TURNED[:3, 3])
    assert (outward > 0).mean() > 0.99
    assert facts["closed"] and facts["notes"] == []
    np.testing.assert_array_equal(scan.vertex_matrix(), sphere)  # the scan itself is as it was
    kept, asked = Field.load(tmp_path / "scan.sasnet"), moved(sphere * 1.1)
    np.testing.assert_array_equal(kept.distance(asked), expected.field.distance(asked))


def test_visible_layers_are_taken_together_and_a_second_surface_gets_a_number(sphere, expected):
    mesh_set = pymeshlab.MeshSet()
    attributes = painted(sphere)
    for half in (slice(0, 1000), slice(1000, None)):
        add_layer(mesh_set, sphere[half], **{name: values[half] for name, values in attributes.items()})
    add_layer(mesh_set, sphere * 9)
    mesh_set.set_mesh_visibility(2, False)
    assert mesh_set.generate_surface_reconstruction_sasnet(visiblelayer=True, **SMALL)["closed"]
    layer = mesh_set.current_mesh()
    np.testing.assert_array_equal(layer.vertex_matrix(), expected.mesh.vertices)
    np.testing.assert_array_equal(layer.face_matrix(), expected.mesh.faces)
    mesh_set.set_current_mesh(0)
    mesh_set.generate_surface_reconstruction_sasnet(**SMALL)
    assert mesh_set.current_mesh().label() == "SASNet surface(1)"


def test_lengths_are_shares_of_the_diagonal_or_absolute(sphere):
    percentage, pure = length_classes()
    half = sphere[sphere[:, 2] > 0]
    mesh_set = pymeshlab.MeshSet()
    add_layer(mesh_set, half, half)
    diagonal = np.linalg.norm(np.ptp(moved(half), axis=0))
    asked = {"trim": percentage(12.5), "edgelength": pure(0.25)}
    values = mesh_set.filter_parameter_values(NAME, **asked)
    assert values["trim"] == pytest.approx(diagonal / 8, rel=1e-6)
    assert values["edgelength"] == 0.25
    mesh_set.apply_filter(NAME, preset="fast", steps=60, seed=3, **asked)
    cloud = PointCloud(moved(half), half @ np.linalg.inv(TURNED[:3, :3]))
    result = reconstruct(cloud, preset="fast", steps=60, seed=3, trim=values["trim"], edge_length=0.25)
    assert not result.report["trim"]["closed"]
    np.testing.assert_array_equal(mesh_set.current_mesh().vertex_matrix(), result.mesh.vertices)


def test_a_layer_with_faces_is_a_mesh_and_stays_right_side_out_when_mirrored():
    mesh_set = pymeshlab.MeshSet()
    mesh_set.create_cube()
    mirror = np.diag([-2.0, 1, 1, 1])
    mesh_set.apply_filter("set_matrix", transformmatrix=mirror, freeze=False)
    mesh = geometry_of([mesh_set.current_mesh()] * 2)
    assert isinstance(mesh, TriangleMesh) and len(mesh.faces) == 24 and mesh.faces.max() == 15
    a, b, c = (mesh.vertices[mesh.faces[:, i]] for i in range(3))
    assert np.einsum("ij,ij->i", a, np.cross(b, c)).sum() / 6 == pytest.approx(2 * 2)  # two of volume 2
    mesh_set.add_mesh(pymeshlab.Mesh(np.eye(3)))
    assert isinstance(geometry_of(list(mesh_set)), PointCloud)


def test_normals_stay_at_right_angles_and_zeros_are_none(sphere):
    mesh_set = pymeshlab.MeshSet()
    sheared = TURNED.copy()
    sheared[0, 2] = 1.5
    cloud = geometry_of([add_layer(mesh_set, sphere, sphere, transform=sheared)])
    along = np.cross(sphere, [0.3, 0.5, 0.8]) @ sheared[:3, :3].T
    assert cloud.normals is not None
    assert np.abs(np.einsum("ij,ij->i", along, cloud.normals)).max() < 1e-12
    assert geometry_of([add_layer(mesh_set, sphere)]).normals is None


def test_data_without_a_surface(sphere):
    mesh_set = pymeshlab.MeshSet()
    with pytest.raises(pymeshlab.PyMeshLabException, match=f"{NAME} requires at least one mesh"):
        mesh_set.apply_filter(NAME)
    add_layer(mesh_set, sphere[:3])
    with pytest.raises(pymeshlab.PyMeshLabException) as error:
        mesh_set.apply_filter(NAME)
    assert str(error.value) == (
        f"Failed to apply filter: {NAME}\nDetails: the input: usable points: 3; at least 10 are needed"
    )
    mesh_set.set_mesh_visibility(0, False)
    with pytest.raises(pymeshlab.PyMeshLabException, match="no layer is visible"):
        mesh_set.apply_filter(NAME, visiblelayer=True)
    mesh_set.create_cube()
    mesh_set.set_selection_all()
    mesh_set.meshing_remove_selected_vertices_and_faces()
    with pytest.raises(pymeshlab.PyMeshLabException, match="there are no points"):
        mesh_set.apply_filter(NAME)
    assert len(list(mesh_set)) == 2


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"depth": 8}, f"Parameter depth not found for filter {NAME}"),
        ({"preset": "best"}, "Enum 'best' not found. Possible values are 'fast'; 'balanced'; 'fine'; "),
        ({"preset": 3}, "Enum 3 not valid. Must be a value between 0 and 2"),
        ({"preset": 1.0}, "Parameter preset: must be a str or an int"),
        ({"steps": 1.5}, "Parameter steps: must be an int"),
        ({"timelimit": "1"}, "Parameter timelimit: must be a float"),
        ({"colors": "no"}, "Parameter colors: must be a bool"),
        ({"savemodel": 1}, "Parameter savemodel: must be a str"),
        ({"trim": 0.1}, "Parameter trim: must be a pymeshlab"),
        ({"resolution": 3}, "Details: resolution must lie between 8 and 4096, found 3"),
        ({"savemodel": "missing/scan.sasnet"}, "Details: missing/scan.sasnet: there is no folder missing"),
        ({"normals": "file"}, "Details: the input has no usable normals"),
    ],
)
def test_parameters_that_cannot_be_used(given, message):
    mesh_set = pymeshlab.MeshSet()
    add_layer(mesh_set, np.random.default_rng(0).normal(size=(50, 3)))
    with pytest.raises(pymeshlab.PyMeshLabException) as error:
        mesh_set.apply_filter(NAME, **given)
    assert message in str(error.value)
    assert len(list(mesh_set)) == 1


def test_enums_and_numbers_are_taken_as_native_filters_take_them(sphere):
    mesh_set = pymeshlab.MeshSet()
    add_layer(mesh_set, sphere)
    by_name = mesh_set.filter_parameter_values(NAME, preset="fine", steps=7, colors=False, timelimit=2.0)
    by_number = mesh_set.filter_parameter_values(
        NAME, preset=np.int64(2), steps=np.int32(7), colors=np.bool_(False), timelimit=2
    )
    assert by_name == by_number
    assert (by_name["preset"], by_name["steps"], by_name["colors"], by_name["seed"]) == (2, 7, False, 0)
    with pytest.raises(pymeshlab.InvalidEnumException):  # the class that native filters raise
        mesh_set.filter_parameter_values(NAME, preset="best")
