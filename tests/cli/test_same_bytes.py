"""The same bytes in another process, and with another number of threads."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from sasnet_sdf.cli.main import run

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
