"""Arrays of users: numbers that are not finite, huge, of other types, shapes or layouts, or none at all.

What is finite has the value that it has alone, what is not has none, and the process goes on.
"""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest

from sasnet_sdf import fit_image
from sasnet_sdf.cli.main import run
from sasnet_sdf.errors import SasnetError, UnusableGeometry
from sasnet_sdf.extraction.refinement import Support
from sasnet_sdf.field import Field
from sasnet_sdf.fitted import FittedSignal
from sasnet_sdf.geometry import Frame, PointCloud, TriangleMesh
from sasnet_sdf.model_config import GridConfig, SASNetConfig
from sasnet_sdf.networks.registry import build_model
from sasnet_sdf.problems.loading import load
from sasnet_sdf.problems.settings import make_config
from sasnet_sdf.problems.signal import load_signal, ranges
from sasnet_sdf.signals import Grid
from sasnet_sdf.spatial import Tree, morton_order

GRID = GridConfig(levels=3, log2_table=8, coarsest=2, finest=12)
CONFIG = SASNetConfig(width=8, hidden_layers=1, low=2, band=6, bands=2, groups=2, decoder_width=4, grid=GRID)
ODD = np.array([np.nan, np.inf, -np.inf, 1e308, -1e200, 1e39, 1e19, 5e-324, -0.0, 1e-30])


def field(engine, with_support):
    generator = np.random.default_rng(0)
    points = generator.uniform(-0.9, 0.9, (200, 3))
    support = Support(Tree.of(points[morton_order(points)]), np.full(200, 0.1), np.inf)
    low, high = np.full(3, -0.9), np.full(3, 0.9)
    model = build_model(CONFIG, engine=engine, seed=1)
    frame = Frame(np.array([5.0, -2.0, 1.0]), 3.0)
    return Field(model, frame, low, high, {}, support if with_support else None)


def fitted(engine, shape):
    grid = Grid.of_image(*shape) if len(shape) == 2 else Grid.of_volume(shape, (0.5, 1.0, 2.0))
    model = build_model(CONFIG, dim=len(shape), outputs=2, engine=engine, seed=1)
    return FittedSignal(model, grid, np.zeros(2), np.full(2, 9.0), "<f4", 9.0, {}, {})


def functions(engine):
    """Public functions of places, how many coordinates these have, and whether a large one has a value."""
    for with_support in (False, True):
        surface = field(engine, with_support)
        yield from ((f, 3) for f in (surface.distance, surface.gradient, surface.unit_distance))
        yield lambda places, surface=surface: surface.unit_gradient(places)[1], 3
    yield surface.distance_to_data, 3
    for shape in ((5, 6), (4, 5, 6)):
        signal = fitted(engine, shape)
        yield from ((f, len(shape)) for f in (signal.sample, signal.gradient))
        yield from ((f, len(shape)) for f in (signal.at_index, signal.slopes_at_index))


def places_with(odd, dim, generator):
    """Places (N, dim), some of whose coordinates are odd ones; N is not that of a tile."""
    places = generator.uniform(-4, 6, (333, dim))
    places[generator.random(places.shape) < 0.1] = 0
    rows = generator.integers(0, len(places), 60)
    places[rows, generator.integers(0, dim, 60)] = generator.choice(odd, 60)
    return places


