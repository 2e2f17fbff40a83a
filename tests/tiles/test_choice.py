"""When a scan is cut into tiles, and when one field is used as ever."""

from __future__ import annotations

import sys
from dataclasses import replace

import numpy as np
import pytest

import sasnet_sdf
from sasnet_sdf.config import Config, TilesConfig
from sasnet_sdf.errors import MissingBackend, UnusableGeometry, UsageError
from sasnet_sdf.io import write_cloud
from sasnet_sdf.problems.reconstruct import Reconstruction
from sasnet_sdf.runtime.system import memory_limit_bytes
from sasnet_sdf.tiles import choice, settings
from sasnet_sdf.tiles.result import TiledReconstruction
from sasnet_sdf.tiles.tiling import Tile, Tiling

pytest.importorskip("distributed")

FAST = {
    "preset": "fast",
    "device": "cpu",
    "edge_length": 0.1,
    "steps": 20,
    "settings": ["supervision.targets=5000", "training.batch=512"],
}
INSTALL = 'pip install "sasnet-sdf[tiles]"'


def strip(length: float = 12.0, spacing: float = 0.08) -> sasnet_sdf.PointCloud:
    """Waves of height 0.1 over a strip of width 2, with normals."""
    x, y = np.meshgrid(np.arange(0, length, spacing), np.arange(0, 2, spacing), indexing="ij")
    x, y = x.ravel(), y.ravel()
    normals = np.stack([-0.2 * np.cos(2 * x), np.zeros_like(x), np.ones_like(x)], 1)
    points = np.stack([x, y, 0.1 * np.sin(2 * x)], 1)
    return sasnet_sdf.PointCloud(points, normals / np.linalg.norm(normals, axis=1, keepdims=True))


@pytest.fixture
def long(monkeypatch) -> sasnet_sdf.PointCloud:
    """A scan of 3,750 points, which counts as too long for one field in the test."""
    monkeypatch.setattr(settings, "FEWEST", 1000)
    monkeypatch.setattr(settings, "DETAIL", 50)
    return strip()


@pytest.fixture
def calls(monkeypatch) -> list[str]:
    """Which of the two ways was taken; neither does anything but call the check."""
    found: list[str] = []

    def one(source, config, on_progress, check):
        check(source)
        found.append("one")

    monkeypatch.setattr(choice, "surface_of_source", one)
    monkeypatch.setattr(choice, "surface_of_tiles", lambda *_, **__: found.append("tiles"))
    return found


def why(cloud: sasnet_sdf.PointCloud, **options) -> str:
    """Why a cloud needs tiles."""
    return settings.needs_tiles(cloud, sasnet_sdf.make_config(**options))


def test_a_mesh_for_each_tile_needs_tiles(monkeypatch):
    told = []
    monkeypatch.setattr(choice, "surface_of_source", lambda *args: told.extend(args[3](strip(2.0))))
    sasnet_sdf.reconstruct(strip(2.0), split=True, output="surface.ply")
    assert [finding.text for finding in told] == ["--split has no effect on a scan with one field"]


def test_a_usual_scan_has_one_field_with_the_same_bytes(tmp_path):
    cloud = strip(4.0)
    found = {way: sasnet_sdf.reconstruct(cloud, tiles=way, **FAST) for way in (None, "auto", "off")}
    files = []
    for way, result in found.items():
        assert isinstance(result, Reconstruction)
        assert result.report["notes"] == found["off"].report["notes"]
        result.field.save(tmp_path / f"{way}.sasnet")
        result.mesh.save(tmp_path / f"{way}.ply")
        files.append((tmp_path / f"{way}.ply").read_bytes() + (tmp_path / f"{way}.sasnet").read_bytes())
    assert files[0] == files[1] == files[2]


