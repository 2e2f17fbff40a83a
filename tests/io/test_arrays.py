"""NPY and NPZ clouds."""

from __future__ import annotations

import io

import numpy as np
import pytest

from sasnet_sdf.errors import UnreadableInput
from sasnet_sdf.io import read_cloud

POINTS = np.random.default_rng(0).normal(size=(12, 3)) + [5e6, 0, 0]
NORMALS = np.random.default_rng(1).normal(size=(12, 3))
COLORS = np.random.default_rng(2).integers(0, 256, (12, 3)).astype(np.uint8)


def test_tables_follow_the_rule_of_text(tmp_path):
    path = tmp_path / "cloud.npy"
    np.save(path, np.hstack([POINTS, NORMALS, COLORS]))
    cloud = read_cloud(path)
    assert np.array_equal(cloud.points, POINTS) and np.array_equal(cloud.normals, NORMALS)
    assert np.array_equal(cloud.colors, COLORS)
    np.save(path, np.asfortranarray(POINTS.astype(">f4")))
    assert np.array_equal(read_cloud(path).points, POINTS.astype(np.float32))


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_archives_name_their_arrays(tmp_path, save):
    path = tmp_path / "cloud.npz"
    more = {"intensity": np.arange(12), "other": np.arange(3), "boxes": np.array([{}] * 12, dtype=object)}
    save(path, points=POINTS, normals=NORMALS, colors=COLORS / 255, sensors=POINTS + 1, **more)
    cloud = read_cloud(path)
    assert list(cloud.scalars) == ["intensity"]
    assert np.array_equal(cloud.scalars["intensity"], np.arange(12))
    assert np.array_equal(cloud.points, POINTS) and np.array_equal(cloud.normals, NORMALS)
    assert np.array_equal(cloud.colors, COLORS) and np.array_equal(cloud.sensors, POINTS + 1)


@pytest.mark.parametrize(
    "arrays, message",
    [
        ({"vertices": POINTS}, "no array named points"),
        ({"points": POINTS, "normals": NORMALS[:5]}, "normals must have the shape"),
        ({"points": POINTS[:, :2]}, "points must have the shape"),
        ({"points": POINTS.astype(complex)}, "real numbers"),
        ({"points": np.array([{}, None], dtype=object)}, "real numbers"),
    ],
)
def test_archives_that_do_not_fit(tmp_path, arrays, message):
    np.savez(tmp_path / "cloud.npz", **arrays)
    with pytest.raises(UnreadableInput, match=rf"cloud\.npz: .*{message}"):
        read_cloud(tmp_path / "cloud.npz")


@pytest.mark.parametrize(
    "table", [np.zeros(9), np.zeros((2, 5)), np.zeros((4, 3), "U2"), np.zeros((2, 3, 3))]
)
def test_tables_that_do_not_fit(tmp_path, table):
    np.save(tmp_path / "cloud.npy", table)
    with pytest.raises(UnreadableInput, match=r"cloud\.npy: "):
        read_cloud(tmp_path / "cloud.npy")


def test_pickles_are_refused(tmp_path):
    np.save(tmp_path / "cloud.npy", np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(UnreadableInput, match=r"cloud\.npy: "):
        read_cloud(tmp_path / "cloud.npy")


def test_cut_short_anywhere_is_refused(tmp_path):
    for suffix, save in ((".npy", np.save), (".npz", lambda file, points: np.savez(file, points=points))):
        stream = io.BytesIO()
        save(stream, POINTS)
        data = stream.getvalue()
        path = tmp_path / f"cloud{suffix}"
        for length in range(1, len(data), 7):
            path.write_bytes(data[:length])
            with pytest.raises(UnreadableInput, match="cloud"):
                read_cloud(path)


def test_a_header_that_lies_takes_no_memory(tmp_path):
    path = tmp_path / "cloud.npy"
    with path.open("wb") as file:
        header = {"descr": "<f8", "fortran_order": False, "shape": (9_999_999_999, 3)}
        np.lib.format.write_array_header_1_0(file, header)
        file.write(POINTS.tobytes())
    with pytest.raises(UnreadableInput, match="cut short"):
        read_cloud(path)
