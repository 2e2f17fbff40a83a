"""Fits of images and volumes, what they give at any place, and their way through a file."""

from __future__ import annotations

import numpy as np
import pytest

import sasnet_sdf
from sasnet_sdf.errors import UnreadableInput, UnusableGeometry, UsageError
from sasnet_sdf.fitted import FittedSignal
from sasnet_sdf.problems.isosurface import isosurface
from sasnet_sdf.problems.signal import load_signal, ranges
from sasnet_sdf.signals import Grid, Signal
from sasnet_sdf.training.samplers import SignalBatches

SPACING = (1.6, 1.3, 1.0)
SHAPE = (20, 24, 32)
MIDDLE = (np.array(SHAPE) - 1) / 2 * SPACING


def smooth_image(x, y):
    """A color at places (x, y) of a picture of 64 x 48 pixels, 0 to 255."""
    waves = [np.sin(x / 9 + phase) * np.cos(y / 7 - phase) for phase in (0.0, 1.0, 2.0)]
    return 127.5 + 110 * np.stack(waves, -1)


def bell(points):
    """1 in the volume's middle, falling with the distance in world units."""
    return np.exp(-(((points - MIDDLE) / 12) ** 2).sum(-1))


@pytest.fixture(scope="module")
def image():
    y, x = np.mgrid[:48, :64] + 0.5
    return smooth_image(x, y).round().astype(np.uint8)


@pytest.fixture(scope="module")
def fitted_image(image):
    return sasnet_sdf.fit_image(image, steps=600, batch=1024, parameters=6000)


@pytest.fixture(scope="module")
def volume():
    index = np.stack(np.meshgrid(*map(np.arange, SHAPE), indexing="ij"), -1)
    return (100 * bell(index * SPACING)).astype(np.float32)


@pytest.fixture(scope="module")
def fitted_volume(volume):
    return sasnet_sdf.fit_volume(volume, spacing=SPACING, steps=600, batch=2048, parameters=4000)


def test_an_image_is_fitted(fitted_image, image):
    report = fitted_image.report
    assert report["metrics"]["psnr"] > 35 and report["metrics"]["ssim"] > 0.95
    assert abs(report["training"]["parameters"] - 6000) <= 120
    assert report["input"] == {
        "path": None,
        "kind": "image",
        "shape": [48, 64],
        "channels": 3,
        "dtype": "uint8",
        "spacing": [1.0, 1.0],
    }
    rendered = fitted_image.render()
    assert rendered.values.shape == image.shape and rendered.values.dtype == np.uint8
    error = np.square(rendered.values.astype(float) - image).mean()
    assert 10 * np.log10(255**2 / error) == pytest.approx(report["metrics"]["psnr"], abs=3)  # rounded


def test_between_the_samples_it_is_what_the_picture_was_of(fitted_image):
    rng = np.random.default_rng(0)
    places = rng.uniform((1, 1), (63, 47), (2000, 2))
    found = fitted_image.sample(places)
    assert np.abs(found - smooth_image(*places.T)).mean() < 4


def test_outside_nothing_is_made_up(fitted_image):
    places = np.array([[-0.1, 5], [64.1, 5], [5, 48.1], [0.0, 0.0], [0.2, 0.3], [64, 48]])
    found = fitted_image.sample(places)
    assert np.isnan(found[:3]).all() and np.isnan(fitted_image.gradient(places)[:3]).all()
    # the outer half of a border's pixel has its value
    corner = fitted_image.sample(np.array([[0.5, 0.5], [63.5, 47.5]]))
    assert np.array_equal(found[[3, 4]], corner[[0, 0]]) and np.array_equal(found[5], corner[1])
    assert (fitted_image.gradient(places)[3:] == 0).all()


def test_values_keep_to_the_range_of_the_samples(fitted_image, image):
    large = fitted_image.render(scale=4).values
    assert (large >= image.min((0, 1))).all() and (large <= image.max((0, 1))).all()