def test_a_long_scan_is_cut_and_a_note_says_so(long, tmp_path):
    write_cloud(tmp_path / "long.ply", long)
    result = sasnet_sdf.reconstruct(tmp_path / "long.ply", workers=1, **FAST)
    assert isinstance(result, TiledReconstruction)
    notes = [note for note in result.report["notes"] if "cut into tiles" in note]
    assert len(notes) == 1
    assert "long.ply was cut into tiles, since its longest side is 1" in notes[0]
    assert notes[0].endswith("times the spacing of its points; --tiles off uses one field")
    assert result.report["tiles"] and result.report["workers"] == 1
    away = np.abs(result.mesh.vertices[:, 2] - 0.1 * np.sin(2 * result.mesh.vertices[:, 0]))
    assert np.quantile(away, 0.95) < 0.02


def test_pieces_give_the_surface_of_the_whole():
    whole, given = strip(6.0), {**FAST, "tiles": 3.0, "workers": 1}

    def pieces():
        for start in range(0, len(whole), 700):
            yield whole.select(np.arange(start, min(start + 700, len(whole))))

    expected, found = sasnet_sdf.reconstruct(whole, **given), sasnet_sdf.reconstruct(pieces, **given)
    assert isinstance(found, TiledReconstruction) and len(found.report["tiles"]) == 2
    assert found.report["input"]["path"] is None and found.report["input"]["points"] == len(whole)
    np.testing.assert_array_equal(found.mesh.vertices, expected.mesh.vertices)
    np.testing.assert_array_equal(found.mesh.faces, expected.mesh.faces)


def test_pieces_are_for_tiles(calls):
    def pieces():
        yield strip(2.0)

    assert choice.surface_of_any(pieces, Config()) is None and calls == ["tiles"]
    with pytest.raises(UsageError, match="a function that returns pieces needs tiles: omit tiles='off'"):
        sasnet_sdf.reconstruct(pieces, tiles="off")


@pytest.mark.parametrize(
    ("options", "way"),
    [
        ({}, "tiles"),
        ({"tiles": "off"}, "one"),
        ({"tiles": 4.0}, "tiles"),
        ({"edge_length": 1.0}, "one"),
        ({"edge_length": 0.1}, "tiles"),
        ({"max_points": 2000}, "one"),
        ({"time_limit": 9.0}, "one"),
        ({"checkpoint": "states"}, "one"),
        ({"checkpoint": "states", "resume": True}, "one"),
        ({"resume": True}, "tiles"),
    ],
)
def test_settings_decide(long, calls, options, way):
    choice.surface_of_any(long, sasnet_sdf.make_config(**options))
    assert calls == [way]


def test_what_needs_tiles(long):
    size = np.ptp(long.points, axis=0).max()
    assert why(long).startswith("its longest side is ")
    shown = float(why(long).split()[4].replace(",", ""))
    assert shown == pytest.approx(size / 0.08, rel=0.5)
    assert why(strip(3.3)) == "" and why(long.select(np.arange(900))) == ""
    thinned = replace(strip(3.3), notes=("thinned from 9,000,000 to 1,100 points",))
    assert why(thinned) == "it has more points than one field uses"
    assert why(thinned, edge_length=0.2) == "" and why(thinned, max_points=1100) == ""


def test_a_mesh_has_one_field(calls, monkeypatch):
    monkeypatch.setattr(settings, "FEWEST", 1)
    monkeypatch.setattr(settings, "DETAIL", 1)
    mesh = sasnet_sdf.TriangleMesh(np.eye(3), np.array([[0, 1, 2]]))
    choice.surface_of_any(mesh, Config())
    assert calls == ["one"]


