"""Panels, captions and error colors."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageFont
from skimage.color import rgb2lab

from sasnet_sdf.geometry import TriangleMesh
from sasnet_sdf.views.gallery import (
    ERROR_COLORS,
    FONT_SIZE,
    GAP,
    LINE_HEIGHT,
    _lines,
    error_colors,
    save,
    scale_bar,
    side_by_side,
)
from sasnet_sdf.views.render import error_picture, render_picture

RED, BLUE = (np.full((30, 80, 3), color, np.uint8) for color in ((200, 0, 0), (0, 0, 200)))


def test_error_colors_run_from_the_first_to_the_last():
    colors = error_colors(np.array([0.0, 3.0, -3.0, 1e9, np.inf, np.nan, 1.5]), 3.0)
    assert colors.dtype == np.uint8
    np.testing.assert_array_equal(colors[0], ERROR_COLORS[0])
    for n in range(1, 6):
        np.testing.assert_array_equal(colors[n], ERROR_COLORS[-1])
    np.testing.assert_array_equal(colors[6], ERROR_COLORS[3])


def test_error_colors_darken_evenly():
    lightness = rgb2lab(error_colors(np.linspace(0, 1, 7), 1.0) / 255)[:, 0]
    steps = np.diff(lightness)
    assert steps.max() < 0
    np.testing.assert_allclose(steps, steps.mean(), atol=1)


@pytest.mark.parametrize("limit", [0.0, -1.0, np.nan])
def test_error_scale_needs_a_limit(limit):
    with pytest.raises(ValueError, match="limit"):
        error_colors(np.ones(3), limit)


def test_panels_are_in_rows_with_captions_below():
    image = np.asarray(side_by_side([("one", RED), ("two", BLUE), ("three", RED)], columns=2))
    row = 30 + GAP // 2 + LINE_HEIGHT + GAP
    assert image.shape == (GAP + 2 * row, 3 * GAP + 2 * 80, 3)
    second = GAP + 80 + GAP
    np.testing.assert_array_equal(image[GAP : GAP + 30, GAP : GAP + 80], RED)
    np.testing.assert_array_equal(image[GAP : GAP + 30, second : second + 80], BLUE)
    np.testing.assert_array_equal(image[GAP + row : GAP + row + 30, GAP : GAP + 80], RED)
    caption = image[GAP + 30 : row, second : second + 80]
    assert (caption < 100).any()
    columns = np.nonzero((caption < 200).any((0, 2)))[0]
    assert (columns[0] + columns[-1]) / 2 == pytest.approx(39.5, abs=1.5)
    assert (image[GAP + row :, second:] == 255).all()
    assert (image[:, [0, -1]] == 255).all()


def test_smaller_panels_are_centered():
    image = np.asarray(side_by_side([("", RED), ("", BLUE[:10, :20])], columns=2))
    np.testing.assert_array_equal(image[GAP + 10 : GAP + 20, 2 * GAP + 80 + 30 :][:, :20], BLUE[:10, :20])


@pytest.mark.parametrize(
    "label", ["a label of many words that go on", "Unbrokenlabelthatiswiderthanthat", "x"]
)
def test_captions_are_not_cut(label):
    font = ImageFont.load_default(FONT_SIZE)
    lines = _lines(label, 80, font)
    assert "".join(lines).replace(" ", "") == label.replace(" ", "")
    assert max(font.getlength(line) for line in lines) <= 80
    image = np.asarray(side_by_side([(label, RED)], columns=1))
    assert image.shape[0] == GAP + 30 + GAP // 2 + len(lines) * LINE_HEIGHT + GAP
    assert (image[-GAP + 2 :] == 255).all()


def test_characters_that_the_font_lacks_are_spelled():
    lines = _lines("ω₀ = 30, 5 µm × 2, naïve – über", 500, ImageFont.load_default(FONT_SIZE))
    assert [line.split() for line in lines] == [
        ["omega0", "=", "30,", "5", "um", "x", "2,", "naive", "-", "uber"]
    ]


def test_scale_bar_has_its_ends_where_they_belong():
    image = np.asarray(scale_bar(ERROR_COLORS, "", "", length=100))
    assert image.shape[1] == 100
    np.testing.assert_allclose(image[LINE_HEIGHT // 2, 1], ERROR_COLORS[0], atol=4)
    np.testing.assert_allclose(image[LINE_HEIGHT // 2, -2], ERROR_COLORS[-1], atol=4)
    assert scale_bar(ERROR_COLORS, "0", "1 mm", length=100).width > 130


def test_all_panels_share_the_camera_of_the_first(sphere):
    half = TriangleMesh((sphere.vertices - [5, -3, 1]) / 2 + [5, -3, 1], sphere.faces)
    empty = TriangleMesh(np.empty((0, 3)), np.empty((0, 3), np.int64))
    meshes = [("whole", sphere), ("half", half), ("none", empty)]
    image = np.asarray(render_picture(meshes, meshes[0][1].vertices, 100, -70, 22))
    assert image.shape == (GAP + 100 + GAP // 2 + LINE_HEIGHT + GAP, 3 * (100 + GAP) + GAP, 3)
    panels = [image[GAP : GAP + 100, GAP + n * (100 + GAP) :][:, :100] for n in range(3)]
    areas = [(panel < 255).any(2).sum() for panel in panels]
    assert areas[0] == pytest.approx(np.pi * 46**2, rel=0.05)
    assert areas[1] == pytest.approx(areas[0] / 4, rel=0.1)
    assert areas[2] == 0


def test_many_panels_fill_their_rows(sphere):
    image = render_picture([("", sphere)] * 6, sphere.vertices, 20, 0, 0)
    assert image.width == 3 * (20 + GAP) + GAP


def test_error_picture_colors_each_mesh_and_has_a_scale(sphere):
    exact, far = np.zeros(len(sphere.vertices)), np.full(len(sphere.vertices), -5.0)
    meshes = [("exact", sphere, exact), ("far", sphere, far)]
    image = np.asarray(error_picture(meshes, meshes[0][1].vertices, 5.0, "mm", 200, 0, 0)).astype(int)
    middle = image[GAP + 100, GAP + 100], image[GAP + 100, 2 * GAP + 300]
    assert np.ptp(middle[0]) < 15 and middle[0].max() < 255
    assert middle[1][0] > 3 * middle[1][2]
    assert len(image) == GAP + 200 + GAP // 2 + LINE_HEIGHT + GAP + LINE_HEIGHT + GAP


def test_pictures_are_written_as_they_are(tmp_path):
    picture = side_by_side([("one", RED)], 1)
    save(picture, tmp_path / "one.png")
    assert [path.name for path in tmp_path.iterdir()] == ["one.png"]
    with Image.open(tmp_path / "one.png") as written:
        np.testing.assert_array_equal(np.asarray(written), np.asarray(picture))
