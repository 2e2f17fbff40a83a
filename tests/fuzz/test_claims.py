"""A small file that claims to be large is refused before memory, or time, is taken for it."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

GROWTH = 100 << 20
"""Bytes; what is claimed is gigabytes."""


@pytest.fixture(scope="module")
def rows(fuzz, whole, root, tmp_path_factory):
    """What a process of its own found of each file, where the address space is limited."""
    if sys.platform != "linux":
        pytest.skip("limits of the address space, and the peak of the memory, are Linux's")
    folder = tmp_path_factory.mktemp("claims")
    fuzz.claims.write_all(folder, whole)
    path = os.pathsep.join(filter(None, [str(root), os.environ.get("PYTHONPATH")]))
    command = [sys.executable, fuzz.check.__file__, str(whole), str(folder)]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=300, env={**os.environ, "PYTHONPATH": path}
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found = {row["name"]: row for row in map(json.loads, done.stdout.splitlines())}
    assert set(found) == {path.name for path in folder.iterdir()} and len(found) >= 45
    return found


def test_all_are_refused_in_one_line(rows):
    assert [name for name, row in rows.items() if row["taken"]] == []
    assert max(len(message) for row in rows.values() for message in row["messages"]) < 400


def test_none_takes_memory(rows):
    assert {name: row["grown"] for name, row in rows.items() if row["grown"] > GROWTH} == {}


@pytest.mark.parametrize(
    "name, words",
    [
        ("ascii.ply", "holds 1 of the 1000000000 vertices"),
        ("binary.ply", "holds 5 of the 1000000000 vertices"),
        ("faces.ply", "of the 1000000000 faces"),
        ("nothing.ply", "no properties"),
        ("binary.pcd", "holds about 6 of the 1000000000 points"),
        ("vertices.off", "cannot be the 1000000000 vertices"),
        ("corners.off", "a face has 1000000000 corners, 3 are there"),
        ("cube.stl", "holds 2 of the 4000000000 triangles"),
        ("scan.ptx", "of the 1000000000000000000 points"),
        ("points.npy", "cut short"),
        ("objects.npy", "real numbers, found object"),
        ("sizes.npz", "cannot hold the 4000000000"),
        ("members.npz", "3001 members"),
        ("accessor.glb", "cannot hold the 12000000000"),
        ("placed.glb", "cannot hold"),
        ("elsewhere.glb", "another file"),
        ("instances.glb", "cannot hold"),
        ("sparse.glb", "reaches beyond its view"),
        ("four.glb", "(3, 4), not (N, 3)"),
        ("line.npz", "found: a b"),
        ("photo.jpg", "pixels"),
        ("zTXt.png", "too large"),
        ("iCCP.png", "too large"),
        ("plain.tif", "cannot hold"),
        ("bomb_gz.nrrd", "too long"),
        ("bomb_bz2.nrrd", "too long"),
        ("tensor.sasnet", "damaged or cut short"),
    ],
)
def test_the_message_says_what_is_claimed(rows, name, words):
    assert words in " ".join(rows[name]["messages"])


@pytest.mark.parametrize(
    "name, words",
    [
        ("points.las", "holds 12 of the 4000000000 points"),
        ("points.laz", "holds 50000 of the 4000000000 points"),
        ("records.las", "cannot hold the 3000000000 records"),
        ("chunks.laz", "table of chunks"),
        ("chunk.laz", "cannot hold"),
        ("item.laz", "two sizes"),
        ("entities.e57", "document type"),
        ("nested.e57", "nested"),
    ],
)
def test_scanners_files(rows, name, words):
    pytest.importorskip("laspy", reason='pip install "sasnet-sdf[lidar]"')
    pytest.importorskip("pye57", reason='pip install "sasnet-sdf[lidar]"')
    assert words in rows[name]["messages"][0]