@pytest.mark.parametrize("name", ["fitted_image", "fitted_volume"])
def test_gradients_are_differences(name, request):
    fitted = request.getfixturevalue(name)
    rng = np.random.default_rng(1)
    index = rng.uniform(2, np.array(fitted.grid.shape) - 3, (200, fitted.grid.dim))
    places = fitted.grid.to_world(index)
    found = fitted.gradient(places)
    assert found.shape == (200, len(fitted.low), fitted.grid.dim)
    for axis in range(fitted.grid.dim):
        step = np.eye(fitted.grid.dim)[axis] * 0.01
        ahead, behind = fitted.sample(places + step), fitted.sample(places - step)
        inside = ((ahead > fitted.low) & (ahead < fitted.high)).all(1)
        inside &= ((behind > fitted.low) & (behind < fitted.high)).all(1)
        off = np.abs((ahead - behind) / 0.02 - found[..., axis])[inside]
        assert np.median(off) < 0.02 * np.abs(found).max() and inside.mean() > 0.7


def test_a_rendering_lies_where_it_says(fitted_image):
    part = fitted_image.render(scale=2, region=(10, 20, 50, 44))
    assert part.values.shape == (48, 80, 3)
    corners = part.grid.to_world(np.array([[0, 0], [47, 79]]))
    assert np.allclose(corners, [[10.25, 20.25], [49.75, 43.75]])
    direct = fitted_image.sample(part.grid.to_world(np.array([[7, 11]])))
    assert np.array_equal(part.values[7, 11], direct[0].round().astype(np.uint8))
    by_size = fitted_image.render(size=(80, 48), region=(10, 20, 50, 44))
    assert np.array_equal(by_size.values, part.values)


def test_a_shift_moves_the_samples_and_leaves_away_what_leaves_the_domain(fitted_image):
    moved = fitted_image.render(shift=(0.25, 0.0))
    assert moved.values.shape == (48, 64, 3)
    assert np.allclose(moved.grid.to_world(np.array([[0, 0]])), [[0.75, 0.5]])
    far = fitted_image.render(shift=(10.25, -3.0))
    assert far.values.shape == (45, 54, 3)
    assert np.allclose(far.grid.to_world(np.array([[0, 0]])), [[10.75, 0.5]])
    with pytest.raises(UsageError, match="out of the domain"):
        fitted_image.render(shift=(100.0, 0.0))


@pytest.mark.parametrize(
    ("view", "reason"),
    [
        ({"scale": 2, "size": (8, 8)}, "not both"),
        ({"scale": 0.0}, "positive"),
        ({"size": (0, 8)}, "at least 1"),
        ({"size": (8,)}, "2 numbers"),
        ({"region": (0, 0, 65, 48)}, "within the image of 64 x 48"),
        ({"region": (0, 0, 5)}, "4 numbers"),
        ({"scale": 1e6}, "too large"),
    ],
)
def test_views_that_there_are_not(fitted_image, view, reason):
    with pytest.raises(UsageError, match=reason):
        fitted_image.render(**view)


@pytest.mark.parametrize("name", ["fitted_image", "fitted_volume"])
def test_through_a_file_it_is_the_same_to_the_bit(name, request, tmp_path):
    fitted = request.getfixturevalue(name)
    fitted.save(tmp_path / "model.sasnet")
    again = FittedSignal.load(tmp_path / "model.sasnet", device="cpu")
    one, other = fitted.render(scale=1.5), again.render(scale=1.5)
    assert np.array_equal(one.values, other.values) and one.values.dtype == other.values.dtype
    assert np.array_equal(one.grid.affine, other.grid.affine)
    assert again.kind == fitted.kind and again.peak == fitted.peak
    with pytest.raises(UnreadableInput, match="the model of an image or a volume: use sasnet-sdf render"):
        sasnet_sdf.Field.load(tmp_path / "model.sasnet")


def test_a_volume_keeps_its_spacing(fitted_volume, volume):
    assert fitted_volume.report["metrics"]["psnr"] > 35
    assert fitted_volume.peak == pytest.approx(np.ptp(volume))
    rng = np.random.default_rng(2)
    places = rng.uniform(0, MIDDLE * 2, (2000, 3))
    assert np.abs(fitted_volume.sample(places)[:, 0] - 100 * bell(places)).mean() < 1.5
    larger = fitted_volume.render(scale=2)
    assert larger.values.shape == (40, 48, 64, 1)
    assert np.allclose(larger.grid.spacing, np.array(SPACING) / 2)


