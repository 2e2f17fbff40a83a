"""The same bytes in another process, and with another number of threads."""

from __future__ import annotations

import subprocess
import sys

import igl
import numpy as np
import pytest

import sasnet_sdf
from sasnet_sdf.cli.main import run
from sasnet_sdf.geometry import PointCloud

FIT = ["--preset", "fast", "--steps", "12", "--device", "cpu", "-q", "--overwrite"]
SCAN = [*FIT, "--resolution", "32", "--set", "targets=6000", "--set", "width=16"]
COMMANDS = {
    "reconstruct": ("scan.npz", "surface.ply", SCAN),
    "fit-image": ("image.png", "image.sasnet", [*FIT, "--parameters", "3000"]),
    "fit-volume": ("volume.npy", "volume.sasnet", [*FIT, "--parameters", "3000"]),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A noisy scan without normals, an image, and a volume, each of more samples than a step takes."""
    from PIL import Image

    folder, rng = tmp_path_factory.mktemp("same"), np.random.default_rng(0)
    points = rng.normal(size=(6000, 3))
    points *= (1 + 0.01 * rng.normal(size=(6000, 1))) / np.linalg.norm(points, axis=1, keepdims=True)
    np.savez(folder / "scan.npz", points=points, colors=rng.integers(0, 256, (6000, 3), np.uint8))
    x, y, z = np.mgrid[:130, :140, :20].astype(np.float32)
    Image.fromarray(np.stack([x, y, x * y % 255], 3)[:, :, 0].astype(np.uint8)).save(folder / "image.png")
    np.save(folder / "volume.npy", np.sin(x / 9) + np.cos(y / 7) * z)
    return folder


def words(folder, name, threads, output):
    source, _, more = COMMANDS[name]
    return [name, str(folder / source), "-o", str(output), *more, "--threads", str(threads)]


@pytest.fixture(scope="module")
def elsewhere(folder):
    """What another process makes of everything, on one thread."""
    made = {name: folder / f"elsewhere_{output}" for name, (_, output, _) in COMMANDS.items()}
    lines = [words(folder, name, 1, output) for name, output in made.items()]
    code = f"from sasnet_sdf.cli.main import run\nassert [run(words) for words in {lines!r}] == [0] * 3"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return made


@pytest.mark.parametrize("number", [1, 3])
@pytest.mark.parametrize("name", COMMANDS)
def test_the_same_bytes(name, number, folder, elsewhere, threads):
    output = folder / COMMANDS[name][1]
    threads(number)
    assert run(words(folder, name, number, output)) == 0
    assert output.read_bytes() == elsewhere[name].read_bytes()


@pytest.mark.slow
def test_pytorch_surfaces_with_other_numbers_of_threads_are_close(threads):
    rng = np.random.default_rng(0)
    around, across = rng.uniform(0, 2 * np.pi, (2, 6000))
    normals = np.stack([np.cos(across) * np.cos(around), np.cos(across) * np.sin(around), np.sin(across)], 1)
    circle = np.stack([np.cos(around), np.sin(around), 0 * around], 1)
    torus, meshes = PointCloud(0.6 * circle + 0.25 * normals, normals), []
    for number in (1, 3):
        threads(number)
        fast = {"preset": "fast", "steps": 300, "resolution": 48, "engine": "torch", "device": "cpu"}
        settings = ["targets=6000", "width=32"]
        meshes.append(sasnet_sdf.reconstruct(torus, **fast, settings=settings).mesh)
    one, other = meshes
    squares, *_ = igl.point_mesh_squared_distance(one.vertices, other.vertices, other.faces.astype(np.int64))
    cells = np.sqrt(squares) * 48 / 1.7
    assert np.median(cells) < 0.03
    assert np.quantile(cells, 0.99) < 0.45
    assert cells.max() < 1.5
