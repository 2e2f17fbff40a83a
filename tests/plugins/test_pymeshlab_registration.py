"""The filters among PyMeshLab's own: listed, explained, removed again."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys

import numpy as np
import pytest

import sasnet_meshlab
from sasnet_meshlab import versions
from sasnet_meshlab.registration import FILTERS
from sasnet_sdf import MissingBackend

NAME = "generate_surface_reconstruction_sasnet"


@pytest.fixture
def pymeshlab():
    module = pytest.importorskip(
        "pymeshlab", reason='needs pip install "sasnet-sdf[meshlab]"', exc_type=ImportError
    )
    yield module
    sasnet_meshlab.unregister()


def test_they_are_listed_and_explained(pymeshlab):
    native = pymeshlab.filter_list()
    sasnet_meshlab.register()
    sasnet_meshlab.register()
    assert pymeshlab.filter_list() == [*native, *(found.name for found in FILTERS)]
    explained = pymeshlab.MeshSet.generate_surface_reconstruction_sasnet.__doc__
    assert "One of fast, balanced, fine." in explained


def test_they_are_printed_as_native_ones(pymeshlab):
    code = (  # in a process of its own: PyMeshLab holds on to the stream that it was loaded with
        "import pymeshlab as p, sasnet_meshlab; sasnet_meshlab.register(); p.print_filter_list();"
        f"p.print_filter_parameter_list('{NAME}'); p.print_filter_parameter_list('create_sphere')"
    )
    # into a pipe, Python and PyMeshLab each keep their last lines for a while
    buffered = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    words = [sys.executable, "-c", code]
    done = subprocess.run(words, capture_output=True, text=True, check=True, env=buffered)
    lines = done.stdout.splitlines()
    native = ["MeshSet class - list of filter names:", *(f"\t{name}" for name in pymeshlab.filter_list())]
    assert lines[: len(native) + 2] == [*native, *(f"\t{found.name}" for found in FILTERS)]
    start = lines.index(f"{NAME} filter - list of parameter names:")
    assert lines[start + 1 : start + 4] == [
        "\tvisiblelayer : bool = False",
        "\tpreset : str = 'balanced'",
        "\tresolution : int = 0",
    ]
    assert f"\ttrim : {versions.length_classes()[0].__name__} = 0%" in lines
    assert any(line.startswith("\tradius : float = 1") for line in lines)


def test_native_filters_work_before_and_after(pymeshlab):
    before = (pymeshlab.filter_list(), pymeshlab.filter_list, pymeshlab.print_filter_list)
    faces, values = [], []
    for step in (None, sasnet_meshlab.register, sasnet_meshlab.unregister, sasnet_meshlab.unregister):
        if step:
            step()
        mesh_set = pymeshlab.MeshSet()
        mesh_set.create_sphere(subdiv=2)
        mesh_set.apply_filter("meshing_surface_subdivision_midpoint", iterations=1)
        faces.append(mesh_set.current_mesh().face_number())
        values.append(mesh_set.filter_parameter_values("create_sphere", radius=2.0))
    assert faces == [1280] * 4 and values == [{"radius": 2.0, "subdiv": 3}] * 4
    assert (pymeshlab.filter_list(), pymeshlab.filter_list, pymeshlab.print_filter_list) == before
    assert not hasattr(pymeshlab.MeshSet, NAME)
    mesh_set = pymeshlab.MeshSet()
    with pytest.raises(pymeshlab.PyMeshLabException, match="Filter does not exists"):
        mesh_set.apply_filter(NAME)


def test_a_native_filter_of_the_same_name_goes_first(pymeshlab, monkeypatch):
    native = pymeshlab.filter_list()
    monkeypatch.setattr(pymeshlab.pmeshlab, "filter_list", lambda: [*native, NAME])
    sasnet_meshlab.register()
    assert not hasattr(pymeshlab.MeshSet, NAME)
    assert NAME not in pymeshlab.filter_list()  # added once by PyMeshLab, which only says so here
    with pytest.raises(pymeshlab.PyMeshLabException, match="Filter does not exists"):
        pymeshlab.MeshSet().apply_filter(NAME)


def test_progress_is_reported(pymeshlab):
    points = np.random.default_rng(0).normal(size=(1000, 3))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    told = []
    sasnet_meshlab.register(lambda progress: told.append(progress.total) or progress.stage != "training")
    mesh_set = pymeshlab.MeshSet()
    mesh_set.add_mesh(pymeshlab.Mesh(points, v_normals_matrix=points))
    with pytest.raises(pymeshlab.PyMeshLabException, match="Details: "):  # ended before there is a surface
        mesh_set.apply_filter(NAME, preset="fast", resolution=16, trim=versions.length_classes()[1](1e-9))
    assert told == sorted(told) and len(told) > 2


def test_without_pymeshlab(monkeypatch):
    monkeypatch.setitem(sys.modules, "pymeshlab", None)
    with pytest.raises(MissingBackend, match=r'needs pymeshlab: pip install "sasnet-sdf\[meshlab\]"'):
        sasnet_meshlab.register()


def test_with_one_that_would_crash(monkeypatch):
    monkeypatch.setattr(versions, "version", lambda _: "2022.2.post4")
    monkeypatch.setattr(np, "__version__", "2.1.0")
    with pytest.raises(MissingBackend, match=r"2022\.2\.post4 crashes with NumPy 2.*pip install --upgrade"):
        sasnet_meshlab.register()


def test_without_a_system_library(monkeypatch):
    def fails(name):
        raise ImportError("libGL.so.1: cannot open shared object file")

    monkeypatch.setattr(importlib, "import_module", fails)
    with pytest.raises(MissingBackend, match="libGL: apt-get install libgl1"):
        sasnet_meshlab.register()
