"""docs/meshlab.md says what is there, and its code runs."""

from __future__ import annotations

import re

import numpy as np
import pytest

import sasnet_meshlab
from sasnet_meshlab.filters import Filter
from sasnet_meshlab.registration import FILTERS
from sasnet_sdf import Field, PointCloud, read_geometry
from sasnet_sdf.io import write_cloud

pymeshlab = pytest.importorskip(
    "pymeshlab", reason='needs pip install "sasnet-sdf[meshlab]"', exc_type=ImportError
)

SCRIPT = '<!DOCTYPE FilterScript>\n<FilterScript><filter name="Box/Cube"/></FilterScript>'


def table(found: Filter) -> str:
    """The parameters of a filter as the page has them."""
    lines = ["| parameter | type | default | |", "| --- | --- | --- | --- |"]
    for parameter in found.parameters:
        name, _, rest = parameter.declared().partition(" : ")
        kind, _, default = rest.partition(" = ")
        if parameter.kind == "layer":
            default = {"measuremesh": "the current layer", "refmesh": "the first other one"}[name]
        else:
            default = f"`{default}`"
        if parameter.kind == "length":
            kind = "PercentageValue"  # the name since 2023
        choices = ", ".join(f"`{choice}`" for choice in parameter.choices)
        meaning = f"{parameter.help} One of {choices}." if choices else parameter.help
        lines.append(f"| `{name}` | {kind} | {default} | {meaning} |")
    return "\n".join(lines)


@pytest.mark.parametrize("found", FILTERS, ids=lambda found: found.name)
def test_the_parameters_are_those_of_the_filters(root, found):
    text = (root / "docs" / "meshlab.md").read_text(encoding="utf-8")
    match = re.search(rf"<!-- {found.name} -->\n(.*?)\n<!-- end -->", text, re.DOTALL)
    assert match and match[1] == table(found)


def test_the_code_runs(root, tmp_path, monkeypatch):
    points = np.random.default_rng(0).normal(size=(2000, 3))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    monkeypatch.chdir(tmp_path)
    write_cloud("scan.ply", PointCloud(points, points))
    (tmp_path / "filters.mlx").write_text(SCRIPT)
    text = (root / "docs" / "meshlab.md").read_text(encoding="utf-8")
    code = "\n".join(re.findall(r"```python\n(.*?)```", text, re.DOTALL))
    code = code.replace('(preset="fast")', '(preset="fast", steps=120, resolution=48)')  # or it takes long
    code = code.replace('    preset="fast",\n', '    preset="fast", steps=120,\n')
    names: dict = {}
    try:
        exec(compile(code, "docs/meshlab.md", "exec"), names)
    finally:
        sasnet_meshlab.unregister()
    surface = read_geometry("surface.ply")
    assert np.abs(np.linalg.norm(surface.vertices, axis=1) - 1).max() < 0.1
    assert names["facts"]["closed"] and Field.load("scan.sasnet").distance(np.zeros((1, 3))) < 0
    assert [layer.label() for layer in names["ms"]][1:3] == ["SASNet surface", "SASNet surface(1)"]
    assert np.abs(names["ms"].mesh(1).vertex_scalar_array()).max() < 0.1
