"""The field of a tiled scan: distances near and far, files, and its surface once more."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

import sasnet_sdf
from sasnet_sdf.errors import UnreadableInput, UsageError
from sasnet_sdf.io import write_mesh
from sasnet_sdf.tiles.evaluate import evaluate
from sasnet_sdf.tiles.extract import surface_of_model
from sasnet_sdf.tiles.field import TiledField, load_field


@pytest.fixture(scope="module")
def field(sphere) -> TiledField:
    return sphere.result.field


def shell(low: float, high: float, count: int = 3000) -> np.ndarray:
    """Random points (N, 3) whose distances from the origin are in a range."""
    rng = np.random.default_rng(0)
    directions = rng.normal(size=(count, 3))
    return directions * (rng.uniform(low, high, count) / np.linalg.norm(directions, axis=1))[:, None]


@pytest.mark.parametrize(
    ("low", "high", "usual", "most"),
    [(0.97, 1.03, 0.004, 0.02), (1.2, 1.9, 1e-3, 0.1), (2.5, 40, 1e-3, 2e-3)],
)
def test_distances_are_those_of_the_sphere(field, low, high, usual, most):
    points = shell(low, high)
    error = np.abs(field.distance(points) - (np.linalg.norm(points, axis=1) - 1))
    # the side of places between is left to networks, which are hardly trained here
    assert np.median(error) < usual and np.quantile(error, 0.9) < most


def test_tiles_know_the_surface_better_than_the_coarse_field(field):
    points = shell(0.97, 1.03)
    true = np.linalg.norm(points, axis=1) - 1
    error = [np.abs(one.distance(points) - true).mean() for one in (field, field.coarse)]
    assert error[0] < 0.75 * error[1]
    far = shell(5.0, 9.0, 100)
    np.testing.assert_array_equal(field.distance(far), field.coarse.distance(far))


@pytest.mark.parametrize(
    ("low", "high", "least"), [(0.97, 1.03, 0.95), (1.3, 1.9, 0.99), (2.5, 40.0, 0.9999)]
)
def test_gradients_face_away_from_the_sphere(field, low, high, least):
    points = shell(low, high)
    gradients = field.gradient(points)
    length = np.linalg.norm(gradients, axis=1)
    cosine = (points * gradients).sum(1) / np.linalg.norm(points, axis=1) / length
    assert np.median(cosine) > least and np.median(np.abs(length - 1)) < 0.15


def test_distances_have_no_step_at_borders(field):
    # across the border at x = 0, by less than the field can change
    line = np.stack([np.linspace(-0.4, 0.4, 8001), np.full(8001, 0.7), np.full(8001, 0.7)], 1)
    step = np.abs(np.diff(field.distance(line)))
    assert step.max() < 4 * 1e-4 and np.ptp(field.tiling.at(line)) > 0


def test_places_that_are_not_finite_have_no_distance(field):
    points = np.array([[np.nan, 0, 0], [1.0, 0, 0], [0, np.inf, 0]])
    distance, gradient = field.distance(points), field.gradient(points)
    assert np.isnan(distance).tolist() == [True, False, True]
    assert np.isnan(gradient).all(1).tolist() == [True, False, True]
    with pytest.raises(ValueError):
        field.distance(np.zeros((3, 2)))
    assert field.distance(np.empty((0, 3))).shape == (0,)


def test_a_model_is_a_folder(field, tmp_path):
    names = sorted(path.name for path in field.folder.iterdir())
    assert names == [*(f"{n:06d}.sasnet" for n in range(8)), "coarse.sasnet", "tiles.json"]
    field.save(tmp_path / "copy")
    copy, points = load_field(tmp_path / "copy"), shell(0.9, 3.0, 200)
    assert isinstance(copy, TiledField) and copy.tiling.tiles == field.tiling.tiles
    np.testing.assert_array_equal(copy.distance(points), field.distance(points))
    np.testing.assert_array_equal(copy.gradient(points), field.gradient(points))
    with pytest.raises(UsageError, match="copy: cannot be written"):
        field.save(tmp_path / "copy")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda index: index | {"format": 2}, "it has format 2, this version reads 1"),
        (lambda index: index | {"tiling": {}}, "low"),
        (lambda index: {"format": 1}, "tiling"),
        (lambda index: [index], "list indices"),
        (lambda index: index | {"training": None}, "not iterable"),
    ],
)
def test_a_damaged_index_is_refused(field, tmp_path, change, reason):
    shutil.copytree(field.folder, tmp_path / "model")
    place = tmp_path / "model" / "tiles.json"
    place.write_text(json.dumps(change(json.loads(place.read_text()))))
    with pytest.raises(UnreadableInput, match=rf"tiles.json: not the index of a tiled model.*{reason}"):
        load_field(tmp_path / "model")


def test_damaged_models_are_refused(field, tmp_path):
    shutil.copytree(field.folder, tmp_path / "model")
    (tmp_path / "model" / "000002.sasnet").write_bytes(b"no model")
    found = load_field(tmp_path / "model")
    with pytest.raises(UnreadableInput, match=r"000002\.sasnet"):
        found.distance(shell(0.99, 1.01))
    (tmp_path / "model" / "coarse.sasnet").unlink()
    with pytest.raises((UnreadableInput, UsageError), match=r"coarse\.sasnet"):
        load_field(tmp_path / "model")
    (tmp_path / "model" / "tiles.json").write_bytes(b"{")
    with pytest.raises(UnreadableInput, match="not the index of a tiled model"):
        load_field(tmp_path / "model")


def test_without_the_field_of_a_tile_the_coarse_one_is_used(field, tmp_path):
    shutil.copytree(field.folder, tmp_path / "model")
    (tmp_path / "model" / "000000.sasnet").unlink()
    found = load_field(tmp_path / "model")
    assert isinstance(found, TiledField)
    assert found.field_of(0) is None and found.field_of(1) is not None
    points = shell(0.99, 1.01)
    only = field.tiling.weight(field.tiling.tiles[0], points)
    only /= sum(field.tiling.weight(tile, points) for tile in field.tiling.tiles)
    alone, never = points[only > 0.999], points[only == 0]
    assert len(alone) > 1 and len(never) > 100
    np.testing.assert_allclose(found.distance(alone), field.coarse.distance(alone), atol=1e-3)
    np.testing.assert_array_equal(found.distance(never), field.distance(never))


def test_the_surface_of_a_model_is_extracted_again(field, small, edges):
    for options, cells in (
        ({}, 2),
        ({"edge_length": 0.11}, None),
        ({"resolution": 80}, None),
        ({"faces": 900}, 2),
    ):
        mesh, facts = surface_of_model(field, small(**options))
        assert edges(mesh).closed and edges(mesh).pieces == 1
        assert facts["boundary_edges"] == 0 and facts["trim"]["closed"]
        assert np.quantile(np.abs(np.linalg.norm(mesh.vertices, axis=1) - 1), 0.9) < 0.02
        if cells:
            assert facts["edge_length"] == field.tiling.side / cells == field.tiling.cell
        else:
            assert facts["edge_length"] != field.tiling.cell
        if "faces" in options:
            assert len(mesh.faces) == pytest.approx(900, rel=0.1)


def test_a_model_folder_is_measured(field, ball, tmp_path):
    truth = sasnet_sdf.PointCloud(shell(1.0, 1.0, 4000))
    write_mesh(tmp_path / "mesh.ply", surface_of_model(field, sasnet_sdf.make_config()).mesh)
    by_folder = evaluate(field.folder, truth, samples=2000)
    by_field = evaluate(field, truth, samples=2000)
    assert by_folder.error == by_field.error
    # in ten-thousandths of the diagonal
    assert by_folder["completeness_mean"] < 10 and by_folder["watertight"]
    # a tiled field beside a mesh is asked for its distances
    of_mesh = evaluate(tmp_path / "mesh.ply", truth, field=field, samples=2000)
    assert of_mesh.error == pytest.approx(by_folder.error, rel=0.2)
