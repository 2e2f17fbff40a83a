"""compute_scalar_by_sasnet_distance_per_vertex: the values of Field.distance, as a layer's scalar."""

from __future__ import annotations

import numpy as np
import pytest

import sasnet_meshlab
from sasnet_sdf import PointCloud, reconstruct

pymeshlab = pytest.importorskip(
    "pymeshlab", reason='needs pip install "sasnet-sdf[meshlab]"', exc_type=ImportError
)

NAME = "compute_scalar_by_sasnet_distance_per_vertex"
SMALL = {"preset": "fast", "steps": 60}


@pytest.fixture(autouse=True)
def registered():
    sasnet_meshlab.register()
    yield
    sasnet_meshlab.unregister()


@pytest.fixture
def layers():
    """A MeshSet with a sphere's points, and with others moved to where they are measured."""
    random = np.random.default_rng(0)
    sphere = random.normal(size=(2000, 3))
    sphere /= np.linalg.norm(sphere, axis=1, keepdims=True)
    asked = random.uniform(-1.2, 1.2, (500, 3))
    mesh_set = pymeshlab.MeshSet()
    mesh_set.add_mesh(pymeshlab.Mesh(sphere, v_normals_matrix=sphere), "scan")
    mesh_set.add_mesh(pymeshlab.Mesh(asked - [1, 2, 3]), "asked")
    transform = np.eye(4)
    transform[:3, 3] = [1, 2, 3]
    mesh_set.apply_filter("set_matrix", transformmatrix=transform, freeze=False)
    return mesh_set, sphere, mesh_set.current_mesh().transformed_vertex_matrix()


def test_a_saved_field_and_a_trained_one_give_the_same(layers, tmp_path):
    mesh_set, sphere, asked = layers
    result = reconstruct(PointCloud(sphere, sphere), resolution=32, **SMALL)
    expected = result.field.distance(asked)
    facts = mesh_set.apply_filter(NAME, **SMALL)
    np.testing.assert_array_equal(mesh_set.mesh(1).vertex_scalar_array(), expected)
    assert facts == {
        "attribute": "sasnet_distance",
        "min": expected.min(),
        "max": expected.max(),
        "mean": expected.mean(),
    }
    assert mesh_set.current_mesh_id() == 1

    path = tmp_path / "scan.sasnet"
    result.field.save(path)
    mesh_set.set_current_mesh(0)
    facts = mesh_set.apply_filter(NAME, measuremesh=1, modelfile=str(path), signeddist=False)
    np.testing.assert_array_equal(mesh_set.mesh(1).vertex_scalar_array(), np.abs(expected))
    assert facts["attribute"] == "sasnet_distance2"  # the first run's values are still there
    assert mesh_set.current_mesh_id() == 0


def test_default_layers(layers):
    mesh_set, *_ = layers
    values = mesh_set.filter_parameter_values(NAME)
    assert (values["measuremesh"], values["refmesh"]) == (1, 0)
    mesh_set.set_current_mesh(0)
    values = mesh_set.filter_parameter_values(NAME)
    assert (values["measuremesh"], values["refmesh"]) == (0, 1)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"measuremesh": 7}, "measuremesh: there is no layer 7"),
        ({"refmesh": 7}, "refmesh: there is no layer 7"),
        ({"modelfile": "missing.sasnet"}, "missing.sasnet"),
        ({"maxdist": 1.0}, f"Parameter maxdist not found for filter {NAME}"),
    ],
)
def test_parameters_that_cannot_be_used(layers, given, message):
    with pytest.raises(pymeshlab.PyMeshLabException, match=message):
        layers[0].apply_filter(NAME, **given)
