"""The command line on scans in tiles: the files that it writes, and those that it does not overwrite."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sasnet_sdf.cli.main import run
from sasnet_sdf.io import write_cloud

QUICK = [
    *("--preset", "fast", "--device", "cpu", "--steps", "20", "--edge-length", "0.12", "--tiles", "1.2"),
    *("--set", "supervision.targets=5000", "--set", "training.batch=512", "-q"),
]


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch, serially, ball) -> Path:
    """The current folder, with a scan, and without Dask."""
    monkeypatch.chdir(tmp_path)
    write_cloud("scan.ply", ball(2000))
    return tmp_path


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_mesh_for_each_tile_is_written_into_a_folder(folder, capsys):
    words = ["reconstruct", "scan.ply", "-o", "parts.ply", "--split", *QUICK[:-1]]
    assert run([*words, "--report", "report.json"]) == 0
    assert "wrote parts (" in capsys.readouterr().err
    assert names(folder) == ["parts", "report.json", "scan.ply"]
    assert names(folder / "parts") == [*(f"{n:06d}.ply" for n in range(8)), "index.json"]
    assert json.loads((folder / "report.json").read_text())["seconds"]["write"] > 0.001
    assert run(words) == 2
    assert "parts: exists; give --overwrite or another name" in capsys.readouterr().err
    assert run([*words, "--overwrite"]) == 0
    assert run(["reconstruct", "parts/000000.ply", "-o", "parts.ply", "--split", "--overwrite"]) == 2
    assert "parts: the folder for the meshes of tiles has an input" in capsys.readouterr().err


def test_a_model_is_replaced_by_a_new_one(folder, capsys):
    words = ["reconstruct", "scan.ply", "-o", "out.ply", "--save-model", "model.sasnet", *QUICK]
    (folder / "model.sasnet").write_text("of one field")
    assert run([*words, "--overwrite"]) == 0
    before = names(folder / "model.sasnet")
    assert "tiles.json" in before and len(before) == 10
    assert run(words) == 2
    assert "out.ply: exists" in capsys.readouterr().err
    (folder / "out.ply").unlink()
    assert run(words) == 2
    assert "model.sasnet: exists; give --overwrite" in capsys.readouterr().err
    (folder / "model.sasnet" / "000099.sasnet").touch()
    assert run([*words, "--overwrite"]) == 0
    assert names(folder / "model.sasnet") == before
    assert run(["extract", "model.sasnet", "-o", "again.ply", "--edge-length", "5", "-q"]) == 2
    assert "lattice cells of this model are at most" in capsys.readouterr().err


def test_each_of_several_scans_has_a_scratch_folder_of_its_own(folder, ball):
    write_cloud("other.ply", ball(2000))
    words = ["reconstruct", "scan.ply", "other.ply", "--scratch", "scratch", "--keep-scratch", *QUICK]
    assert run(words) == 0
    assert names(folder / "scratch") == ["other_surface.ply.tiles", "scan_surface.ply.tiles"]
