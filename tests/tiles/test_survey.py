"""One pass over a scan: occupied voxels, the coarse cloud, and decisions that hold for every piece."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from sasnet_sdf.config import Config, InputConfig
from sasnet_sdf.errors import UnreadableInput, UnusableGeometry, UsageError
from sasnet_sdf.geometry import PointCloud, TriangleMesh
from sasnet_sdf.io import read_geometry, write_cloud, write_mesh
from sasnet_sdf.tiles import occupied as module
from sasnet_sdf.tiles.occupied import Occupied, keys_in, keys_of
from sasnet_sdf.tiles.survey import Survey

CONFIG = Config()


def wavy(count, seed, low=(0.0, 0.0), high=(1.0, 1.0)):
    """Points on a wavy sheet over a rectangle."""
    places = np.random.default_rng(seed).uniform(low, high, (count, 2))
    return np.column_stack([places, 0.1 * np.sin(9 * places[:, 0])])


def split(points, seed, parts):
    """The points as pieces in another order."""
    order = np.random.default_rng(seed).permutation(len(points))
    return [points[rows] for rows in np.array_split(order, parts)]


def same(first, second):
    return (
        first.side == second.side
        and np.array_equal(first.origin, second.origin)
        and np.array_equal(first.places, second.places)
        and np.array_equal(first.counts, second.counts)
    )


def test_the_counts_of_a_regular_grid():
    """48^3 points, 8 along a side of the tile: voxels of an eighth of that have one point each."""
    points = np.stack(np.meshgrid(*[np.arange(48) + 0.5] * 3, indexing="ij"), -1).reshape(-1, 3) - 20
    occupied = Occupied(8.0)
    for piece in split(points, 0, 5):
        occupied.add(piece)
    voxels = occupied.voxels()
    # voxels of 1 have one point, which is too few: they are enlarged up to an eighth of the side
    assert voxels.side == 1.0 and len(voxels.counts) == 48**3 and (voxels.counts == 1).all()
    assert voxels.origin.tolist() == [-21.0] * 3 and voxels.places.min() == 1 and voxels.places.max() == 48
    assert np.array_equal(voxels.places, np.unique(voxels.places, axis=0))
    assert np.array_equal(keys_of(points, voxels)[np.argsort(keys_of(points, voxels))], keys_in(voxels))


def test_there_are_enough_points_in_a_voxel():
    occupied = Occupied()
    occupied.add(wavy(100_000, 0))
    voxels = occupied.voxels()
    assert voxels.counts.sum() == 100_000 and np.log2(voxels.side) % 1 == 0
    assert 16 <= 100_000 / len(voxels.counts) < 80
    spacing = np.median(np.repeat(voxels.spacing(), voxels.counts))
    assert spacing == pytest.approx(np.sqrt(1.2 / 100_000), rel=0.25)


@pytest.mark.parametrize("side", [None, 0.3])
@pytest.mark.parametrize("far", [0.0, 5.4e6])
def test_the_order_of_the_pieces_has_no_influence(monkeypatch, side, far):
    monkeypatch.setattr(module, "_MOST", 3000)
    dense = np.concatenate([wavy(30_000, 1), wavy(30_000, 2, (-3.0, -2.0), (-2.9, -1.9)), [[40.0, 0, 0]]])
    found = []
    for seed, parts in ((0, 1), (1, 40), (2, 700)):
        occupied = Occupied(side)
        pieces = split(dense + far, seed, parts)
        if seed == 2:  # a piece of one point is as long as nothing
            pieces = [pieces[0][:1], pieces[0][1:], *pieces[1:]]
        for piece in pieces:
            occupied.add(piece)
        found.append(occupied.voxels())
        assert occupied.low.tolist() == (dense + far).min(0).tolist()
    assert same(found[0], found[1]) and same(found[0], found[2])
    assert 0 < len(found[0].counts) <= 3000 and found[0].counts.sum() == len(dense)
    places = np.floor((dense + far) / found[0].side)
    unique, counts = np.unique(places, axis=0, return_counts=True)
    assert np.array_equal(unique - unique.min(0) + 1, found[0].places)
    assert np.array_equal(counts, found[0].counts)


def test_the_voxels_divide_the_side_of_a_tile(monkeypatch):
    for most, count, wanted in (
        (200_000, 200_000, 2.0**-5),
        (200_000, 60_000, 2.0**-4),  # there are 10 points in voxels of 2^-5
        (200_000, 2000, 2.0**-3),
        (400, 200_000, 2.0**-3),
        (3, 200_000, 1.0),
    ):
        monkeypatch.setattr(module, "_MOST", most)
        occupied = Occupied(0.5)
        occupied.add(wavy(count, 0))
        assert occupied.voxels().side == 0.5 * wanted


def test_tiles_can_be_too_small():
    with pytest.raises(UsageError, match=r"tiles of 1e-06 are too small for a scan of 0\.99\d: give"):
        Occupied(1e-6).add(wavy(100, 0))


def test_the_coarse_cloud_is_that_of_the_reader(tmp_path):
    points = wavy(20_000, 0)
    normals = np.tile([0.0, 0, 2], (20_000, 1))
    normals[:5] = 0
    cloud = PointCloud(points, normals, scalars={"intensity": np.arange(20_000, dtype=np.float32)})
    write_cloud(tmp_path / "scan.ply", cloud)
    survey = Survey.of(tmp_path / "scan.ply", CONFIG, 2000, None)
    wanted = read_geometry(tmp_path / "scan.ply", 2000)
    assert isinstance(wanted, PointCloud)
    assert 1000 <= len(survey.coarse) <= len(wanted) <= 2000 and survey.points == 20_000
    assert survey.coarse.normals is not None and set(survey.coarse.scalars) == {"intensity"}
    assert set(survey.coarse.scalars["intensity"]) <= set(wanted.scalars["intensity"])
    assert (survey.coarse.normals == [0, 0, 1]).all()
    assert survey.low.tolist() == points.min(0).tolist() and survey.high.tolist() == points.max(0).tolist()
    again = list(survey.clouds())
    assert np.array_equal(np.concatenate([piece.points for piece in again]), points)
    found = np.concatenate([piece.normals for piece in again if piece.normals is not None])
    assert np.isnan(found[:5]).all() and (found[5:] == [0, 0, 1]).all()


def test_filters_and_points_that_are_not_finite():
    points = wavy(5000, 0)
    points[7] = np.nan
    config = Config(input=InputConfig(crop=(0, 0, -1, 0.5, 1, 1)))
    survey = Survey.of(points, config, 1000, None)
    inside = int((points[:, 0] <= 0.5).sum())
    assert survey.points == inside == survey.voxels.counts.sum() == sum(map(len, survey.clouds()))
    assert survey.notes == (f"{inside} of 5000 points are inside the crop and were kept",)
    assert Survey.of(points, CONFIG, 9000, None).notes == (
        "1 of 5000 points are not finite and were left out",
    )
    with pytest.raises(UnusableGeometry, match="the input: none of its 5000 points is inside the crop"):
        Survey.of(points, Config(input=InputConfig(crop=(5, 5, 5, 6, 6, 6))), 1000, None)
    with pytest.raises(UnusableGeometry, match="usable points: 3; at least 10"):
        Survey.of(points[:3], CONFIG, 1000, None)


def test_several_sources_have_the_attributes_that_all_have(tmp_path):
    first = PointCloud(wavy(3000, 1), colors=np.full((3000, 3), 7, np.uint8), scalars={"a": np.arange(3000)})
    second = PointCloud(wavy(2000, 2), scalars={"a": np.arange(2000), "b": np.arange(2000)})
    write_cloud(tmp_path / "first.ply", first)
    survey = Survey.of([tmp_path / "first.ply", second], CONFIG, 1000, None)
    assert survey.points == 5000 and set(survey.coarse.scalars) == {"a"}
    assert survey.notes == ("only some of the inputs have colors, b: left out",)
    pieces = list(survey.clouds())
    assert [len(piece) for piece in pieces] == [3000, 2000]
    assert all(piece.colors is None and set(piece.scalars) == {"a"} for piece in pieces)


def test_a_source_of_which_thinning_keeps_nothing(tmp_path):
    """The same scan twice: all points of the second lie in voxels that have one already."""
    cloud = PointCloud(wavy(3000, 1), scalars={"a": np.arange(3000)})
    survey = Survey.of([cloud, cloud], CONFIG, 500, None)
    assert survey.points == 6000 and len(survey.coarse) <= 500 and (survey.voxels.counts % 2 == 0).all()
    assert [piece.scalars["a"][-1] for piece in survey.clouds()] == [2999, 2999]


def generated(pieces, colors=None):
    return lambda: (PointCloud(piece, colors=colors) for piece in pieces)


def test_a_function_gives_the_pieces():
    points = wavy(4000, 3)
    survey = Survey.of(generated(np.array_split(points, 7)), CONFIG, 1000, 0.5)
    whole = Survey.of(points, CONFIG, 1000, 0.5)
    assert same(survey.voxels, whole.voxels)
    assert np.array_equal(survey.coarse.points, whole.coarse.points)
    assert np.array_equal(np.concatenate([piece.points for piece in survey.clouds()]), points)


def written(path, points, colors, kind):
    """A binary PLY with colors of a type."""
    names = [("x", "<f8"), ("y", "<f8"), ("z", "<f8"), *((n, kind) for n in ("red", "green", "blue"))]
    rows = np.empty(len(points), names)
    for k, name in enumerate(("x", "y", "z")):
        rows[name] = points[:, k]
    for k, name in enumerate(("red", "green", "blue")):
        rows[name] = colors[:, k]
    types = {"<f8": "double", "<u2": "ushort", "<f4": "float"}
    lines = [f"property {types[kind]} {name}" for name, kind in names]
    head = [
        "ply",
        "format binary_little_endian 1.0",
        f"element vertex {len(points)}",
        *lines,
        "end_header",
        "",
    ]
    path.write_bytes("\n".join(head).encode() + rows.tobytes())


@pytest.mark.parametrize(("kind", "factor"), [("<u2", 257), ("<f4", 1 / 255)])
def test_the_whole_scan_says_what_its_colors_are(tmp_path, monkeypatch, kind, factor):
    """The first piece is nearly black: alone, it would be of eight bits, or of whole numbers."""
    monkeypatch.setattr("sasnet_sdf.io.columns.PIECE", 500)
    wanted = np.random.default_rng(0).integers(0, 256, (5000, 3))
    wanted[:500] = [1, 0, 1]
    written(tmp_path / "scan.ply", wavy(5000, 0), wanted * factor, kind)
    survey = Survey.of(tmp_path / "scan.ply", CONFIG, 1000, None)
    found = [piece.colors for piece in survey.clouds() if piece.colors is not None]
    assert len(found) == 10 and np.array_equal(np.concatenate(found), wanted)


def test_packed_colors_that_are_small_numbers_in_one_piece():
    """Alone, the first piece would have a scalar of one byte."""
    points, packed = wavy(1000, 0), np.full(1000, 0x0A141E, np.uint32)
    packed[:300] = 200

    def pieces():
        for rows in (slice(0, 300), slice(300, 1000)):
            yield PointCloud(points[rows], scalars={"rgb": packed[rows]})

    survey = Survey.of(pieces, CONFIG, 2000, None)
    assert survey.coarse.colors is not None and not survey.coarse.scalars
    found = np.concatenate([piece.colors for piece in survey.clouds() if piece.colors is not None])
    assert found.tolist() == [[0, 0, 200]] * 300 + [[10, 20, 30]] * 700


def test_normals_stored_like_colors():
    normals = np.random.default_rng(0).normal(size=(4000, 3))
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    normals[:9] = [0, 0, 1]
    points = wavy(4000, 0)

    def pieces():
        yield PointCloud(points[:3], normals[:3] / 2 + 0.5)
        yield PointCloud(points[3:], normals[3:] / 2 + 0.5)

    survey = Survey.of(pieces, CONFIG, 1000, None)
    assert survey.encoded and survey.notes[-1].startswith(
        "in a sample of the scan: the normals are stored as"
    )
    found = np.concatenate([piece.normals for piece in survey.clouds() if piece.normals is not None])
    np.testing.assert_allclose(found, normals, rtol=0, atol=1e-12)


def test_a_las_file(tmp_path, monkeypatch):
    """Colors of LAS are absent where all of them are black, and 16 bits deep where one is large."""
    laspy = pytest.importorskip("laspy", reason="laspy is not installed (the lidar extra)")
    monkeypatch.setattr("sasnet_sdf.io.las.PIECE", 400)
    points = np.round(wavy(2000, 0) * 50, 3) + [512_700.0, 5_403_500.0, 300.0]
    for name, red in (("black", np.zeros(2000)), ("red", np.where(np.arange(2000) < 1500, 0, 257 * 90))):
        header = laspy.LasHeader(point_format=3, version="1.2")
        header.scales, header.offsets = np.full(3, 0.001), np.floor(points.mean(0))
        data = laspy.LasData(header)
        data.x, data.y, data.z = points.T
        data.red, data.classification = red, np.where(np.arange(2000) == 3, 7, 2)
        data.write(str(tmp_path / f"{name}.las"))
    assert Survey.of(tmp_path / "black.las", CONFIG, 500, None).coarse.colors is None
    survey = Survey.of(tmp_path / "red.las", CONFIG, 500, None)
    pieces = list(survey.clouds())
    assert [len(piece) for piece in pieces] == [399, 400, 400, 400, 400]
    found = np.concatenate([piece.colors for piece in pieces if piece.colors is not None])
    assert found[:, 0].tolist() == [0] * 1499 + [90] * 500
    np.testing.assert_allclose(np.concatenate([p.points for p in pieces]), np.delete(points, 3, 0), atol=1e-9)
    assert "noise (class 7 or 18)" in survey.notes[0] and "classification" in survey.coarse.scalars


def test_meshes_are_refused(tmp_path):
    mesh = TriangleMesh(np.eye(3), np.array([[0, 1, 2]]))
    write_mesh(tmp_path / "mesh.ply", mesh)
    for source in (mesh, tmp_path / "mesh.ply", [wavy(50, 0), mesh][1:], lambda: iter([mesh])):
        with pytest.raises(UsageError, match="is a mesh, but tiles need a point cloud"):
            Survey.of(source, CONFIG, 1000, None)
    with pytest.raises(UnreadableInput, match="no such file"):
        Survey.of(tmp_path / "none.ply", CONFIG, 1000, None)


def test_memory_does_not_grow_with_the_scan():
    """5 million points are 120 MB, the coarse cloud of 50,000 is 1.2 MB."""

    def pieces():
        for seed in range(25):
            yield PointCloud(wavy(200_000, seed, (seed, 0.0), (seed + 1.0, 1.0)))

    Survey.of(wavy(1000, 0), CONFIG, 100, None)  # compiles
    tracemalloc.start()
    survey = Survey.of(pieces, CONFIG, 50_000, None)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert survey.points == 5_000_000 and len(survey.voxels.counts) <= 200_000
    assert peak < 80e6
