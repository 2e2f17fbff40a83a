"""Tables with names whose cells are not all numbers."""

from __future__ import annotations

import numpy as np
import pytest

from sasnet_sdf.errors import UnreadableInput
from sasnet_sdf.io import read_cloud

POINTS = np.random.default_rng(0).normal(size=(12, 3))


def load(tmp_path, header, row, name="scan.csv"):
    """The cloud of a file with a header, and for each point the row of its x, y, z and number."""
    path = tmp_path / name
    lines = [row.format(*point, k) for k, point in enumerate(POINTS.tolist())]
    path.write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
    cloud = read_cloud(path)
    assert np.array_equal(cloud.points, POINTS)
    return cloud


@pytest.mark.parametrize(
    "header, row, words",
    [
        ("x,y,z,label,k", "{},{},{},car,{}", "label"),
        ("time,x,y,z,k", "2021-05-03 10:11:12.5,{},{},{},{}", "time"),
        ("x,y,z,color,k", "{},{},{},#ff00aa,{}", "color"),
        ('"x","y","z","name","k"', '{},{},{},"a, b",{}', "name"),
        ("# x,y,z,label,k", "{},{},{},car,{}", "label"),
        ("x y z label k", "{} {} {} car {}", "label"),
        ("x;y;z;a;b;k", "{};{};{};true;car;{}", "a, b"),
    ],
)
def test_columns_of_words_are_left_out_with_one_note(tmp_path, header, row, words):
    cloud = load(tmp_path, header, row)
    assert list(cloud.scalars) == ["k"] and np.array_equal(cloud.scalars["k"], np.arange(12))
    assert cloud.notes == (f"not carried over: columns of words ({words})",)


def test_a_decimal_comma_beside_words(tmp_path):
    path = tmp_path / "scan.csv"
    rows = "".join(";".join(map(repr, point)) + ";car\n" for point in POINTS.tolist())
    path.write_text("x;y;z;label\n" + rows.replace(".", ","))
    assert np.array_equal(read_cloud(path).points, POINTS)


@pytest.mark.parametrize("nothing", ["", "NULL", "n/a", "-"])
def test_empty_cells_are_nan(tmp_path, nothing):
    path = tmp_path / "scan.csv"
    cells = [nothing if k % 3 else str(k) for k in range(12)]
    rows = [f"{x},{y},{z},{cell},1" for (x, y, z), cell in zip(POINTS.tolist(), cells, strict=True)]
    path.write_text("x,y,z,s,t\n" + "\n".join(rows) + f"\n{nothing},1,2,3,4\n")
    cloud = read_cloud(path)
    assert np.isnan(cloud.points[12, 0]) and np.array_equal(cloud.points[:12], POINTS)
    assert np.array_equal(np.isnan(cloud.scalars["s"][:12]), np.arange(12) % 3 > 0) and cloud.notes == ()


def test_a_list_at_the_end_of_rows(tmp_path):
    header = "# POINT3D_ID, X, Y, Z, R, G, B, ERROR, TRACK[] as (IMAGE_ID, POINT2D_IDX)"
    path = tmp_path / "points3D.txt"
    rows = [f"{k} {x} {y} {z} 9 8 7 0.5" + " 1 2" * (k + 1) for k, (x, y, z) in enumerate(POINTS.tolist())]
    path.write_text("\n".join(["# Points with a list of x, y, z:", header, *rows]))
    cloud = read_cloud(path)
    assert np.array_equal(cloud.points, POINTS) and np.all(cloud.colors == [9, 8, 7])
    assert cloud.notes == ("not carried over: columns of words (TRACK[])",)


def test_units_below_the_names(tmp_path):
    assert list(load(tmp_path, "x,y,z,k\n(m),(m),(m),-", "{},{},{},{}").scalars) == ["k"]


@pytest.mark.parametrize(
    "row, words",
    [
        ("1,oops,3,car", "line 14: 'oops' is not a number"),
        ("1,2", "line 14 has 2 values, its header names 4"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(tmp_path, row, words):
    path = tmp_path / "scan.csv"
    rows = "".join("{},{},{},car\n".format(*point) for point in POINTS.tolist())
    path.write_text(f"x,y,z,label\n{rows}{row}\n")
    with pytest.raises(UnreadableInput, match=words):
        read_cloud(path)


def test_what_the_first_rows_hold_stays_a_number(tmp_path, monkeypatch):
    monkeypatch.setattr("sasnet_sdf.io.rows.PIECE", 4)
    path = tmp_path / "scan.csv"
    rows = ["{},{},{},{}".format(*point, "car" if k == 9 else k) for k, point in enumerate(POINTS.tolist())]
    path.write_text("x,y,z,label\n" + "\n".join(rows))
    with pytest.raises(UnreadableInput, match="line 11: 'car' is not a number"):
        read_cloud(path)
