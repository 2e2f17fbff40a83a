"""The table that `query` writes reads back exactly in every format."""

from __future__ import annotations

import numpy as np
import pytest

from sasnet_sdf.errors import UsageError
from sasnet_sdf.io import read_cloud, write_table
from sasnet_sdf.io.columns import FIELD

RNG = np.random.default_rng(0)
POINTS, DISTANCES, GRADIENTS = RNG.normal(size=(20, 3)) + 5e6, RNG.normal(size=20), RNG.normal(size=(20, 3))
TABLE = np.column_stack([POINTS, DISTANCES, GRADIENTS])


@pytest.mark.parametrize("extension, mark", [(".csv", ","), (".txt", " ")])
def test_text(tmp_path, extension, mark):
    path = tmp_path / f"out{extension}"
    write_table(path, POINTS, DISTANCES, GRADIENTS)
    assert path.read_text().splitlines()[0].split(mark) == list(FIELD)
    assert np.array_equal(np.loadtxt(path, delimiter=mark, skiprows=1), TABLE)
    assert np.array_equal(read_cloud(path).points, POINTS)


def test_arrays(tmp_path):
    write_table(tmp_path / "out.npy", POINTS, DISTANCES, GRADIENTS)
    assert np.array_equal(np.load(tmp_path / "out.npy"), TABLE)
    write_table(tmp_path / "out.npz", POINTS, DISTANCES, GRADIENTS)
    with np.load(tmp_path / "out.npz") as found:
        assert np.array_equal(found["points"], POINTS) and np.array_equal(found["gradients"], GRADIENTS)
        assert np.array_equal(found["distances"], DISTANCES)


def test_ply(tmp_path):
    from plyfile import PlyData

    write_table(tmp_path / "out.ply", POINTS, DISTANCES.astype(np.float32), GRADIENTS)
    rows = PlyData.read(tmp_path / "out.ply")["vertex"]
    assert np.array_equal(rows["gz"], GRADIENTS[:, 2])
    assert np.array_equal(rows["distance"], DISTANCES.astype(np.float32))
    assert np.array_equal(read_cloud(tmp_path / "out.ply").points, POINTS)


def test_unknown_extension(tmp_path):
    with pytest.raises(UsageError, match=r"out\.obj: unknown extension \.obj; known: \.ply \.csv"):
        write_table(tmp_path / "out.obj", POINTS, DISTANCES, GRADIENTS)
