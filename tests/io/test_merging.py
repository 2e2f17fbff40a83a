"""Several files and clouds as one scan: the points of all, the attributes that all have."""

from __future__ import annotations

import numpy as np
import pytest

from sasnet_sdf.config import InputConfig
from sasnet_sdf.errors import UnreadableInput, UnusableGeometry, UsageError
from sasnet_sdf.geometry import PointCloud, TriangleMesh
from sasnet_sdf.io import read_merged, write_cloud, write_mesh


def part(count, seed, offset=0.0, **more):
    points = np.random.default_rng(seed).random((count, 3)) + offset
    return PointCloud(points, scalars={"row": np.arange(count) + 10_000 * seed}, **more)


def colored(count, value):
    return np.full((count, 3), value, np.uint8)


def test_points_and_shared_attributes_of_all(tmp_path):
    first = part(300, 1, colors=colored(300, 7), normals=np.tile([0.0, 0, 1], (300, 1)))
    second = part(200, 2, 5.0, colors=colored(200, 200))
    write_cloud(tmp_path / "a.ply", first)
    np.savez(tmp_path / "b.npz", points=second.points, colors=second.colors, row=second.scalars["row"])
    whole = read_merged([tmp_path / "a.ply", str(tmp_path / "b.npz"), second])
    assert np.array_equal(whole.points, np.concatenate([first.points, second.points, second.points]))
    assert np.array_equal(whole.colors[:, 0], np.repeat([7, 200], [300, 400]))
    assert whole.scalars["row"][[0, 299, 300, 699]].tolist() == [10_000, 10_299, 20_000, 20_199]
    assert whole.normals is None
    assert whole.notes == ("only some of the inputs have normals: left out",)


def test_colors_of_different_depths_and_reference_systems(tmp_path):
    """Each file says by all its colors whether they have 8 or 16 bits."""
    laspy = pytest.importorskip("laspy", reason="laspy is not installed (the lidar extra)")
    for name, color, degrees in (("a", 200, False), ("b", 100 * 257, True)):
        header = laspy.LasHeader(point_format=7, version="1.4")
        header.scales = np.full(3, 0.001)
        text = 'GEOGCS["WGS 84"]' if degrees else 'PROJCS["UTM 32"]'
        header.vlrs.append(laspy.vlrs.known.WktCoordinateSystemVlr(text))
        data = laspy.LasData(header)
        data.x, data.y, data.z = part(50, 3).points.T
        data.red = data.green = data.blue = np.full(50, color)
        data.write(str(tmp_path / f"{name}.las"))
    whole = read_merged([tmp_path / "a.las", tmp_path / "b.las"], 1000)
    assert np.array_equal(whole.colors[:, 1], np.repeat([200, 100], 50))
    assert whole.geographic and whole.notes == (
        "a.las: coordinate reference system: UTM 32",
        "b.las: coordinate reference system: WGS 84",
    )
    same = read_merged([tmp_path / "a.las", tmp_path / "a.las"])
    assert not same.geographic and same.notes == ("coordinate reference system: UTM 32",)


@pytest.mark.parametrize("piece", [137, 5000])
def test_the_points_of_all_are_thinned_as_those_of_one(tmp_path, monkeypatch, piece):
    monkeypatch.setattr("sasnet_sdf.io.columns.PIECE", piece)
    first, second = part(2000, 1), part(3000, 2, 0.5)
    write_cloud(tmp_path / "a.ply", first)
    one = PointCloud(
        np.concatenate([first.points, second.points]),
        scalars={"row": np.concatenate([first.scalars["row"], second.scalars["row"]])},
    )
    whole, wanted = read_merged([tmp_path / "a.ply", second], 800), read_merged([one], 800)
    assert 400 <= len(whole) <= 800 and whole.scalars["row"].tolist() == wanted.scalars["row"].tolist()
    assert whole.notes == wanted.notes and whole.notes[0].startswith(f"thinned from 5000 to {len(whole)} ")


def test_an_input_outside_the_crop_takes_no_attribute_away(tmp_path):
    first, second = part(300, 1, colors=colored(300, 7)), part(200, 2, 5.0)
    wanted = InputConfig(crop=(0, 0, 0, 1, 1, 1))
    for most in (None, 250):
        whole = read_merged([first, second], most, None, wanted)
        assert whole.colors is not None and whole.scalars["row"].max() < 20_000
        assert whole.notes[0] == "300 of 500 points are inside the crop and were kept"
    with pytest.raises(UnusableGeometry, match="the input, the input: none of its 500 points is inside"):
        read_merged([first, second], None, None, InputConfig(crop=(9, 9, 9, 10, 10, 10)))


def test_what_cannot_be_merged(tmp_path):
    write_mesh(tmp_path / "mesh.ply", TriangleMesh(np.eye(3), np.array([[0, 1, 2]])))
    with pytest.raises(UsageError, match=r"mesh\.ply: is a mesh; only point clouds can be merged"):
        read_merged([part(100, 1), tmp_path / "mesh.ply"])
    with pytest.raises(UnreadableInput, match=r"gone\.ply: no such file"):
        read_merged([part(100, 1), tmp_path / "gone.ply"])
