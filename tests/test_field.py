"""The field in world units: the network's own numbers, scaled; outside the cube; to a file and back."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import sasnet_sdf.networks.registry
from sasnet_sdf.errors import MissingBackend, UnreadableInput, UsageError
from sasnet_sdf.extraction.refinement import Support
from sasnet_sdf.field import Field
from sasnet_sdf.geometry import Frame, TriangleMesh
from sasnet_sdf.io.models import read_model, write_model
from sasnet_sdf.model_config import GridConfig, SASNetConfig
from sasnet_sdf.networks.registry import build_model, choose
from sasnet_sdf.spatial import Tree, morton_order

CONFIG = SASNetConfig(
    width=24,
    hidden_layers=2,
    low=3,
    band=8,
    groups=4,
    period=2.5,
    grid=GridConfig(levels=4, log2_table=10, coarsest=4, finest=20, interpolation="smoothstep"),
)
FRAME = Frame(np.array([5e6, -20.0, 3.0]), 40.0)
LOW, HIGH = np.array([-0.95, -0.3, -0.5]), np.array([0.95, 0.3, 1 / 3])
METADATA = {"preset": "fast", "loss": 1e-9, "seed": 3}


def network(engine="numba"):
    model = build_model(CONFIG, engine=engine, seed=1)
    with torch.no_grad():
        model.masks.grid.table.mul_(30)
    return model


@pytest.fixture
def field():
    return Field(network(), FRAME, LOW, HIGH, METADATA)


@pytest.fixture
def unit():
    return np.random.default_rng(0).uniform(-1, 1, (300, 3))


def test_distances_are_the_networks_times_the_scale(field, unit):
    distances = field.distance(FRAME.to_world(unit))
    with torch.no_grad():
        values = network()(torch.from_numpy(unit.astype(np.float32)))[:, 0].double().numpy()
    assert distances.shape == (300,) and distances.dtype == np.float64
    assert np.abs(distances - 40 * values).max() < 1e-4 * 40 * np.abs(values).max()


def test_distances_to_the_data_are_in_world_units(unit):
    ordered = unit[morton_order(unit)]
    support = Support(Tree.of(ordered), np.full(300, 0.1), np.inf)
    field = Field(network(), FRAME, LOW, HIGH, METADATA, support)
    places = np.random.default_rng(1).uniform(-1, 1, (50, 3))
    nearest = np.linalg.norm(places[:, None] - unit, axis=2).min(1)
    np.testing.assert_allclose(field.distance_to_data(FRAME.to_world(places)), 40 * nearest, rtol=1e-6)
    with pytest.raises(UsageError, match="does not hold the points of its data"):
        Field(network(), FRAME, LOW, HIGH, METADATA).distance_to_data(places)


def test_gradients_are_difference_quotients_of_the_distance(unit):
    """In world units, where the scale of the frame cancels; the network in float64 on both sides."""
    reference, step = network("torch").double(), 1e-5
    points = torch.from_numpy(0.99 * unit[:50].astype(np.float32).astype(np.float64))
    with torch.no_grad():
        steep = [reference(points + step * e) - reference(points - step * e) for e in torch.eye(3).double()]
    expected = torch.cat(steep, 1).numpy() / (2 * step)
    field = Field(network(), Frame(np.zeros(3), 40.0), LOW, HIGH, {})
    found = field.gradient(40 * points.numpy())
    assert found.shape == (50, 3) and found.dtype == np.float64
    assert np.abs(found - expected).max() < 1e-3 * np.abs(expected).max()


def test_outside_the_cube_the_distance_to_it_is_added(field):
    faces = np.array([[1.0, 0.2, -0.3], [0.1, -1.0, 0.4], [1.0, 1.0, -1.0]])
    beyond = np.array([[0.5, 0.0, 0.0], [0.0, -2.0, 0.0], [3.0, 4.0, -12.0]])
    border = field.distance(FRAME.to_world(faces))
    outside = field.distance(FRAME.to_world(faces + beyond))
    assert np.allclose(outside - border, 40 * np.array([0.5, 2.0, 13.0]), rtol=0, atol=1e-5)
    assert np.isfinite(field.gradient(FRAME.to_world(faces + beyond))).all()


def test_the_gradient_outside_is_that_of_the_distance(field):
    far, step = np.array([[1.5, 0.2, -0.3]]), 1e-3
    slope = field.distance(FRAME.to_world(far + [[step, 0, 0]])) - field.distance(FRAME.to_world(far))
    assert field.gradient(FRAME.to_world(far))[0, 0] == pytest.approx(slope[0] / (40 * step), rel=1e-2)


def test_chunks_change_nothing(field, unit, monkeypatch):
    whole = field.unit_distance(unit), *field.unit_gradient(unit)
    monkeypatch.setattr(sasnet_sdf.networks.registry, "CHUNK", 128)
    chunked = field.unit_distance(unit), *field.unit_gradient(unit)
    for one, other in zip(whole, chunked, strict=True):
        assert one.dtype == np.float32 and np.array_equal(one, other)
    assert np.array_equal(chunked[0], chunked[1])


def test_no_points(field):
    empty = np.empty((0, 3))
    assert field.distance(empty).shape == (0,) and field.gradient(empty).shape == (0, 3)


@pytest.mark.parametrize("shape", [(3,), (5, 2), (2, 5, 3), (0,), ()])
def test_points_of_another_shape_are_refused(field, shape):
    for function in (field.distance, field.gradient):
        with pytest.raises(ValueError, match=r"shape \(N, 3\), found"):
            function(np.zeros(shape))


def test_lists_and_single_precision_will_do(field):
    points = [[5e6, -20, 3], [5e6 + 8, -16, 2]]
    expected = field.distance(np.array(points))
    assert np.array_equal(field.distance(points), expected)
    assert np.array_equal(field.distance(np.array(points, np.float32)), expected)


def test_to_a_file_and_back_with_data_and_bridges(unit, tmp_path):
    """In memory the data are double, and more than a file holds."""
    ordered = unit[morton_order(unit)]
    support = Support(Tree.of(ordered), np.random.default_rng(2).uniform(0.01, 0.1, 300), np.inf)
    field = Field(network(), FRAME, LOW, HIGH, METADATA, support)
    beside = TriangleMesh(FRAME.to_world(unit + [[0, 0, 1.0]]), np.arange(300).reshape(-1, 3))
    field = field.bridged_by(beside)
    assert len(field.bridges) > 100
    field.save(tmp_path / "scan.sasnet")
    back = Field.load(tmp_path / "scan.sasnet")
    world = FRAME.to_world(1.2 * unit)
    assert np.array_equal(back.distance(world), field.distance(world))
    assert np.array_equal(back.gradient(world), field.gradient(world))
    arrays, document = read_model(tmp_path / "scan.sasnet")
    arrays["bridges"] = arrays["bridges"][:, :2].copy()
    write_model(tmp_path / "other.sasnet", arrays, document)
    with pytest.raises(UnreadableInput, match="bridges are not points"):
        Field.load(tmp_path / "other.sasnet")


def test_points_that_are_no_numbers_stay_that(field):
    distances = field.distance(np.array([[np.nan, 0, 0], [5e6, -20, 3]]))
    assert np.isnan(distances[0]) and np.isfinite(distances[1])


def test_a_field_trains_no_further(field):
    assert not any(p.requires_grad for p in field.model.parameters()) and not field.model.training
    assert field.device == torch.device("cpu")


def test_to_a_file_and_back_to_the_bit(field, unit, tmp_path):
    field.save(tmp_path / "scan.sasnet")
    back = Field.load(tmp_path / "scan.sasnet")
    world = FRAME.to_world(1.2 * unit)
    assert np.array_equal(back.distance(world), field.distance(world))
    assert np.array_equal(back.gradient(world), field.gradient(world))
    assert back.frame.scale == FRAME.scale and np.array_equal(back.frame.center, FRAME.center)
    assert np.array_equal(back.low, LOW) and np.array_equal(back.high, HIGH)
    assert back.metadata == METADATA and back.model.config == CONFIG
    back.save(tmp_path / "again.sasnet")
    assert (tmp_path / "again.sasnet").read_bytes() == (tmp_path / "scan.sasnet").read_bytes()


def test_the_engine_of_the_reader_is_free(field, unit, tmp_path):
    field.save(tmp_path / "scan.sasnet")
    other = Field.load(tmp_path / "scan.sasnet", device="cpu", engine="torch")
    assert other.model.masks.grid.engine == "torch" and field.model.masks.grid.engine == "numba"
    world = FRAME.to_world(unit)
    assert np.abs(other.distance(world) - field.distance(world)).max() < 1e-4 * 40


@pytest.mark.parametrize(
    "change, reason",
    [
        (lambda arrays, document: arrays.pop("weights"), "no array weights"),
        (lambda arrays, document: arrays.update(phases=np.zeros(7, np.float32)), "phases has the shape"),
        (lambda arrays, document: document.pop("frame"), "frame"),
        (lambda arrays, document: document["architecture"]["config"].update(depth=3), "depth"),
        (lambda arrays, document: document["architecture"]["config"].update(width="wide"), "not a model"),
        (lambda arrays, document: document["architecture"].update(dim=4), "dimensions"),
        (lambda arrays, document: document["architecture"]["config"].update(width=10**6), "65536 at most"),
        (lambda arrays, document: document["architecture"]["config"].update(width=60_000), "smaller"),
    ],
)
def test_files_that_hold_something_else_are_refused(field, tmp_path, change, reason):
    field.save(tmp_path / "scan.sasnet")
    arrays, document = read_model(tmp_path / "scan.sasnet")
    change(arrays, document)
    write_model(tmp_path / "other.sasnet", arrays, document)
    with pytest.raises(UnreadableInput, match=r"other\.sasnet: not a model") as caught:
        Field.load(tmp_path / "other.sasnet")
    assert reason in str(caught.value) and "\n" not in str(caught.value)


def test_choosing_device_and_engine():
    device = "cuda" if torch.cuda.is_available() else "cpu"
    assert choose("auto", "torch") == (device, "torch")
    assert choose("cpu", "auto") == ("cpu", "numba")
    with pytest.raises(UsageError, match="unknown engine 'fast'"):
        choose("cpu", "fast")
    if device == "cpu":
        with pytest.raises(MissingBackend, match="no CUDA device"):
            choose("cuda", "auto")
