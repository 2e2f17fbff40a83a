"""PTX: scans with their scanner's pose."""

from __future__ import annotations

import numpy as np
import pytest

from sasnet_sdf.errors import UnreadableInput
from sasnet_sdf.io import columns, read_cloud, read_geometry
from sasnet_sdf.io.validate import validated

RNG = np.random.default_rng(0)
POINTS = RNG.normal(size=(12, 3))
COLORS = RNG.integers(0, 256, (12, 3))
TURN = np.array([[0.0, 1, 0], [-1, 0, 0], [0, 0, 1]])
"""For points as rows: x becomes y, y becomes -x."""


def block(points=POINTS, place=(0, 0, 0), turn=None, shift=None, color=True, columns=4):
    turn = np.eye(3) if turn is None else turn
    pose = np.block([[turn, np.zeros((3, 1))], [np.array(place if shift is None else shift), np.ones(1)]])
    head = [[columns], [len(points) // columns], place, *turn, *pose]
    rows = [[*p, 0.5, *(c if color else ())] for p, c in zip(points, COLORS, strict=True)]
    return "".join(" ".join(f"{v:.17g}" for v in row) + "\n" for row in [*head, *rows])


def load(tmp_path, text):
    path = tmp_path / "site.ptx"
    path.write_text(text)
    return read_cloud(path)


def test_blocks_are_pooled_with_poses_and_sensors(tmp_path):
    cloud = load(tmp_path, block(place=(1, 2, 3)) + block(place=(500000, 5, 6), turn=TURN))
    turned = np.stack([-POINTS[:, 1], POINTS[:, 0], POINTS[:, 2]], axis=1) + [500000, 5, 6]
    np.testing.assert_allclose(cloud.points, np.concatenate([POINTS + [1, 2, 3], turned]), rtol=1e-15)
    assert np.array_equal(cloud.sensors, np.repeat([[1.0, 2, 3], [500000, 5, 6]], 12, axis=0))
    assert np.array_equal(cloud.colors, np.concatenate([COLORS, COLORS]))
    assert cloud.scalars["intensity"].tolist() == [0.5] * 24 and cloud.notes == ()


def test_rays_without_a_return_are_left_out(tmp_path):
    points = POINTS.copy()
    points[[0, 5]] = 0
    points[7, :2] = 0
    cloud = load(tmp_path, block(points, place=(1, 2, 3)))
    np.testing.assert_allclose(cloud.points, np.delete(points, [0, 5], axis=0) + [1, 2, 3])
    assert np.array_equal(cloud.colors, np.delete(COLORS, [0, 5], axis=0))
    assert cloud.notes == ("2 of 12 rows hold no measurement and were left out",)


def test_a_scanner_left_at_zero_stands_where_the_matrix_says(tmp_path):
    assert np.array_equal(load(tmp_path, block(shift=(7, 8, 9))).sensors[0], [7, 8, 9])


def test_colors_of_some_scans_are_left_out(tmp_path):
    cloud = load(tmp_path, block() + block(color=False))
    assert len(cloud) == 24 and cloud.colors is None and len(cloud.scalars) == 1
    assert cloud.notes == ("only some of its scans have red, green, blue: left out",)


def test_a_scan_far_from_a_scanner_at_zero_has_no_sensor(tmp_path):
    cloud, notes = validated(load(tmp_path, block(POINTS + [5e5, 5e6, 0])), "site.ptx")
    assert cloud.sensors is None and notes == [
        "the sensor at 0 0 0 is 5.02e+06 away from the points and was ignored"
    ]
    cloud, notes = validated(load(tmp_path, block(POINTS + [50, 0, 0])), "site.ptx")
    assert not cloud.sensors.any() and notes == []


def test_pieces_do_not_change_what_is_read(tmp_path, monkeypatch):
    text = block(place=(1, 2, 3)) + block(place=(4, 5, 6))
    whole = load(tmp_path, text)
    monkeypatch.setattr("sasnet_sdf.io.scanners.PIECE", 5)
    assert columns.PIECE > 5
    assert np.array_equal(load(tmp_path, text).points, whole.points)


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda t: t[: len(t) // 2], "line|cut short"),
        (lambda t: "\n".join(t.split("\n")[:-3]) + "\n", "holds 10 of the 12 points"),
        (lambda t: t.replace("4\n3\n", "4\n4\n", 1), "holds 12 of the 16 points"),
        (lambda t: t.replace("4\n3\n", "40000\n300000\n", 1), "of the 12000000000 points"),
        (lambda t: t.replace("4\n3\n", "four\n3\n", 1), "ten lines from 1 are not the header"),
        (lambda t: t.replace("4\n3\n", "4\n2\n", 1), "ten lines from 19 are not the header"),
        (lambda t: t.replace("0 0 0\n", "0 0\n", 1), "not the header"),
        (lambda t: t.replace("0.5 ", "half ", 1), "line 11 is damaged"),
        (lambda t: t.replace("0.5 ", "", 1), "line 12 has 7 values|line 11 has 6 values"),
        (lambda t: "\n", "holds no points"),
        (lambda t: "0\n0\n" + "\n".join(t.split("\n")[2:10]) + "\n", "holds no points"),
        (lambda t: "\0" + t, "not a text file"),
    ],
)
def test_damaged_files_are_refused(tmp_path, change, message):
    path = tmp_path / "site.ptx"
    path.write_text(change(block()))
    with pytest.raises(UnreadableInput, match=rf"site\.ptx: .*({message})") as caught:
        read_geometry(path)
    assert "\n" not in str(caught.value)


def test_a_real_file(data_dir):
    cloud = read_cloud(data_dir / "lidar" / "1.2-with-color.ptx")
    assert len(cloud) == 1065 and cloud.colors.std() > 10
    assert "intensity" in cloud.scalars
    assert validated(cloud, "site.ptx")[0].sensors is None


@pytest.mark.parametrize("scale", [1 / 255, 257])
def test_colors_of_other_scales(tmp_path, scale, monkeypatch):
    monkeypatch.setattr("sasnet_sdf.io.scanners.PIECE", 5)
    text = block()
    for row, color in zip(text.splitlines()[10:], COLORS, strict=True):
        values = [*row.split()[:4], *(f"{c * scale:.9g}" for c in color)]
        text = text.replace(row, " ".join(values))
    assert np.array_equal(load(tmp_path, text).colors, COLORS)
