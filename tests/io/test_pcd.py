"""PCD: its three encodings say the same."""

from __future__ import annotations

import numpy as np
import pytest

from sasnet_sdf.errors import UnreadableInput
from sasnet_sdf.io import read_cloud
from sasnet_sdf.io.lzf import decompress

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


def test_the_empty_pixels_of_an_organised_cloud_are_left_out(tmp_path):
    path = tmp_path / "scan.pcd"
    points = b"".join(f"{k} 1 2 0 0 0 0\nnan nan nan 0 0 0 0\n".encode() for k in range(20))
    path.write_bytes(header("ascii", width=20, height=2) + points)
    assert read_cloud(path).points[:, 0].tolist() == list(range(20))


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
