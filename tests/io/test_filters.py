"""Which points are wanted: a box, classifications, no withheld points, no noise; counted in notes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sasnet_sdf.config import InputConfig
from sasnet_sdf.errors import UnusableGeometry, UsageError
from sasnet_sdf.geometry import PointCloud, TriangleMesh
from sasnet_sdf.io import read_geometry, read_merged, write_cloud, write_mesh

RNG = np.random.default_rng(0)
COUNT = 6000
POINTS = RNG.random((COUNT, 3)) * [100, 100, 10]
POINTS[0], POINTS[-1] = (0, 0, 0), (100, 100, 10)
CLASSES = np.arange(COUNT) % 9
WITHHELD = (np.arange(COUNT) % 100 == 1).astype(np.uint8)
BOX = (20.0, 30.0, 0.0, 30.0, 50.0, 10.0)
INSIDE = (POINTS[:, 0] >= 20) & (POINTS[:, 0] <= 30) & (POINTS[:, 1] >= 30) & (POINTS[:, 1] <= 50)
ALL_BUT_NOISE = InputConfig()


def cloud(**scalars):
    return PointCloud(POINTS, scalars={"row": np.arange(COUNT), **scalars})


def surveyed():
    return cloud(classification=CLASSES, withheld=WITHHELD)


def write_las(path):
    laspy = pytest.importorskip("laspy", reason="laspy is not installed (the lidar extra)")
    header = laspy.LasHeader(point_format=6, version="1.4")
    header.scales = np.full(3, 1e-6)
    header.add_extra_dim(laspy.ExtraBytesParams(name="row", type=np.int32))
    data = laspy.LasData(header)
    data.x, data.y, data.z = POINTS.T
    data.classification, data.withheld, data.row = CLASSES, WITHHELD, np.arange(COUNT)
    data.write(str(path))


@pytest.fixture(params=["memory", "las", "laz", "ply", "npz"])
def source(request, tmp_path, monkeypatch):
    for room in ("columns", "las", "thinning"):
        monkeypatch.setattr(f"sasnet_sdf.io.{room}.PIECE", 700)
    if request.param == "memory":
        return surveyed()
    path = tmp_path / f"scan.{request.param}"
    if request.param in ("las", "laz"):
        write_las(path)
    elif request.param == "ply":
        write_cloud(path, surveyed())
    else:
        np.savez(path, points=POINTS, row=np.arange(COUNT), classification=CLASSES, withheld=WITHHELD)
    return path


def rows(source, wanted, most=None):
    found = read_merged([source], most, None, wanted)
    return found.scalars["row"].astype(int).tolist(), found.notes


def test_withheld_points_and_noise_are_left_out(source):
    found, notes = rows(source, ALL_BUT_NOISE)
    assert found == np.flatnonzero((WITHHELD == 0) & (CLASSES != 7)).tolist()
    assert notes == (
        "60 points are marked as withheld and were left out",
        f"{(CLASSES[WITHHELD == 0] == 7).sum()} points are noise (class 7 or 18) and were left out;"
        " choose classes to keep them",
    )
    assert rows(source, None) == (list(range(COUNT)), ())


def test_classes_are_chosen_and_noise_where_it_is_asked_for(source):
    found, notes = rows(source, InputConfig(classes=(2, 7)))
    assert found == np.flatnonzero((WITHHELD == 0) & np.isin(CLASSES, (2, 7))).tolist()
    assert notes[1] == f"{len(found)} of {COUNT - 60} points have the classes 2, 7 and were kept"


def test_a_crop_keeps_its_full_density(source):
    """6,000 points are too many; those of the crop are few, and none of them is thinned away."""
    for crop in (BOX, BOX[3:] + BOX[:3]):
        found, notes = rows(source, InputConfig(classes=(0, 1, 2, 3, 4, 5, 6, 7, 8), crop=crop), 1000)
        assert found == np.flatnonzero(INSIDE & (WITHHELD == 0)).tolist()
        assert notes[0] == f"{INSIDE.sum()} of {COUNT} points are inside the crop and were kept"
        assert not any("thinned" in note for note in notes)
    thinned, notes = rows(source, InputConfig(crop=BOX), 50)
    assert len(thinned) <= 50 and set(thinned) <= set(found) and "thinned from " in notes[-1]


def test_an_empty_choice_says_what_there_is(source):
    outside = "none of its 6000 points is inside the crop; they lie from 0,0,0 to 100,100,10"
    with pytest.raises(UnusableGeometry, match=outside):
        rows(source, InputConfig(crop=(200, 0, 0, 300, 100, 10)))
    with pytest.raises(
        UnusableGeometry, match="no point has the class 40; there are: 0, 1, 2, 3, 4, 5, 6, 7"
    ):
        rows(source, InputConfig(classes=(40,)))


def test_classes_of_clouds_that_are_not_airborne():
    other = cloud(scalar_Classification=CLASSES.astype(np.float32))
    assert len(rows(other, ALL_BUT_NOISE)[0]) == COUNT
    assert rows(other, InputConfig(classes=(7,)))[0] == np.flatnonzero(CLASSES == 7).tolist()
    with pytest.raises(UsageError, match=r"no column classification to choose by \(found: row, x, y, z\)"):
        rows(cloud(), InputConfig(classes=(2,)))
    with pytest.raises(UnusableGeometry, match="all its 6000 points are withheld or noise"):
        rows(cloud(classification=CLASSES * 0 + 7, withheld=WITHHELD), ALL_BUT_NOISE)


def test_points_that_are_not_finite_are_outside(tmp_path):
    points = POINTS.copy()
    points[:10] = np.nan
    found = read_merged([PointCloud(points)], None, None, InputConfig(crop=(0, 0, 0, 100, 100, 10)))
    assert len(found.points) == COUNT - 10


@pytest.mark.parametrize("wanted", [{"crop": BOX}, {"classes": (2,)}])
def test_meshes_have_no_points_to_choose(tmp_path, wanted):
    write_mesh(tmp_path / "mesh.ply", TriangleMesh(np.eye(3), np.array([[0, 1, 2]])))
    with pytest.raises(UsageError, match=f"is a mesh; {next(iter(wanted))} chooses points"):
        read_geometry(tmp_path / "mesh.ply", wanted=InputConfig(**wanted))
    assert read_geometry(Path(tmp_path / "mesh.ply"), wanted=ALL_BUT_NOISE).faces.tolist() == [[0, 1, 2]]
