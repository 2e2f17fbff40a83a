"""E57: scans pooled in the file's coordinates, each point with the place of its scanner."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from sasnet_sdf.errors import MissingBackend, UnreadableInput
from sasnet_sdf.io import read_cloud, read_geometry
from sasnet_sdf.io.scanners import _columns

pye57 = pytest.importorskip("pye57", reason="pye57 is not installed (the lidar extra)")

RNG = np.random.default_rng(0)
POINTS = [RNG.normal(size=(300, 3)), RNG.normal(size=(200, 3))]
COLORS = [RNG.integers(0, 256, (len(p), 3)).astype(np.uint8) for p in POINTS]
PLACES = np.array([[1.0, 2, 3], [-4, 5, 1.5]])
HALF = np.sqrt(0.5)
TURNS = [np.array([1.0, 0, 0, 0]), np.array([HALF, 0, 0, HALF])]
"""The second scanner is turned by 90 degrees about z: x becomes y, y becomes -x."""


def scan(k, **more):
    columns = dict(zip(("cartesianX", "cartesianY", "cartesianZ"), POINTS[k].T, strict=True))
    return {name: np.ascontiguousarray(values) for name, values in (columns | more).items()}


def colors(k):
    return dict(zip(("colorRed", "colorGreen", "colorBlue"), COLORS[k].T, strict=True))


def write(path, *scans):
    with pye57.E57(str(path), "w") as file:
        for k, columns in enumerate(scans):
            file.write_scan_raw(columns, rotation=TURNS[k], translation=PLACES[k])


def test_scans_are_pooled_with_poses_and_sensors(tmp_path):
    path = tmp_path / "site.e57"
    write(path, *(scan(k, intensity=np.linspace(0, 1, len(POINTS[k])), **colors(k)) for k in range(2)))
    cloud = read_cloud(path)
    turned = np.stack([-POINTS[1][:, 1], POINTS[1][:, 0], POINTS[1][:, 2]], axis=1)
    # this writer keeps single precision
    np.testing.assert_allclose(
        cloud.points, np.concatenate([POINTS[0] + PLACES[0], turned + PLACES[1]]), atol=1e-6
    )
    assert np.array_equal(cloud.sensors, np.repeat(PLACES, [300, 200], axis=0))
    assert np.array_equal(cloud.colors, np.concatenate(COLORS))
    np.testing.assert_allclose(cloud.scalars["intensity"][:300], np.linspace(0, 1, 300), atol=1e-6)
    assert list(cloud.scalars) == ["intensity"] and cloud.notes == ()


def test_invalid_points_and_colors_of_one_scan_only_are_left_out(tmp_path):
    path = tmp_path / "site.e57"
    invalid = np.zeros(300, np.int8)
    invalid[::3] = 1
    write(path, scan(0, cartesianInvalidState=invalid, **colors(0)), scan(1))
    cloud = read_cloud(path)
    assert len(cloud) == 400 and cloud.colors is None
    np.testing.assert_allclose(cloud.points[:200], POINTS[0][invalid == 0] + PLACES[0], atol=1e-6)
    assert cloud.notes == (
        "100 of 500 rows hold no measurement and were left out",
        "only some of its scans have red, green, blue: left out",
    )


def test_spherical_coordinates_and_normals():
    raw = {"sphericalRange": np.array([2.0, 1.0]), "sphericalAzimuth": np.array([0.0, np.pi / 2])}
    raw |= {"sphericalElevation": np.array([0.0, np.pi / 6]), "timeStamp": np.array([7.0, 8.0])}
    raw |= {f"nor:normal{axis}": np.array([value, 0.0]) for axis, value in zip("XYZ", (1, 0, 0), strict=True)}
    turn = np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])
    columns = _columns(raw, (turn, np.array([10.0, 0, 0])))
    points = np.stack([columns[axis] for axis in "xyz"], axis=1)
    np.testing.assert_allclose(points, [[10, 2, 0], [10 - np.sqrt(0.75), 0, 0.5]], atol=1e-12)
    assert [columns[name][0] for name in ("nx", "ny", "nz", "vx", "timeStamp")] == [0, 1, 0, 10, 7]


def test_a_scan_without_a_pose_has_no_sensor():
    columns = _columns({name: np.ones(3) for name in ("cartesianX", "cartesianY", "cartesianZ")}, None)
    assert list(columns) == ["x", "y", "z"]


def test_cut_short_or_damaged_is_refused(tmp_path):
    path = tmp_path / "site.e57"
    write(path, scan(0))
    data = path.read_bytes()
    for length in range(1, len(data), len(data) // 20):
        path.write_bytes(data[:length])
        with pytest.raises(UnreadableInput, match=r"site\.e57: not an E57 file") as caught:
            read_geometry(path)
        assert "\n" not in str(caught.value) and len(str(caught.value)) < 250 + len(str(path))
    path.write_bytes(data[:2000] + bytes(10) + data[2010:])
    with pytest.raises(UnreadableInput, match="checksum"):
        read_geometry(path)
    assert path.exists()


def test_without_the_library_the_command_that_installs_it(tmp_path, monkeypatch):
    (tmp_path / "site.e57").write_bytes(b"ASTM-E57")
    monkeypatch.setitem(sys.modules, "pye57", None)
    monkeypatch.delitem(sys.modules, "pye57.libe57", raising=False)
    with pytest.raises(MissingBackend, match=r'pip install "sasnet-sdf\[lidar\]"'):
        read_geometry(tmp_path / "site.e57")
