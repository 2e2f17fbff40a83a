"""Slices of masks on an exact sphere."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from sasnet_sdf.views.gallery import (
    GAP,
    LINE,
    LINE_HEIGHT,
    mask_rows,
    mask_slices,
    slice_points,
    tile,
    zero_line,
)

SIZE = 100
LABELS = ["band 1", "band 2", "layer 1 group 1", "layer 1 group 2", "layer 1 group 3"]


def masks(points):
    x, y, z = (points.T + 1) / 2
    return np.stack([x, y, z, np.zeros_like(x), np.ones_like(x)])


def sphere(points):
    return np.linalg.norm(points, axis=1) - 0.6


def tiles(tmp_path, **options):
    mask_slices(masks, sphere, LABELS, tmp_path / "masks.png", size=SIZE, **options)
    with Image.open(tmp_path / "masks.png") as image:
        pixels = np.asarray(image.convert("RGB")).astype(int)
    place, row = SIZE + 2 + GAP, SIZE + 2 + GAP + GAP // 2 + LINE_HEIGHT + GAP
    assert pixels.shape[1] == 3 * place + GAP
    corners = [(0, 0), (0, 1), (1, 0), (1, 1), (1, 2)]
    return [pixels[GAP + 1 + r * row :, GAP + 1 + c * place :][:SIZE, :SIZE] for r, c in corners]


def test_tiles_have_the_values_of_their_masks(tmp_path):
    x, y, z, none, all_ = tiles(tmp_path)
    assert x[95, 90].tolist() == [round(255 * 0.905)] * 3
    assert y[5, 90].tolist() == [round(255 * 0.945)] * 3, "the second coordinate runs up"
    assert z[5, 5, 0] == pytest.approx(127.5, abs=0.51)
    assert none[5, 5].tolist() == [0] * 3
    assert all_[5, 5].tolist() == [255] * 3


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_slice_lies_where_asked(axis):
    points = slice_points(axis, 0.25, 10).reshape(10, 10, 3)
    assert (points[..., axis] == 0.25).all()
    across, up = (n for n in range(3) if n != axis)
    np.testing.assert_allclose(points[0, 0, [across, up]], [-0.9, 0.9])
    np.testing.assert_allclose(points[9, 3, [across, up]], [-0.3, -0.9])


@pytest.mark.parametrize("at", [0.0, 0.3])
def test_level_line_lies_on_the_circle(tmp_path, at):
    radius = np.sqrt(0.6**2 - at**2)
    middle = (np.arange(SIZE) + 0.5) * 2 / SIZE - 1
    away = np.abs(np.hypot(middle[None], middle[:, None]) - radius) * SIZE / 2
    for picture in tiles(tmp_path, at=at):
        line = (picture == LINE).all(2)
        assert line.sum() > 2 * np.pi * radius * SIZE / 2
        assert away[line].max() < 1.5
        assert line[away < 0.3].all()


def test_field_without_a_surface_has_no_line():
    assert not zero_line(np.ones((5, 5))).any()


def test_tile_is_framed_and_clipped():
    picture = tile(np.array([[-0.2, 1.7]]), np.zeros((1, 2), bool))
    assert picture.shape == (3, 4, 3)
    assert picture[1, 1:3, 0].tolist() == [0, 255]
    assert 0 < picture[0, 0, 0] < 255


def test_every_mask_needs_a_caption(tmp_path):
    with pytest.raises(ValueError, match="5 masks"):
        mask_slices(masks, sphere, LABELS[:4], tmp_path / "masks.png", size=10)
    assert not list(tmp_path.iterdir())


def test_more_masks_than_fit_beside_each_other_continue_below():
    gates = np.random.default_rng(0).random((16, 60, 90))
    names = [f"layer 3 group {n + 1}" for n in range(16)]
    eight, sixteen = mask_rows(gates[:8], names[:8]), mask_rows(gates, names)
    assert sixteen.width == eight.width and sixteen.height > eight.height + 60
