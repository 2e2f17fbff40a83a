"""Text clouds: separators, headers, and what unnamed columns mean."""

from __future__ import annotations

import numpy as np
import pytest

from sasnet_sdf.errors import UnreadableInput
from sasnet_sdf.geometry import PointCloud
from sasnet_sdf.io import read_geometry

POINTS = np.random.default_rng(0).normal(size=(12, 3)) * 10 + [5e6, 0, -3]
NORMALS = np.random.default_rng(1).normal(size=(12, 3))
COLORS = np.random.default_rng(2).integers(0, 256, (12, 3))


def rows(*columns, separator=" ", end="\n"):
    table = np.column_stack(columns).tolist()
    return "".join(separator.join(f"{v:.17g}" for v in row) + end for row in table)


def load(tmp_path, text, name="cloud.xyz"):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    cloud = read_geometry(path)
    assert isinstance(cloud, PointCloud)
    return cloud


@pytest.mark.parametrize("separator", [" ", "\t", ",", ";", ", ", "   "])
@pytest.mark.parametrize("end", ["\n", "\r\n", " \n"])
def test_separators(tmp_path, separator, end):
    cloud = load(tmp_path, rows(POINTS, NORMALS, separator=separator, end=end), "cloud.txt")
    assert np.array_equal(cloud.points, POINTS) and np.array_equal(cloud.normals, NORMALS)
    assert cloud.colors is None


@pytest.mark.parametrize(
    "columns, expected",
    [
        ((POINTS,), ""),
        ((POINTS, COLORS[:, 0]), ""),
        ((POINTS, NORMALS), "n"),
        ((POINTS, COLORS), "c"),
        ((POINTS, np.tile([0, 0, 1], (12, 1))), "n"),
        ((POINTS, -1000 + COLORS[:, 0], COLORS), "c"),
        ((POINTS, COLORS[:, 0] / 255, COLORS), "c"),
        ((POINTS, COLORS, np.full(12, 255)), "c"),
        ((POINTS, NORMALS, COLORS[:, 0] + 0.5), "n"),
        ((POINTS, NORMALS, COLORS), "nc"),
        ((POINTS, COLORS, NORMALS), "nc"),
    ],
)
def test_unnamed_columns(tmp_path, columns, expected):
    cloud = load(tmp_path, rows(*columns))
    assert np.array_equal(cloud.points, POINTS)
    assert (cloud.normals is not None) == ("n" in expected)
    assert (cloud.colors is not None) == ("c" in expected)
    if cloud.colors is not None:
        assert np.array_equal(cloud.colors, COLORS)
    if cloud.normals is not None:
        assert np.array_equal(
            cloud.normals, columns[-1] if columns[-1].shape == (12, 3) and expected == "n" else NORMALS
        )


@pytest.mark.parametrize(
    "header",
    [
        "x,y,z,nx,ny,nz,red,green,blue",
        '"X","Y","Z","Normal_X","Normal_Y","Normal_Z","R","G","B"',
        "# x, y, z, nx, ny, nz, r, g, b",
        "//X Y Z Nx Ny Nz R G B",
        "\ufeffx y z nx ny nz r g b",
    ],
)
def test_a_header_names_the_columns(tmp_path, header):
    cloud = load(tmp_path, f"{header}\n" + rows(POINTS, NORMALS, COLORS, separator=","), "cloud.csv")
    assert np.array_equal(cloud.points, POINTS) and np.array_equal(cloud.normals, NORMALS)
    assert np.array_equal(cloud.colors, COLORS)


def test_a_header_in_any_order_with_sensors_and_more(tmp_path):
    text = "vz vy vx intensity z y x\n" + rows(NORMALS[:, ::-1], COLORS[:, 0], POINTS[:, ::-1])
    cloud = load(tmp_path, text)
    assert np.array_equal(cloud.points, POINTS) and np.array_equal(cloud.sensors, NORMALS)
    assert cloud.colors is None and cloud.normals is None
    assert list(cloud.scalars) == ["intensity"]
    assert np.array_equal(cloud.scalars["intensity"], COLORS[:, 0])


def test_further_columns_are_scalars_under_their_own_names(tmp_path):
    text = '//X Y Z "Scan Angle" Nx GPS_Time\n'.replace("Scan Angle", "ScanAngle")
    cloud = load(tmp_path, text + rows(POINTS, NORMALS))
    assert cloud.normals is None and list(cloud.scalars) == ["ScanAngle", "Nx", "GPS_Time"]
    assert np.array_equal(cloud.scalars["GPS_Time"], NORMALS[:, 2])
    unnamed = load(tmp_path, rows(POINTS, COLORS[:, 0] / 255, COLORS))
    assert np.array_equal(unnamed.scalars["intensity"], COLORS[:, 0] / 255)


def test_pieces_do_not_change_what_is_read(tmp_path, monkeypatch):
    """Colours that are bright in the last rows only, remarks and gaps between the rows."""
    dark = np.minimum(COLORS, 1)
    dark[-1] = 200
    lines = rows(POINTS, dark).splitlines(keepends=True)
    text = "".join(lines[:4] + ["# a remark\n"] * 7 + ["\n"] * 7 + lines[4:])
    whole = load(tmp_path, text)
    monkeypatch.setattr("sasnet_sdf.io.rows.PIECE", 3)
    pieces = load(tmp_path, text)
    assert np.array_equal(pieces.points, POINTS) and np.array_equal(whole.points, POINTS)
    assert np.array_equal(pieces.colors, dark) and np.array_equal(whole.colors, dark)
    with pytest.raises(UnreadableInput, match="line 27 has 2 values, the lines before it have 6"):
        load(tmp_path, text + "1 2\n")


def test_a_comment_that_does_not_fit_the_rows_is_a_comment(tmp_path):
    cloud = load(
        tmp_path, "# x y z are in metres\n// r\xe9sum\xe9\n\n".encode("latin-1") + rows(POINTS).encode()
    )
    assert np.array_equal(cloud.points, POINTS)


def test_pts_begins_with_its_count(tmp_path):
    text = rows(POINTS, -2000 + COLORS[:, 0], COLORS)
    cloud = load(tmp_path, "12\n" + text, "scan.pts")
    assert np.array_equal(cloud.points, POINTS) and np.array_equal(cloud.colors, COLORS)
    with pytest.raises(UnreadableInput, match=r"scan\.pts: its first line names 13 points, 12 are there"):
        load(tmp_path, "13\n" + text, "scan.pts")


@pytest.mark.parametrize(
    "text, message",
    [
        ("# only a comment\n", "holds no points"),
        ("x y z\n", "holds no points"),
        ("7\n", "holds no points"),
        ("hello world\n1 2 3\n", "line 1 is neither"),
        ("1 2 3\n\n4 5\n", "line 3 has 2 values, the lines before it have 3"),
        ("1 2 3\n4 5 6 # fine\n7 8 six\n", "line 3: 'six' is not a number"),
        ("1,2,3\n4,,6\n", "line 2: an empty value"),
        ("x y z\n1 2 3\n4 5\n", "line 3 has 2 values"),
        ("1,5;2,5;3,5\n1;2;3,5,6\n", "line 2: '3.5.6' is not a number"),
        ("1 2\n3 4\n", "2 columns"),
        ("x y z nx\n1 2 3\n", "4 columns are named"),
        ("1 2 3 4 5\n", "5 columns"),
        (b"1 2 3\0\0\n", "not a text file"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(tmp_path, text, message):
    with pytest.raises(UnreadableInput, match=message) as caught:
        load(tmp_path, text)
    assert "cloud.xyz" in str(caught.value)