def test_an_isosurface_lies_at_its_level_in_the_world(fitted_volume):
    mesh, facts = isosurface(fitted_volume, 60.0)
    radius = 12 * np.sqrt(-np.log(0.6))
    out = mesh.vertices - MIDDLE
    distance = np.linalg.norm(out, axis=1)
    assert np.abs(distance - radius).mean() < 0.02 * radius
    assert facts["boundary_edges"] == 0
    outward = (mesh.normals * out).sum(1) / distance
    assert outward.mean() > 0.98
    corners = mesh.vertices[mesh.faces]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    assert ((normals * out[mesh.faces[:, 0]]).sum(1) > 0).mean() > 0.99


def test_an_isosurface_of_a_mirrored_volume_still_faces_outward(fitted_volume, volume):
    affine = fitted_volume.grid.affine.copy()
    affine[0] *= -1
    grid = Grid(fitted_volume.grid.shape, affine)
    mirrored = FittedSignal(
        fitted_volume.model, grid, fitted_volume.low, fitted_volume.high, "<f4", 100.0, {}, {}
    )
    mesh, _ = isosurface(mirrored, 60.0, resolution=40)
    corners = mesh.vertices[mesh.faces]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    out = corners[:, 0] - MIDDLE * (-1, 1, 1)
    assert ((normals * out).sum(1) > 0).mean() > 0.99


def test_an_isosurface_ends_at_the_last_samples(fitted_volume):
    mesh, facts = isosurface(fitted_volume, 20.0)
    assert facts["boundary_edges"] > 0
    assert (mesh.vertices >= -1e-6).all() and (mesh.vertices <= 2 * MIDDLE + 1e-6).all()


def test_isosurfaces_that_there_are_not(fitted_volume, fitted_image):
    with pytest.raises(UsageError, match=r"must lie between .* found 500"):
        isosurface(fitted_volume, 500.0)
    with pytest.raises(UsageError, match="only a volume has"):
        isosurface(fitted_image, 100.0)


def test_samples_that_are_not_finite_are_left_away(volume):
    broken = volume.copy()
    broken[5:9, 5:9, 5:9] = np.nan
    fitted = sasnet_sdf.fit_volume(broken, spacing=SPACING, steps=120, batch=2048, parameters=4000)
    assert any("64 of 15360 values are not finite" in note for note in fitted.report["notes"])
    assert np.isfinite(fitted.render().values).all() and fitted.report["metrics"]["psnr"] > 25


def test_other_networks_and_sizes(image):
    fitted = sasnet_sdf.fit_image(image, model="siren:omega0=20", ratio=0.2, steps=20, batch=512)
    assert fitted.report["model"] == "siren"
    assert abs(fitted.report["training"]["parameters"] - 0.2 * image.size) < 0.04 * 0.2 * image.size
    wide = sasnet_sdf.fit_image(image, settings=["width=40", "model.omega0=25"], steps=3, batch=512)
    assert wide.model.config.width == 40 and wide.model.config.omega0 == 25


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ({"parameters": 5000, "ratio": 0.3}, "not both"),
        ({"ratio": 0}, "ratio must lie between"),
        ({"steps": 0}, "steps must lie between"),
        ({"model": "splines"}, "unknown model 'splines'"),
        ({"preset": "best"}, "unknown preset"),
        ({"trim": "off"}, "unknown setting 'trim'"),
    ],
)
def test_words_that_there_are_not(image, words, reason):
    with pytest.raises(UsageError, match=reason):
        sasnet_sdf.fit_image(image, **words)


@pytest.mark.parametrize(
    ("values", "kind", "error"),
    [
        (np.zeros((4, 4, 5)), "image", UsageError),
        (np.zeros((4, 4), complex), "image", UsageError),
        (np.zeros((1, 9)), "image", UnusableGeometry),
        (np.zeros((4, 4)), "volume", UsageError),
    ],
)
def test_arrays_that_cannot_be_fitted(values, kind, error):
    with pytest.raises(error):
        sasnet_sdf.fit_image(values) if kind == "image" else sasnet_sdf.fit_volume(values)


def test_ranges():
    values = np.array([[[1.0, 5.0], [np.nan, 6.0]], [[3.0, np.inf], [2.0, 7.0]]])
    signal = Signal(values, Grid.of_image(2, 2))
    low, high, missing = ranges(signal)
    assert low.tolist() == [1, 5] and high.tolist() == [3, 7] and missing == 2
    low, high, missing = ranges(Signal(np.full((2, 2, 1), np.nan), Grid.of_image(2, 2)))
    assert np.isnan(low).all() and np.isnan(high).all() and missing == 4
    with pytest.raises(UnusableGeometry, match="no finite value"):
        sasnet_sdf.fit_image(np.full((4, 4), np.nan))