@pytest.mark.parametrize("engine", ["numba", "torch"])
def test_what_is_not_finite_has_no_value_and_the_rest_has_its_own(engine):
    generator = np.random.default_rng(1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for function, dim in functions(engine):
            for _ in range(3 if engine == "numba" else 1):
                places = places_with(ODD, dim, generator)
                found = function(places)
                assert len(found) == len(places)
                # to images and volumes an infinite index is one beyond the border
                missing = np.isnan(places).any(axis=1)
                assert np.isnan(found[missing]).all()
                usual = (np.abs(places) < 100).all(axis=1)
                np.testing.assert_allclose(found[usual], function(places[usual]), rtol=1e-4, atol=1e-5)
            nothing = np.full((3, dim), np.nan)
            assert np.isnan(function(nothing)).all()


def test_infinite_places_of_a_field_have_no_value():
    for with_support in (False, True):
        surface = field("numba", with_support)
        for function in (surface.distance, surface.gradient):
            found = function(np.array([[np.inf, 0, 0], [0, -np.inf, 1], [1e308, 0, 0], [1e30, 0, 0]]))
            assert np.isnan(found[:3]).all() and np.isfinite(found[3]).all()


def test_other_types_and_layouts_are_the_same_numbers():
    whole = np.random.default_rng(2).integers(-3, 4, (40, 3))
    for function, dim in functions("numba"):
        numbers = whole[:, :dim]
        expected = function(numbers.astype(np.float64))
        for same in (
            *(numbers.astype(kind) for kind in (np.float32, np.float16, np.int8, ">f8")),
            *(numbers.tolist(), np.asfortranarray(numbers), np.repeat(numbers, 2, axis=0)[::2]),
        ):
            np.testing.assert_array_equal(
                function(np.asarray(same) if function.__name__ != "distance" else same), expected
            )
        assert len(function(np.empty((0, dim)))) == 0


@pytest.mark.parametrize(
    "bad",
    [
        np.zeros(3),
        np.zeros((2, 4)),
        np.zeros((2, 3, 1)),
        np.zeros((0,)),
        7,
        [["a"] * 3],
        np.zeros((2, 3), complex),
    ],
)
def test_what_is_no_places_is_refused(bad):
    surface, volume = field("numba", True), fitted("numba", (4, 5, 6))
    for function in (
        surface.distance,
        surface.gradient,
        surface.distance_to_data,
        volume.sample,
        volume.gradient,
    ):
        with pytest.raises(ValueError, match=r"shape \(N, 3\), found"):
            function(bad)


def odd_arrays(generator):
    """Arrays of all shapes and types that a user might give as points or samples."""
    for shape in (
        (0, 3),
        (12, 3),
        (40, 3),
        (3, 40),
        (40, 2),
        (4, 5),
        (4, 5, 6),
        (2, 3, 4, 2),
        (0, 4, 5),
        (7,),
        (),
    ):
        normal = generator.normal(size=shape)
        mixed = np.where(generator.random(shape) < 0.2, generator.choice(ODD, shape), normal)
        yield from (normal, mixed, np.zeros(shape), np.full(shape, np.nan), np.full(shape, -1e308))
        yield from (
            normal.astype(np.float16),
            (100 * normal).astype(np.int8),
            normal > 0,
            normal.astype(complex),
        )
        yield from (normal.astype(str), normal.astype(object), np.ma.masked_less(normal, 0), normal.tolist())


def test_arrays_as_scans():
    config, generator = make_config("fast"), np.random.default_rng(3)
    taken = 0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for array in odd_arrays(generator):
            for source in (array, PointCloud(array), TriangleMesh(array, np.arange(12).reshape(4, 3))):
                try:
                    geometry, _ = load(source, config)
                except SasnetError as error:
                    assert "\n" not in str(error)
                else:
                    points = geometry.points if isinstance(geometry, PointCloud) else geometry.vertices
                    assert points.dtype == np.float64 and np.isfinite(points).all()
                    taken += 1
    assert taken >= 10


def test_query_of_a_file_with_rows_that_are_not_finite(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    field("numba", True).save("a.sasnet")
    Path("a.xyz").write_text("0 0 0\nnan 1 2\n5 -2 1\n0 inf 0\n1 1 1e300\n1 2 3\n")
    assert run(["query", "a.sasnet", "a.xyz", "-o", "b.npz", "--device", "cpu"]) == 0
    with np.load("b.npz") as found:
        for name in set(found) - {"points"}:
            rows = np.isnan(found[name].reshape(6, -1)).all(axis=1)
            assert rows.tolist() == [False, True, False, True, True, False]
            assert np.isfinite(found[name][~rows]).all()


def test_attributes_that_do_not_fit_are_refused():
    points, config = np.random.default_rng(5).normal(size=(40, 3)), make_config("fast")
    normals = np.asarray(points.tolist(), np.float32)
    found, _ = load(PointCloud(points.tolist(), normals, scalars={"a": list(range(40))}), config)
    assert found.normals.dtype == np.float64 and len(found.scalars["a"]) == 40
    for bad, name in (
        ({"normals": points[:39]}, "normals"),
        ({"sensors": points[:, :2]}, "sensors"),
        ({"colors": np.zeros((40, 4), np.uint8)}, "colors"),
        ({"scalars": {"a": np.zeros((40, 2))}}, "a"),
    ):
        with pytest.raises(UnusableGeometry, match=f"{name} must have the shape"):
            load(PointCloud(points, **bad), config)
    for faces in (np.zeros((3, 4), int), np.zeros((3, 3)), [0, 1, 2]):
        with pytest.raises(UnusableGeometry, match="faces must be whole numbers"):
            load(TriangleMesh(points, faces), config)


@pytest.mark.parametrize("odd", [[1e308, -1e308], [1e120, 0]])
def test_samples_too_large_to_be_squared_are_refused(odd):
    values = np.random.default_rng(6).random((8, 8))
    values[0, :2] = odd
    with pytest.raises(UnusableGeometry, match=r"values up to 1e\+(308|120) are too large"):
        fit_image(values, steps=1)


def test_arrays_as_images_and_volumes():
    generator, taken = np.random.default_rng(4), 0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for array in odd_arrays(generator):
            for kind in ("image", "volume"):
                try:
                    signal, _ = load_signal(array, kind)
                    low, high, missing = ranges(signal)
                except SasnetError as error:
                    assert "\n" not in str(error)
                else:
                    assert low.shape == high.shape == (signal.channels,) and missing <= signal.values.size
                    taken += 1
    assert taken >= 10
