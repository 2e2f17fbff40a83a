"""PCD: its three encodings say the same."""

from __future__ import annotations

import numpy as np
import pytest

from sasnet_sdf.errors import UnreadableInput
from sasnet_sdf.io import read_cloud
from sasnet_sdf.io.pcd import decompress

POINTS = np.random.default_rng(0).normal(size=(40, 3)).astype(np.float32)
COLORS = np.random.default_rng(1).integers(0, 256, (40, 3))
PACKED = (COLORS[:, 0] << 16 | COLORS[:, 1] << 8 | COLORS[:, 2]).astype("<u4")


def header(encoding, kind="F", width=40, height=1, points=40):
    return (
        "# .PCD v0.7\nVERSION 0.7\nFIELDS x y z _ rgb\nSIZE 4 4 4 1 4\n"
        f"TYPE F F F U {kind}\nCOUNT 1 1 1 3 1\nWIDTH {width}\nHEIGHT {height}\n"
        f"VIEWPOINT 0 0 0 1 0 0 0\nPOINTS {points}\nDATA {encoding}\n"
    ).encode()


def columns():
    return [*(POINTS[:, k].astype("<f4") for k in range(3)), np.zeros((40, 3), np.uint8), PACKED]


def ascii_body(kind):
    colors = PACKED if kind == "U" else PACKED.view("<f4")
    lines = (
        f"{x:.9g} {y:.9g} {z:.9g} 0 0 0 {c:.9g}\n"
        for (x, y, z), c in zip(POINTS.tolist(), colors.tolist(), strict=True)
    )
    return "".join(lines).encode()


def binary_body():
    rows = np.empty(40, [("x", "<f4"), ("y", "<f4"), ("z", "<f4"), ("_", "u1", 3), ("c", "<u4")])
    for name, column in zip(rows.dtype.names, columns(), strict=True):
        rows[name] = column
    return rows.tobytes()


def compressed_body():
    """Literals only: a control byte n - 1 before each run of n <= 32 bytes."""
    flat = b"".join(column.tobytes() for column in columns())
    runs = [flat[k : k + 32] for k in range(0, len(flat), 32)]
    packed = b"".join(bytes([len(run) - 1]) + run for run in runs)
    return np.array([len(packed), len(flat)], "<u4").tobytes() + packed


BODIES = {"binary": binary_body, "binary_compressed": compressed_body}


@pytest.mark.parametrize("encoding", ["ascii", "binary", "binary_compressed"])
@pytest.mark.parametrize("kind", ["F", "U"])
def test_encodings_agree(tmp_path, encoding, kind):
    path = tmp_path / "scan.pcd"
    path.write_bytes(
        header(encoding, kind) + (ascii_body(kind) if encoding == "ascii" else BODIES[encoding]())
    )
    cloud = read_cloud(path)
    assert np.array_equal(cloud.points, POINTS.astype(np.float64))
    assert np.array_equal(cloud.colors, COLORS)


