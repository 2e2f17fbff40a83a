"""Tiles: boxes that share a scan's points out evenly, and files that hold every point exactly once."""

from __future__ import annotations

import errno
import itertools
import json
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from sasnet_sdf.config import Config
from sasnet_sdf.errors import UnreadableInput, UsageError
from sasnet_sdf.geometry import PointCloud
from sasnet_sdf.io import write_cloud
from sasnet_sdf.tiles import partition
from sasnet_sdf.tiles.boxes import tiling_of
from sasnet_sdf.tiles.partition import distribute, is_distributed, read_raw
from sasnet_sdf.tiles.scratch import Scratch
from sasnet_sdf.tiles.survey import Survey
from sasnet_sdf.tiles.tiling import Tiling, Voxels

CONFIG = Config()


def sheet(count, seed=0, size=(4.0, 2.0)):
    """Points on a wavy sheet, four times denser in a corner."""
    rng = np.random.default_rng(seed)
    places = np.concatenate([rng.random((count // 2, 2)) * size, rng.random((count - count // 2, 2))])
    return np.column_stack([places, 0.1 * np.sin(9 * places[:, 0])])


def surveyed(source, side=None):
    return Survey.of(source, CONFIG, 2000, side)


def tiling_by_points(survey, most=5000, longest=10**6, overlap=5.0, cell=0.01):
    return tiling_of(survey.voxels, most, None, cell, overlap, longest)


def line(counts, side=1.0):
    """Voxels along x with so many points; there is an empty one where the count is 0."""
    places = np.array([(k + 1, 1, 1) for k, count in enumerate(counts) if count], np.int32)
    return Voxels(np.zeros(3), side, places, np.array([count for count in counts if count], np.int64))


def fills(tiling: Tiling):
    """Whether the boxes of the tiles fill the box of the tiling without overlap."""
    taken = np.zeros(tiling.high - tiling.low, np.int64)
    for tile in tiling.tiles:
        low, high = tile.low - tiling.low, tile.high - tiling.low
        taken[tuple(slice(a, b) for a, b in zip(low, high, strict=True))] += 1
    return bool((taken == 1).all())


def test_tiles_have_few_points_and_fill_the_box():
    survey = surveyed(sheet(40_000))
    tiling = tiling_by_points(survey)
    assert fills(tiling) and [tile.number for tile in tiling.tiles] == list(range(len(tiling.tiles)))
    points = [tile.points for tile in tiling.tiles]
    assert sum(points) == 40_000 and max(points) <= 5000 and 8 <= len(points) <= 24
    shape = np.array([np.subtract(tile.high, tile.low) for tile in tiling.tiles])
    assert (shape.max(1) <= 4 * np.maximum(shape[:, :2].min(1), 1)).all()
    assert (tiling.low == 0).all() and (tiling.high == survey.voxels.places.max(0) + 2).all()
    assert tiling.cells == round(survey.voxels.side / 0.01)


def test_a_box_is_cut_where_that_halves_its_points():
    tiling = tiling_of(line([10, 10, 10, 10, 40, 0]), 50, None, 0.1, 1.0, 10**6)
    # voxels 0..7 along x, of which voxel 5 has half of the points
    assert sorted((tile.low[0], tile.high[0], tile.points) for tile in tiling.tiles) == [
        (0, 5, 40),
        (5, 7, 40),
    ]
    # but each part has a quarter of the length
    tiling = tiling_of(line([90, 1, 1, 1, 1, 1]), 90, None, 0.1, 1.0, 10**6)
    assert sorted((tile.low[0], tile.high[0], tile.points) for tile in tiling.tiles) == [
        (0, 2, 90),
        (2, 8, 5),
    ]


def test_one_voxel_is_not_cut_and_none_is_longer_than_allowed():
    tiling = tiling_of(line([1000]), 10, None, 0.1, 1.0, 10**6)
    assert [tile.points for tile in tiling.tiles] == [1000]
    tiling = tiling_of(line([5] * 30), 10**6, None, 0.1, 1.0, 80)
    assert fills(tiling) and tiling.cells == 10
    assert max(max(np.subtract(tile.high, tile.low)) for tile in tiling.tiles) <= 8
    # a voxel may be longer than allowed: then that is the size of the tiles
    tiling = tiling_of(line([5] * 3), 10**6, None, 0.1, 1.0, 5)
    assert {tuple(np.subtract(tile.high, tile.low)) for tile in tiling.tiles} == {(1, 1, 1)}


def test_a_long_scan_has_more_space_around_it():
    tiling = tiling_of(line([5] * 298), 500, None, 0.1, 1.0, 10**6)
    assert fills(tiling) and len(tiling.tiles) == 4
    # 300 voxels, of which one at either end is empty, and two more: 0.01 of the length
    np.testing.assert_array_equal([tiling.low, tiling.high], [[-2, -2, -2], [302, 5, 5]])
    assert [tile.points for tile in tiling.tiles] == [370, 375, 375, 370]


def test_a_side_gives_a_regular_grid():
    survey = surveyed(sheet(40_000), 1.0)
    tiling = tiling_of(survey.voxels, 10, 1.0, 0.01, 5.0, 10)
    assert fills(tiling) and len(tiling.tiles) == 4 * 2 * 1
    shape = np.array([np.subtract(tile.high, tile.low) for tile in tiling.tiles]) * survey.voxels.side
    assert (shape[:, :2] >= 0.9).all() and (shape[:, :2] <= 1.15).all()


def test_neighbors_along_the_curve_are_near():
    tiling = tiling_of(surveyed(sheet(40_000), 0.25).voxels, 10, 0.25, 0.01, 5.0, 10)
    centers = np.array([np.add(tile.low, tile.high) / 2 for tile in tiling.tiles]) * tiling.side
    steps = np.linalg.norm(np.diff(centers, axis=0), axis=1)
    assert len(centers) > 100 and np.median(steps) < 0.36


def test_the_overlap_is_in_spacings_of_the_tile():
    voxels = line([100] * 8 + [0] * 8 + [25] * 8)
    spacing = np.sqrt(2 / 3 / 100)
    tiling = tiling_of(voxels, 10**6, 8.0, 1 / 64, 3.0, 10**6)
    dense, empty, sparse = sorted(tiling.tiles, key=lambda tile: tile.low)
    assert [tile.points for tile in (dense, empty, sparse)] == [800, 0, 200]
    assert dense.overlap == pytest.approx(3 * spacing) and sparse.overlap == pytest.approx(6 * spacing)
    assert empty.overlap == pytest.approx(3 * spacing)
    for overlap, cell, wanted in ((0.1, 1 / 64, 8 / 64), (99.0, 1 / 64, 1.5), (99.0, 1.0, 8.0)):
        tiling = tiling_of(voxels, 10**6, 8.0, cell, overlap, 10**6)
        assert {tile.overlap for tile in tiling.tiles} == {wanted}


def described(count, seed=0):
    points, rng = sheet(count, seed), np.random.default_rng(seed)
    normals = rng.normal(size=(count, 3))
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    return PointCloud(
        points,
        normals,
        rng.integers(0, 256, (count, 3)).astype(np.uint8),
        points + [0.0, 0, 5],
        {"intensity": rng.random(count).astype(np.float32), "other": np.arange(count)},
    )


@pytest.mark.parametrize("side", [None, 0.7])
@pytest.mark.parametrize("piece", [700, 1 << 18])
def test_every_point_comes_back_once_bit_for_bit(tmp_path, monkeypatch, side, piece):
    for module in ("sasnet_sdf.tiles.partition", "sasnet_sdf.tiles.survey"):
        monkeypatch.setattr(f"{module}.PIECE", piece)
    cloud, scratch = described(20_000), Scratch(tmp_path)
    survey = surveyed(cloud, side)
    tiling = tiling_of(survey.voxels, 3000, side, 0.01, 5.0, 10**6)
    assert not is_distributed(tiling, scratch, ["intensity"])
    distribute(survey, tiling, scratch, ["intensity"])
    assert is_distributed(tiling, scratch, ["intensity"]) and not is_distributed(tiling, scratch)
    parts = [read_raw(scratch, tile.number) for tile in tiling.tiles]
    assert [len(part) for part in parts] == [tile.points for tile in tiling.tiles] and len(parts) > 7
    ids = np.full(20_000, -1)
    by_place = {place.tobytes(): row for row, place in enumerate(cloud.points)}
    for tile, part in zip(tiling.tiles, parts, strict=True):
        rows = np.array([by_place[place.tobytes()] for place in part.points], np.int64)
        assert (np.diff(rows) > 0).all() and (ids[rows] == -1).all()  # in the order of the input
        ids[rows] = tile.number
        low, high = tiling.box(tile)
        slack = 0 if side is None else 1e-12
        assert ((part.points >= low - slack) & (part.points <= high + slack)).all()
        assert np.array_equal(part.colors, cloud.colors[rows])
        assert np.array_equal(part.sensors, cloud.sensors[rows])
        assert np.abs(part.normals - cloud.normals[rows]).max(initial=0) < 1e-7
        assert part.normals.dtype == np.float64 and set(part.scalars) == {"intensity"}
        assert np.array_equal(part.scalars["intensity"], cloud.scalars["intensity"][rows])
        assert part.scalars["intensity"].dtype == np.float32
    assert (ids >= 0).all()
    assert not [path for path in (tmp_path / "raw").iterdir() if path.name.startswith(".")]


def test_a_box_of_a_tile_and_rows_without_normals(tmp_path):
    cloud, scratch = described(5000), Scratch(tmp_path)
    cloud.normals[:40] = 0
    cloud.sensors[40:60] = np.nan
    survey = surveyed(cloud)
    tiling = tiling_by_points(survey, 10**6)
    distribute(survey, tiling, scratch)
    whole = read_raw(scratch, 0)
    assert tiling.tiles[0].points == 5000 and np.array_equal(whole.points, cloud.points[60:])
    low, high = np.array([0.2, 0.1, -1]), np.array([0.5, 0.6, 1])
    inside = ((whole.points >= low) & (whole.points < high)).all(1)
    part = read_raw(scratch, 0, low, high)
    assert inside.sum() > 300 and np.array_equal(part.points, whole.points[inside])
    assert np.array_equal(part.colors, whole.colors[inside])
    assert len(read_raw(scratch, 0, low + 50, high + 50)) == 0


def test_files_that_are_merged(tmp_path):
    """A PLY in float32 and an NPY without column names: one partition."""
    first, second = sheet(3000, 1).astype(np.float32), sheet(2000, 2)
    rows = np.empty(3000, [("x", "<f4"), ("y", "<f4"), ("z", "<f4")])
    for k, name in enumerate("xyz"):
        rows[name] = first[:, k]
    head = "ply\nformat binary_little_endian 1.0\nelement vertex 3000\n"
    head += "".join(f"property float {name}\n" for name in "xyz") + "end_header\n"
    (tmp_path / "first.ply").write_bytes(head.encode() + rows.tobytes())
    np.save(tmp_path / "second.npy", second)
    survey = surveyed([tmp_path / "first.ply", tmp_path / "second.npy"])
    tiling, scratch = tiling_by_points(survey, 1000), Scratch(tmp_path / "scratch")
    distribute(survey, tiling, scratch)
    found = np.concatenate([read_raw(scratch, tile.number).points for tile in tiling.tiles])
    wanted = np.concatenate([first.astype(np.float64), second])
    assert np.array_equal(found[np.lexsort(found.T)], wanted[np.lexsort(wanted.T)])


def test_a_las_file(tmp_path):
    laspy = pytest.importorskip("laspy", reason="laspy is not installed (the lidar extra)")
    points = np.round(sheet(4000) * 50, 3) + [512_700.0, 5_403_500.0, 300.0]
    header = laspy.LasHeader(point_format=0, version="1.2")
    header.scales, header.offsets = np.full(3, 0.001), np.floor(points.mean(0))
    data = laspy.LasData(header)
    data.x, data.y, data.z = points.T
    data.intensity = np.arange(4000)
    data.write(str(tmp_path / "scan.las"))
    survey = surveyed(tmp_path / "scan.las")
    tiling, scratch = tiling_by_points(survey, 500, cell=1.0), Scratch(tmp_path / "scratch")
    distribute(survey, tiling, scratch, ["intensity"])
    found = np.full((4000, 3), np.nan)
    for tile in tiling.tiles:
        part = read_raw(scratch, tile.number)
        found[part.scalars["intensity"]] = part.points
        low, high = tiling.box(tile)
        assert ((part.points >= low) & (part.points < high)).all()
    np.testing.assert_allclose(found, points, rtol=0, atol=1e-8)


def changing(first, second):
    """A function that gives one cloud at the first call, and another one later."""
    clouds = itertools.chain([first], itertools.repeat(second))
    return lambda: iter([PointCloud(next(clouds))])


@pytest.mark.parametrize("how", ["less", "more", "moved", "far"])
def test_an_input_that_changes_is_refused(tmp_path, how):
    points = sheet(5000)
    later = {
        "less": points[:-1],
        "more": np.concatenate([points, points[:1]]),
        "moved": points + [0.0, 0, 3],
        "far": np.concatenate([points[:-1], [[1e12, -1e12, 0]]]),
    }[how]
    survey = surveyed(changing(points, later))
    scratch = Scratch(tmp_path)
    with pytest.raises(UsageError, match="the input: differs between two readings"):
        distribute(survey, tiling_by_points(survey, 1000), scratch)
    assert not list((tmp_path / "raw").iterdir())


def test_a_column_that_disappears(tmp_path):
    path = tmp_path / "scan.ply"
    write_cloud(path, PointCloud(sheet(500), scalars={"a": np.arange(500)}))
    survey = surveyed(path)
    write_cloud(path, PointCloud(sheet(500)))
    with pytest.raises(UnreadableInput, match=r"scan\.ply: changed while it was read: has no column a now"):
        distribute(survey, tiling_by_points(survey), Scratch(tmp_path / "scratch"))


def test_a_full_disk(tmp_path, monkeypatch):
    survey, scratch = surveyed(sheet(5000)), Scratch(tmp_path)
    tiling = tiling_by_points(survey, 1000)
    distribute(survey, tiling, scratch)
    opened = Path.open

    def full(path, mode="r", *more, **words):
        if mode == "ab":
            raise OSError(errno.ENOSPC, "No space left on device")
        return opened(path, mode, *more, **words)

    monkeypatch.setattr(Path, "open", full)
    with pytest.raises(UsageError, match=r"the scratch folder cannot be written \(No space left on device\)"):
        distribute(survey, tiling, scratch)
    assert not is_distributed(tiling, scratch)
    assert not [path for path in (tmp_path / "raw").iterdir() if path.name.startswith(".")]


def test_another_tiling_and_damaged_files(tmp_path):
    survey, scratch = surveyed(sheet(5000)), Scratch(tmp_path)
    tiling = tiling_by_points(survey, 1000)
    with pytest.raises(UsageError, match=r"done\.json: a scratch file is missing or damaged"):
        read_raw(scratch, 0)
    distribute(survey, tiling, scratch)
    assert not is_distributed(tiling_by_points(survey, 2000), scratch)
    (tmp_path / "raw" / "000000.points.npy").write_bytes(b"\x93NUMPY")
    with pytest.raises(UsageError, match=r"000000\.points\.npy: a scratch file is missing or damaged"):
        read_raw(scratch, 0)
    (tmp_path / "raw" / "done.json").write_text("[" + json.dumps("no"))
    assert not is_distributed(tiling, scratch)


def test_memory_does_not_grow_with_the_scan(tmp_path):
    """2 million points are 48 MB in two passes of pieces of 50,000; at most PIECE rows wait."""

    def pieces():
        for seed in range(40):
            yield PointCloud(sheet(50_000, seed))

    survey = surveyed(pieces)
    tiling, scratch = tiling_by_points(survey, 100_000), Scratch(tmp_path)
    tracemalloc.start()
    distribute(survey, tiling, scratch)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 40e6 and partition.PIECE == 1 << 18
    assert sum(len(read_raw(scratch, tile.number)) for tile in tiling.tiles) == 2_000_000


def test_tiles_have_nearly_as_many_points_as_allowed():
    tiling = tiling_of(line([100] * 300), 7000, None, 0.1, 1.0, 10**6)
    assert fills(tiling)
    # halving would make 8 of 3,750
    assert sorted(tile.points for tile in tiling.tiles) == [6000] * 5


def test_too_many_tiles_are_refused():
    voxels = line([1] * 30)
    with pytest.raises(UsageError, match=r"^this side makes \S+ tiles, more than 20,000: give --tiles"):
        tiling_of(voxels, 10, 0.1, 0.01, 1.0, 10**6)
