"""Error maps of images and volumes, and masks on a signal's own grid."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from sasnet_sdf.signals import Grid
from sasnet_sdf.views.gallery import ERROR_COLORS, GAP, MOST, _panel, _rgb, _round_up, error_map, mask_tiles


def written(path):
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB")).astype(int)


def test_panels_show_original_fit_and_error(tmp_path):
    original = np.zeros((300, 400, 3), np.uint8)
    original[:, 200:] = (255, 0, 51)
    fit = original + np.where(np.arange(400) < 200, 0, 10.0)[:, None]
    error_map(fit, original, 255.0, tmp_path / "error.png")
    pixels = written(tmp_path / "error.png")
    assert pixels.shape[1] == 3 * (400 + GAP) + GAP
    one, other, error = (pixels[GAP : GAP + 300, GAP + n * (400 + GAP) :][:, :400] for n in range(3))
    np.testing.assert_array_equal(one, original)
    assert other[5, 300].tolist() == [255, 10, 61]
    assert error[5, 5].tolist() == ERROR_COLORS[0].tolist()
    assert error[5, 300].tolist() == ERROR_COLORS[-1].tolist()


def test_slices_of_a_volume_run_right_and_up(tmp_path):
    volume = np.zeros((256, 260, 264, 1), np.float32)
    volume[128, 250:, :20] = 4.0
    error_map(volume, volume, 4.0, tmp_path / "error.png")
    across_i = written(tmp_path / "error.png")[GAP:, GAP:][:264, :260, 0]
    assert (across_i[-20:, 250:] == 255).all()
    assert across_i.sum() == 255 * 20 * 10


def test_large_panels_shrink_and_keep_their_mean():
    noise = np.random.default_rng(0).uniform(0, 255, (5, 2 * MOST + 3, 2))
    panel = _panel(noise, 2 * MOST + 3)
    assert panel.shape == (2, 684, 2)
    assert panel[:1, :683].mean() == pytest.approx(noise[:3, : 683 * 3].mean())
    assert _panel(noise[:, :20], 20).shape == (5 * 12, 20 * 12, 2)


def test_transparent_pixels_are_white():
    values = np.array([[[10.0, 0], [10, 255], [10, 127.5]]])
    np.testing.assert_allclose(_rgb(values)[0, :, 1], [255, 10, 132.5])


@pytest.mark.parametrize(("value", "limit"), [(0, 1), (0.3, 0.5), (1, 1), (7.1, 10), (12, 20), (0.05, 0.05)])
def test_scales_end_at_round_numbers(value, limit):
    assert _round_up(value) == pytest.approx(limit)


def test_shapes_must_agree(tmp_path):
    with pytest.raises(ValueError, match="same shape"):
        error_map(np.zeros((4, 4, 1)), np.zeros((4, 5, 1)), 1.0, tmp_path / "error.png")


def ramps(points):
    return np.stack([(axis + 1) / 2 for axis in points.T])


def test_masks_of_an_image_lie_as_it_does(tmp_path):
    mask_tiles(ramps, ["band 1", "band 2"], tmp_path / "masks.png", Grid.of_image(100, 200), size=200)
    pixels = written(tmp_path / "masks.png")[GAP + 1 :, GAP + 1 :, 0]
    down, right = pixels[:100, :200], pixels[:100, 200 + 2 + GAP :][:, :200]
    # the unit cube is the longer side, so rows run over half of it
    assert down[[0, -1], 30].tolist() == [round(255 * 0.2525), round(255 * 0.7475)]
    assert right[30, [0, -1]].tolist() == [round(255 * 0.0025), round(255 * 0.9975)]


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_masks_on_a_slice_of_a_volume(tmp_path, axis):
    grid = Grid.of_volume((10, 20, 40), (4.0, 2.0, 1.0))
    mask_tiles(ramps, ["band 1", "band 2", "band 3"], tmp_path / "m.png", grid, axis=axis, size=120)
    pixels = written(tmp_path / "m.png")[GAP + 1 :, GAP + 1 :, 0]
    tiles = [pixels[:120, n * (122 + GAP) :][:, :120] for n in range(3)]
    across, up = (n for n in range(3) if n != axis)
    assert np.abs(tiles[axis] - 127.5).max() < 1
    assert tiles[across][5, 0] < 3 and tiles[across][5, -1] > 252
    assert tiles[up][-1, 5] < 3 and tiles[up][0, 5] > 252