def test_numbers_far_from_zero_keep_their_digits():
    y, x = np.mgrid[:24, :32]
    heights = 1e9 + np.sin(x / 5.0) + np.cos(y / 4.0)
    heights.flags.writeable = False  # and the array stays as it is
    fitted = sasnet_sdf.fit_image(heights, steps=300, batch=512, parameters=3000)
    assert fitted.report["metrics"]["psnr"] > 25
    assert np.abs(fitted.at_samples((0, 0), (24, 32))[..., 0] - heights).mean() < 0.2


def test_psnr_leaves_out_what_is_missing(image):
    broken = image.astype(np.float64)
    broken[:, ::2] = np.nan
    fitted = sasnet_sdf.fit_image(broken, steps=100, batch=1024, parameters=3000)
    error = (fitted.at_samples((0, 0), image.shape[:2]) - broken)[:, 1::2]
    expected = 10 * np.log10(fitted.peak**2 / np.square(error).mean())
    assert fitted.report["metrics"]["psnr"] == pytest.approx(expected)
    assert any("50.00% of what was measured is missing" in note for note in fitted.report["notes"])


def test_whole_numbers_of_64_bits_do_not_wrap():
    values = np.full((4, 4), np.iinfo(np.int64).max, np.int64)
    values[0] = np.iinfo(np.int64).min
    rendered = sasnet_sdf.fit_image(values, steps=300).render().values
    assert rendered.dtype == np.int64
    assert (rendered[0] < 0).all() and (rendered[2:] > 0).mean() > 0.7


def test_an_image_that_is_all_the_same_is_fitted_exactly():
    fitted = sasnet_sdf.fit_image(np.full((8, 8), 7, np.uint8), steps=5)
    assert (fitted.render().values == 7).all()
    assert fitted.report["metrics"]["psnr"] is None  # JSON has no infinity


@pytest.mark.parametrize("shape", [(2, 65, 65), (10, 20, 20)])
def test_a_lattice_that_does_not_divide_the_volume_still_covers_it(shape):
    index = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), -1)
    along = index[..., 1] / (shape[1] - 1)
    fitted = sasnet_sdf.fit_volume(along.astype(np.float32), steps=300, batch=2048, parameters=3000)
    mesh, _ = isosurface(fitted, 0.5, resolution=16)
    # a sheet across the whole of the other two axes
    assert np.allclose(mesh.vertices.min(0)[[0, 2]], 0, atol=0.05) and np.isfinite(mesh.normals).all()
    assert np.allclose(mesh.vertices.max(0)[[0, 2]], np.array(shape)[[0, 2]] - 1, atol=0.05)
    assert np.abs(mesh.vertices[:, 1] - (shape[1] - 1) / 2).mean() < 0.05 * shape[1]
    assert (mesh.normals[:, 1] < -0.8).mean() > 0.9  # towards lower values


def test_a_volume_that_lies_by_columns_gives_the_same_samples(volume, tmp_path):
    mapped = np.lib.format.open_memmap(tmp_path / "v.npy", "w+", np.float32, volume.shape, fortran_order=True)
    mapped[:] = volume
    signal, _ = load_signal(mapped, "volume", SPACING)
    assert signal.order == "F"
    points, values = SignalBatches(signal, np.zeros(1), np.full(1, 100.0), 500, seed=0)(0)
    index = signal.grid.from_unit(points.numpy()).round().astype(int)
    assert np.allclose(values[:, 0], volume[tuple(index.T)] / 50 - 1, atol=1e-5)
    # in the order of the file, whose first axis is the fastest
    place = np.ravel_multi_index(tuple(index.T), volume.shape, order="F")
    assert (np.diff(place) >= 0).all()


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ({"parameters": 5000, "settings": ["width=40"]}, "give the parameters or the width"),
        ({"ratio": 0.1, "model": "siren:width=40"}, "give the ratio or the width"),
        ({"settings": ["eikonal_weight=1"]}, "only surfaces"),
    ],
)
def test_words_that_contradict_or_do_nothing(image, words, reason):
    with pytest.raises(UsageError, match=reason):
        sasnet_sdf.fit_image(image, **words)


def test_a_width_among_the_models_words_counts(image):
    assert sasnet_sdf.fit_image(image, model="siren:width=20", steps=2).model.config.width == 20