def test_without_dask_one_field_is_used_and_a_note_says_what_to_install(long, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    result = sasnet_sdf.reconstruct(long, **FAST)
    assert isinstance(result, Reconstruction)
    notes = [note for note in result.report["notes"] if INSTALL in note]
    assert len(notes) == 1 and "one field cannot hold all detail of the scan, since its longest" in notes[0]


def test_tiles_without_dask_are_refused_before_the_work(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)

    def pieces():
        raise AssertionError("it was read")

    with pytest.raises(MissingBackend, match=r'pip install "sasnet-sdf\[tiles\]"'):
        sasnet_sdf.reconstruct(pieces)
    with pytest.raises(MissingBackend, match="working on tiles needs distributed"):
        sasnet_sdf.reconstruct("not there.ply", tiles=2.0)


@pytest.mark.parametrize(
    ("option", "value", "says"),
    [
        ("checkpoint", "states", "--checkpoint cannot be used with tiles"),
        ("time_limit", 5.0, "--time-limit cannot be used with tiles"),
        ("max_points", 1000, "--max-points cannot be used with tiles"),
    ],
)
def test_settings_that_tiles_cannot_honor_are_refused(option, value, says):
    with pytest.raises(UsageError, match=says):
        sasnet_sdf.reconstruct(strip(2.0), tiles=1.0, **{option: value})


def test_resume_without_a_folder_is_refused_where_one_field_is_used():
    for tiles in ("auto", "off"):
        with pytest.raises(UsageError, match="resume needs the folder of the checkpoints"):
            sasnet_sdf.reconstruct(strip(2.0), tiles=tiles, resume=True)


def test_a_damaged_input_has_the_error_that_it_always_had():
    for tiles in ("auto", "off", 1.0):
        with pytest.raises(UnusableGeometry):
            sasnet_sdf.reconstruct(np.zeros((20, 3)), tiles=tiles, **FAST)


@pytest.mark.parametrize("wrong", ["big", 0, -1.0, "nan", float("inf")])
def test_a_side_that_is_no_length_is_refused(wrong):
    with pytest.raises(UsageError, match="tiles must be auto, off, or a positive length, found"):
        TilesConfig(side=wrong)


def test_workers_and_a_scheduler_contradict_each_other():
    with pytest.raises(UsageError, match="give one"):
        sasnet_sdf.make_config(workers=2, scheduler="tcp://host:8786")


def test_memory_decides_how_many_workers_and_how_large_tiles_are():
    given = settings.DRIVER + 3 * settings.worker_memory(settings.MOST)
    config = sasnet_sdf.make_config(max_memory=given)
    assert settings.workers_of(config).workers == min(3, settings.usable_cores())
    assert settings.memory_of(Config()) == int(settings.SHARE * memory_limit_bytes())
    assert settings.most_in_tile(config) == settings.MOST
    # smaller tiles, the same ones for any number of workers, so that the surface is the same
    small = settings.DRIVER + 2 * settings.worker_memory(settings.MOST // 3)
    for workers in (1, 2):
        config = sasnet_sdf.make_config(max_memory=small, workers=workers)
        assert settings.most_in_tile(config) == pytest.approx(settings.MOST // 3, abs=2)
        assert settings.workers_of(config).workers == workers
    with pytest.raises(UsageError, match=r"^tiles need at least 1\..*G of memory: give a"):
        settings.most_in_tile(sasnet_sdf.make_config(max_memory="1.5G"))


def test_tiles_that_do_not_fit_into_memory_are_refused():
    config = sasnet_sdf.make_config(max_memory="4G", workers=1)
    tiling = Tiling(
        *(np.zeros(3), 1.0, 10, np.zeros(3, np.int64), np.full(3, 9)),
        (Tile(0, (0, 0, 0), (9, 9, 9), 1_000_000, 1.0),),
    )
    settings.check_tiles(config, tiling)
    crowded = replace(tiling, tiles=(replace(tiling.tiles[0], points=2_000_000),))
    with pytest.raises(UsageError, match=r"^1 worker on tiles of 2,000,000 points needs .*: give --tiles"):
        settings.check_tiles(config, crowded)
    with pytest.raises(UsageError, match=r"^tiles are 9,000 lattice cells long, more than 4,096: give"):
        settings.check_tiles(config, replace(tiling, cells=1000))


def test_threads_share_the_cores(monkeypatch):
    monkeypatch.setattr(settings, "usable_cores", lambda: 8)
    config = sasnet_sdf.make_config(max_memory="64G")
    assert settings.workers_of(config).workers == 8
    assert settings.workers_of(config, threads=4).workers == 2
    assert settings.workers_of(config, threads=9).workers == 1


def test_a_scan_that_was_thinned_to_little_memory_keeps_one_field(long):
    thinned = replace(strip(3.3), notes=("thinned from 9,000,000 to 1,100 points",))
    assert choice._reason(thinned, Config())
    assert not choice._reason(thinned, sasnet_sdf.make_config(max_memory="1.5G"))