@pytest.mark.parametrize("encoding", ["ascii", "binary", "binary_compressed"])
def test_cut_short_anywhere_is_refused(tmp_path, encoding):
    path = tmp_path / "scan.pcd"
    head = header(encoding, "U")
    body = ascii_body("U") if encoding == "ascii" else BODIES[encoding]()
    for length in (0, 3, 9, len(body) // 2, len(body) - 30):
        path.write_bytes(head + body[:length])
        with pytest.raises(UnreadableInput, match=r"scan\.pcd: "):
            read_cloud(path)


def depth_image(tmp_path, viewpoint="0 0 0 1 0 0 0", height=2):
    path = tmp_path / "scan.pcd"
    points = b"".join(f"{k} 1 2 0 0 0 0\nnan nan nan 0 0 0 0\n".encode() for k in range(20))
    head = header("ascii", width=40 // height, height=height)
    path.write_bytes(head.replace(b"0 0 0 1 0 0 0", viewpoint.encode()) + points)
    return read_cloud(path)


def test_the_empty_pixels_of_an_organized_cloud_are_left_out(tmp_path):
    cloud = depth_image(tmp_path)
    assert cloud.points[:, 0].tolist() == list(range(20))
    assert cloud.notes == ("20 of 40 rows hold no measurement and were left out",)
    flat = depth_image(tmp_path, height=1)
    assert len(flat) == 40 and flat.notes == ()


def test_the_viewpoint_is_the_sensor_where_somebody_set_it(tmp_path):
    assert not depth_image(tmp_path).sensors.any()
    assert depth_image(tmp_path, height=1).sensors is None
    for height in (1, 2):
        cloud = depth_image(tmp_path, "1 -2 3.5 1 0 0 0", height)
        assert np.array_equal(cloud.sensors, np.tile([1, -2, 3.5], (len(cloud), 1)))
    assert not depth_image(tmp_path, "0 0 0 0 1 0 0", 1).sensors.any()
    assert not depth_image(tmp_path, "0 0 nan 1 0 0 0").sensors.any()


@pytest.mark.parametrize("encoding", ["binary", "binary_compressed"])
def test_further_fields_are_scalars(tmp_path, encoding):
    path = tmp_path / "scan.pcd"
    columns = [POINTS[:, 0], POINTS[:, 1], POINTS[:, 2], np.arange(40, dtype="<u2"), np.zeros((40, 3), "<f4")]
    rows = np.empty(40, [("x", "<f4"), ("y", "<f4"), ("z", "<f4"), ("Ring", "<u2"), ("histogram", "<f4", 3)])
    for name, column in zip(rows.dtype.names, columns, strict=True):
        rows[name] = column
    head = "FIELDS x y z Ring histogram\nSIZE 4 4 4 2 4\nTYPE F F F U F\nCOUNT 1 1 1 1 3\n"
    head += f"WIDTH 40\nHEIGHT 1\nPOINTS 40\nDATA {encoding}\n"
    flat = b"".join(column.tobytes() for column in columns)
    runs = b"".join(bytes([len(run) - 1]) + run for k in range(0, len(flat), 32) if (run := flat[k : k + 32]))
    packed = np.array([len(runs), len(flat)], "<u4").tobytes() + runs
    path.write_bytes(head.encode() + (rows.tobytes() if encoding == "binary" else packed))
    cloud = read_cloud(path)
    assert list(cloud.scalars) == ["Ring"] and cloud.scalars["Ring"].dtype == np.uint16
    assert np.array_equal(cloud.scalars["Ring"], np.arange(40))


@pytest.mark.parametrize(
    "change",
    [
        (b"POINTS 40", b"POINTS -4"),
        (b"POINTS 40", b"POINTS 2000000000"),
        (b"DATA binary", b"DATA zip"),
        (b"SIZE 4 4 4 1 4", b"SIZE 4 4 4"),
        (b"TYPE F F F U U", b"TYPE Q F F U U"),
        (b"SIZE 4", b"SIZE 99"),
        (b"FIELDS x", b"FIELDS w"),
        (b"FIELDS", b"FELDER"),
        (b"DATA", b"DADA"),
    ],
)
def test_a_damaged_header_is_refused(tmp_path, change):
    path = tmp_path / "scan.pcd"
    path.write_bytes((header("binary", "U") + binary_body()).replace(*change, 1))
    with pytest.raises(UnreadableInput, match=r"scan\.pcd: "):
        read_cloud(path)


def unpacked(stream, size):
    target = np.zeros(size, np.uint8)
    return decompress(np.frombuffer(stream, np.uint8), target), target.tobytes()


def test_lzf_copies_run_over_themselves():
    assert unpacked(b"\x02abc" + bytes([4 << 5, 2]), 9) == (9, b"abcabcabc")
    assert unpacked(b"\x00a" + bytes([7 << 5, 255, 0]), 265) == (265, b"a" * 265)


@pytest.mark.parametrize(
    "stream",
    [b"\x05ab", b"\x00a" + bytes([1 << 5, 9]), b"\x00a\xe0", b"\x00a\xe0\x05", b"\x20", b"\x04abcde"],
)
def test_lzf_refuses_what_runs_out_of_its_buffers(stream):
    assert unpacked(stream, 4)[0] == -1


def packed_text(tmp_path, values, kind="F", separator=" ", extension=""):
    path = tmp_path / "scan.pcd"
    head = f"FIELDS x y z rgb\nSIZE 4 4 4 4\nTYPE F F F {kind}\nWIDTH 40\nHEIGHT 1\nDATA ascii\n{extension}"
    body = "".join(
        separator.join(f"{v:.9g}" for v in point) + f"{separator}{value}\n"
        for point, value in zip(POINTS, values, strict=True)
    )
    path.write_text(head + body)
    cloud = read_cloud(path)
    assert np.array_equal(cloud.points, POINTS)
    return cloud


OPAQUE = PACKED.astype(np.int64) | 255 << 24


@pytest.mark.parametrize(
    "values, kind",
    [
        ([f"{v:.9g}" for v in PACKED.view("<f4")], "F"),
        ([f"{v:.9g}" for v in (PACKED | np.uint32(254 << 24)).view("<f4")], "F"),
        (PACKED, "F"),
        (OPAQUE, "F"),
        ([f"{v:.9e}" for v in OPAQUE], "F"),
        (OPAQUE, "U"),
        (OPAQUE - 2**32, "I"),
    ],
)
def test_packed_colors_as_text(tmp_path, values, kind):
    cloud = packed_text(tmp_path, values, kind)
    assert np.array_equal(cloud.colors, COLORS) and cloud.notes == ()


def test_packed_colors_that_are_nan_are_lost(tmp_path):
    cloud = packed_text(tmp_path, ["nan"] * 40)
    assert cloud.colors is None and not cloud.scalars
    assert cloud.notes == ("40 of 40 colors are written as nan and were lost",)
    cloud = packed_text(tmp_path, ["nan", *PACKED[1:]])
    assert cloud.colors[0].tolist() == [0, 0, 0] and np.array_equal(cloud.colors[1:], COLORS[1:])
    assert cloud.notes == ("1 of 40 colors are written as nan and were lost",)


def test_the_bits_of_opaque_colors_are_nan_in_binary(tmp_path):
    path = tmp_path / "scan.pcd"
    rows = np.frombuffer(binary_body(), np.dtype("f4, f4, f4, 3u1, u4")).copy()
    rows["f4"] = OPAQUE
    path.write_bytes(header("binary") + rows.tobytes())
    cloud = read_cloud(path)
    assert np.array_equal(cloud.colors, COLORS) and cloud.notes == ()
    rows["f4"] = PACKED.astype("<f4").view("<u4")
    path.write_bytes(header("binary") + rows.tobytes())
    assert np.array_equal(read_cloud(path).colors, COLORS)


EXTENSION = "HEADER_EXT_START 2\nSENSOR_TYPE LIDAR\nMODE None\nHEADER_EXT_END\n"


def test_commas_and_lines_between_header_and_data(tmp_path):
    assert np.array_equal(packed_text(tmp_path, PACKED, separator=",").colors, COLORS)
    assert np.array_equal(packed_text(tmp_path, PACKED, "U", ", ", EXTENSION).colors, COLORS)
    path = tmp_path / "scan.pcd"
    for encoding, body in BODIES.items():
        path.write_bytes(header(encoding) + EXTENSION.encode() + body())
        cloud = read_cloud(path)
        assert np.array_equal(cloud.points, POINTS) and np.array_equal(cloud.colors, COLORS)
    path.write_bytes(header("ascii") + b"HEADER_EXT_START 2\n" + ascii_body("F"))
    with pytest.raises(UnreadableInput, match=r"scan\.pcd: line 12: 'HEADER_EXT_START' is not a number"):
        read_cloud(path)


def test_rows_beyond_the_header_are_counted(tmp_path):
    path = tmp_path / "scan.pcd"
    path.write_bytes(header("ascii", "U") + ascii_body("U") + ascii_body("U")[:200].rpartition(b"\n")[0])
    cloud = read_cloud(path)
    extra = ascii_body("U")[:200].count(b"\n")
    assert len(cloud) == 40
    assert cloud.notes == (f"{extra} rows beyond the 40 that its header names were left out",)


def test_fields_of_several_numbers(tmp_path):
    path = tmp_path / "scan.pcd"
    kinds = [("xyz", "<f4", 3), ("normal", "<f4", 3), ("rgb", "u1", 3), ("fpfh", "<f4", 33)]
    rows = np.zeros(40, kinds)
    rows["xyz"], rows["normal"], rows["rgb"] = POINTS, [0, 0, 1], COLORS
    head = "COLUMNS xyz normal rgb fpfh\nSIZE 4 4 1 4\nTYPE F F U F\nCOUNT 3 3 3 33\nPOINTS 40\nDATA binary\n"
    path.write_bytes(head.encode() + rows.tobytes())
    cloud = read_cloud(path)
    assert np.array_equal(cloud.points, POINTS) and np.array_equal(cloud.colors, COLORS)
    assert np.all(cloud.normals == [0, 0, 1])
    assert cloud.notes == ("not carried over: fields of several numbers (fpfh)",)
