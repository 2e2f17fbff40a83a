"""Filter scripts of MeshLab in which SASNet stands among native filters."""

from __future__ import annotations

import numpy as np
import pytest

from sasnet_meshlab import apply_filter_script
from sasnet_sdf import PointCloud, UnreadableInput, reconstruct

pymeshlab = pytest.importorskip(
    "pymeshlab", reason='needs pip install "sasnet-sdf[meshlab]"', exc_type=ImportError
)

SPHERE = """<filter name="Sphere">
  <Param name="radius" value="2" type="RichFloat"/><Param name="subdiv" value="3" type="RichInt"/>
</filter>"""
SASNET = """<filter name="Surface Reconstruction: SASNet">
  <Param name="preset" value="0" type="RichEnum" enum_cardinality="1" enum_val0="fast"/>
  <Param name="steps" value="120" type="RichInt"/>
  <Param name="edgeLength" value="0.125" min="0" max="7" type="RichPercentage"/>
  <Param name="watertight" value="true" type="RichBool"/>
  <Param name="command" value="sasnet-sdf" type="RichString"/>
</filter>"""
INVERT = """<filter name="Invert Faces Orientation">
  <Param name="forceFlip" value="true" type="RichBool"/>
  <Param name="onlySelected" value="false" type="RichBool"/>
</filter>"""


def script(folder, *filters: str):
    path = folder / "script.mlx"
    path.write_text("<!DOCTYPE FilterScript>\n<FilterScript>\n" + "\n".join(filters) + "\n</FilterScript>\n")
    return path


def test_among_native_filters(tmp_path):
    mesh_set = pymeshlab.MeshSet()
    points_alone = '<filter name="Delete ALL Faces"/>'
    path = script(tmp_path, SPHERE, points_alone, SASNET, INVERT)
    apply_filter_script(mesh_set, path)
    assert [layer.label() for layer in mesh_set] == ["Sphere", "SASNet surface"]
    sphere, surface = mesh_set
    cloud = PointCloud(sphere.vertex_matrix(), sphere.vertex_normal_matrix())
    result = reconstruct(cloud, preset="fast", steps=120, edge_length=0.125, watertight=True)
    np.testing.assert_array_equal(surface.vertex_matrix(), result.mesh.vertices)
    volume = mesh_set.apply_filter("get_geometric_measures")["mesh_volume"]
    assert volume == pytest.approx(-4 / 3 * np.pi * 8, rel=0.03)  # turned inside out by the last filter


@pytest.mark.parametrize(
    ("element", "message"),
    [
        ('<Param name="depth" value="8" type="RichInt"/>', "Parameter depth not found"),
        ('<Param name="steps" value="many" type="RichInt"/>', "Parameter steps: must be an int"),
        (
            '<Param name="watertight" value="perhaps" type="RichBool"/>',
            "Parameter watertight: must be a bool",
        ),
        ('<Param name="preset" value="best" type="RichEnum"/>', "Enum 'best' not found"),
    ],
)
def test_parameters_that_cannot_be_used(tmp_path, element, message):
    mesh_set = pymeshlab.MeshSet()
    path = script(
        tmp_path, SPHERE, f'<filter name="generate_surface_reconstruction_sasnet">{element}</filter>'
    )
    with pytest.raises(pymeshlab.PyMeshLabException, match=message):
        apply_filter_script(mesh_set, path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "not a filter script"),
        ("<FilterScript><filter", "not a filter script"),
        ("<MeshLabProject/>", "a document 'MeshLabProject'"),
        ('<!DOCTYPE FilterScript [<!ENTITY a "b">]><FilterScript>&a;</FilterScript>', "declares entities"),
        ('<!DOCTYPE FilterScript [<!ENTITY a SYSTEM "b">]><FilterScript/>', "declares entities"),
    ],
)
def test_files_that_are_not_scripts(tmp_path, text, message):
    path = tmp_path / "script.mlx"
    if text is not None:
        path.write_text(text)
    with pytest.raises(UnreadableInput, match=message):
        apply_filter_script(pymeshlab.MeshSet(), path)
