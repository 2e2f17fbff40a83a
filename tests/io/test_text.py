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


@pytest.mark.parametrize(
    "header",
    [
        "Points:0,Points:1,Points:2,Normals:0,Normals:1,Normals:2,RGB:0,RGB:1,RGB:2",
        "Points_0,Points_1,Points_2,Normals_X,Normals_Y,Normals_Z,RGB_0,RGB_1,RGB_2",
        "x [m],y [m],z [m],nx [-],ny [-],nz [-],red_255,green_255,blue_255",
        "X(m);Y(m);Z(m);NormalX;NormalY;NormalZ;r_255;g_255;b_255;",
        "'pos_x' 'pos_y' 'pos_z' normal.x normal.y normal.z color_r color_g color_b",
        "X [m] Y [m] Z [m] Nx [ ] Ny [ ] Nz [ ] R (8 bit) G (8 bit) B (8 bit)",
        "[Name]\nwall\n\n[Data]\nX [ m ], Y [ m ], Z [ m ], Nx, Ny, Nz, R, G, B",
        "% Model: wall\n% x  y  z  nx  ny  nz  r  g  b",
        "Easting,Northing,Elevation,Nx,Ny,Nz,Rf,Gf,Bf",
    ],
)
def test_names_that_other_programs_write(tmp_path, header):
    cloud = load(tmp_path, f"{header}\n" + rows(POINTS, NORMALS, COLORS, separator=","), "cloud.csv")
    assert np.array_equal(cloud.points, POINTS) and np.array_equal(cloud.normals, NORMALS)
    assert np.array_equal(cloud.colors, COLORS) and not cloud.scalars


@pytest.mark.parametrize(
    "header, separator",
    [
        ("//X,Y,Z,R,G,B,C2C absolute distances,Nx,Ny,Nz", ","),
        ("//X;Y;Z;R;G;B;C2C absolute distances;Nx;Ny;Nz;", ";"),
        ("# X\tY\tZ\tR\tG\tB\tC2C absolute distances\tNx\tNy\tNz", "\t"),
        ("//X Y Z R G B C2C absolute distances Nx Ny Nz", " "),
        ('X Y Z R G B "C2C absolute distances" Nx Ny Nz', " "),
    ],
)
def test_names_with_blanks(tmp_path, header, separator):
    distance = np.linspace(0, 1, 12)
    text = f"{header}\n12\n" + rows(POINTS, COLORS, distance, NORMALS, separator=separator)
    cloud = load(tmp_path, text, "cloud.txt")
    assert np.array_equal(cloud.points, POINTS) and np.array_equal(cloud.normals, NORMALS)
    assert np.array_equal(cloud.colors, COLORS) and list(cloud.scalars) == ["C2C absolute distances"]
    assert np.array_equal(cloud.scalars["C2C absolute distances"], distance)


def test_several_names_with_blanks_are_numbered_and_equal_names_too(tmp_path):
    cloud = load(tmp_path, "# x y z one thing and another\n" + rows(POINTS, NORMALS[:, :2]))
    assert list(cloud.scalars) == ["one thing and another 1", "one thing and another 2"]
    cloud = load(tmp_path, "x,y,z,a,a,\n" + rows(POINTS, NORMALS, separator=","))
    assert list(cloud.scalars) == ["a", "a 5", "6"]
    assert np.array_equal(cloud.scalars["a 5"], NORMALS[:, 1])


def test_an_alias_gives_way_to_the_name_itself(tmp_path):
    cloud = load(tmp_path, "Height,Points:0,x,y,z\n" + rows(NORMALS[:, :2], POINTS, separator=","))
    assert np.array_equal(cloud.points, POINTS) and list(cloud.scalars) == ["Height", "Points:0"]


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
    """Colors that are bright in the last rows only, remarks and gaps between the rows."""
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


def test_pts_with_more_rows_than_it_counts(tmp_path):
    text = rows(POINTS, COLORS[:, :1], COLORS)
    cloud = load(tmp_path, "11\n" + text, "scan.pts")
    assert np.array_equal(cloud.points, POINTS)
    assert cloud.notes == ("its first line names 11 points, 12 are there: all were read",)


@pytest.mark.parametrize("piece", [1, 5, 13, 1000])
def test_pts_of_several_scans(tmp_path, monkeypatch, piece):
    monkeypatch.setattr("sasnet_sdf.io.rows.PIECE", piece)
    text = rows(POINTS, COLORS[:, :1], COLORS)
    cloud = load(tmp_path, f"12\n{text}12\n{text}", "scan.pts")
    assert np.array_equal(cloud.points, np.tile(POINTS, (2, 1))) and cloud.notes == ()
    assert np.array_equal(cloud.colors, np.tile(COLORS, (2, 1)))
    with pytest.raises(UnreadableInput, match="its 2 count lines name 25 points, 24 are there"):
        load(tmp_path, f"12\n{text}13\n{text}", "scan.pts")


@pytest.mark.parametrize(
    "separator, end, comma",
    [
        (",", ",\n", "."),
        ("; ", ";\r\n", "."),
        (";", "\n", ","),
        (";", ";\n", ","),
        ("\t", "\n", ","),
        ("  ", "\n", ","),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_rows_as_spreadsheets_write_them(tmp_path, separator, end, comma, encoding):
    header = separator.join(["x", "y", "z", "red", "green", "blue"])
    table = rows(POINTS, COLORS, separator="|", end="\n").replace(".", comma)
    table = table.replace("|", separator).replace("\n", end)
    empty = separator.strip() * 5 + end
    cloud = load(tmp_path, (f"sep=;{end}{header}{end}" + table + empty).encode(encoding), "sheet.csv")
    assert np.array_equal(cloud.points, POINTS) and np.array_equal(cloud.colors, COLORS)


def test_a_decimal_comma_is_known_where_it_comes_late(tmp_path):
    cloud = load(tmp_path, "1;2;3\n4,5;6;7\n")
    assert cloud.points.tolist() == [[1, 2, 3], [4.5, 6, 7]]


def test_numbers_as_other_programs_write_them(tmp_path):
    cloud = load(tmp_path, '1.5D+03 -2.5d-1 "3"\n1 2 3\n')
    assert cloud.points.tolist() == [[1500, -0.25, 3], [1, 2, 3]]
    odd = "0.5 0.7 1.#QNAN\n-1.#IND00 2 3\n1 1.#J 3\n-nan(ind) 1 2\nnan(snan) 2 3\n-nan inf -inf\n"
    for text in (odd + rows(POINTS), rows(POINTS) + odd):
        found = load(tmp_path, text).points
        assert len(found) == 18 and np.array_equal(found[np.isfinite(found).all(axis=1)], POINTS)


@pytest.mark.parametrize(
    "text, message",
    [
        ("# only a comment\n", "holds no points"),
        ("x y z\n", "holds no points"),
        ("7\n", "holds no points"),
        ("hello world\n1 2 3\n", "line 1 is neither"),
        ("hello\n" * 200 + "x y z\n1 2 3\n", "line 1 is neither"),
        ("hello\nx y z\n1 2 six\n3 4 5\n", "line 3 is neither"),
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
