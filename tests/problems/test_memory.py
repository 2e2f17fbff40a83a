"""--max-memory: what fits stays within it, and what does not is refused before the time is spent."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from sasnet_sdf import fit_image, fit_volume, reconstruct
from sasnet_sdf.config import PRESETS
from sasnet_sdf.errors import UsageError
from sasnet_sdf.extraction import extract_surface, lattice_around
from sasnet_sdf.geometry import Frame, PointCloud, TriangleMesh
from sasnet_sdf.io import write_image
from sasnet_sdf.problems import problem as memory
from sasnet_sdf.problems.problem import new_network
from sasnet_sdf.problems.surface import SurfaceProblem
from sasnet_sdf.runtime.system import format_memory, held_bytes, parse_memory
from sasnet_sdf.supervision import prepare

MEBI = 1 << 20

RAISED = """
import json, re, sys
import numpy as np
import sasnet_sdf
from sasnet_sdf.errors import UsageError
from sasnet_sdf.runtime.system import parse_memory, peak_memory_bytes

kind, count, words = sys.argv[1], int(sys.argv[2]), json.loads(sys.argv[3])
rng, steps = np.random.default_rng(0), []
if kind == "cloud":
    points = rng.normal(size=(count, 3))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    run, source, words = sasnet_sdf.reconstruct, points, {"max_points": count, **words}
else:
    run = sasnet_sdf.fit_image if kind == "image" else sasnet_sdf.fit_volume
    source = rng.random((count, count, 3) if kind == "image" else (count,) * 3).astype(np.float32)
limit, refusals = 100 << 20, []
while True:
    try:
        run(source, max_memory=limit, on_progress=lambda p: steps.append(p.step), **words)
    except UsageError as error:
        refusals.append(str(error))
        assert not any(steps), "it was refused after training had begun"
        limit = int(1.01 * parse_memory(re.search(r"needs about ([0-9.]+[MG])", str(error))[1]))
        continue
    break
print(json.dumps([limit, peak_memory_bytes(), refusals]))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the peak of the memory is asked as Linux tells it")
@pytest.mark.parametrize(
    ("kind", "count", "words", "stage"),
    [
        ("cloud", 120_000, {"settings": ["supervision.targets=50000"]}, "preparing 120000 points"),
        ("cloud", 2000, {"settings": ["supervision.targets=800000"]}, "drawing 800000 targets"),
        (
            *("cloud", 2000),
            {"model": "siren", "settings": ["supervision.targets=50000", "training.batch=50000"]},
            "training on batches of 50000",
        ),
        ("image", 640, {"parameters": 3000, "batch": 1000}, "measuring the fit"),
        (
            *("volume", 48, {"model": "siren", "parameters": 5000, "batch": 100_000}),
            "training on batches of 100000",
        ),
    ],
)
def test_raised_until_it_fits_it_fits(root, kind, count, words, stage):
    """In a process of its own: the limit follows what each refusal says is needed."""
    words = {**words, "steps": 3, **({"resolution": 48, "trim": "off"} if kind == "cloud" else {})}
    path = os.pathsep.join(filter(None, [str(root), os.environ.get("PYTHONPATH")]))
    done = subprocess.run(
        [sys.executable, "-c", RAISED, kind, str(count), json.dumps(words)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": path},
    )
    assert done.returncode == 0, done.stderr[-2000:]
    limit, peak, refusals = json.loads(done.stdout)
    assert any(stage in words for words in refusals), refusals
    assert all("would fit" in words or "already" in words for words in refusals)
    assert 0.7 * limit < peak < 1.1 * limit, (limit / MEBI, peak / MEBI, refusals)


def sphere(count):
    points = np.random.default_rng(0).normal(size=(count, 3))
    return points / np.linalg.norm(points, axis=1, keepdims=True)


def refused(run, *given, limit, **words):
    """What a run says that may not hold so many bytes; it never trains."""
    with pytest.raises(UsageError) as found:
        run(*given, max_memory=limit, on_progress=_no_step, **words)
    assert "\n" not in str(found.value) and "more than the" in str(found.value)
    return str(found.value)


def _no_step(progress):
    assert not progress.step


def test_a_lattice_is_refused_before_training_with_one_that_fits():
    limit = held_bytes() + 700 * MEBI
    words = refused(reconstruct, sphere(3000), limit=limit, resolution=2048)
    assert words.startswith("extraction at resolution 2048 needs about ")
    fitting = int(words.split("resolution ")[-1].split()[0])
    assert 400 < fitting < 1000
    words = refused(reconstruct, sphere(3000), limit=limit, resolution=int(1.2 * fitting))
    assert f"resolution {int(1.2 * fitting)}" in words


def test_points_that_fit_are_named():
    limit = held_bytes() + 250 * MEBI
    words = refused(reconstruct, sphere(300_000), limit=limit, preset="fast", max_points=300_000)
    assert words.startswith(("preparing 300000 points", "drawing"))
    fitting = int(words.split("max-points ")[1].split()[0])
    assert 20_000 < fitting < 300_000


@pytest.mark.parametrize("count", [20_000, 100_000])
def test_vertices_are_foretold_from_the_points_of_a_sphere(count):
    frame = Frame(np.zeros(3), 1 / 0.95)
    points = sphere(count)
    cloud = prepare(PointCloud(points, points), frame)[0]
    lattice = lattice_around(np.full(3, -0.95), np.full(3, 0.95), 2 / 128)
    vertices = len(
        extract_surface(
            lambda p: np.linalg.norm(p, axis=1) - 0.95,
            lambda p: (np.linalg.norm(p, axis=1) - 0.95, p / np.linalg.norm(p, axis=1, keepdims=True)),
            lattice,
        ).vertices
    )
    assert memory.vertices_of(cloud, lattice.cell) == pytest.approx(vertices, rel=0.2)


def test_vertices_are_foretold_from_a_mesh():
    corners = np.stack(np.meshgrid(*[[-0.5, 0.5]] * 3, indexing="ij"), -1).reshape(-1, 3)
    hull = np.array(
        [[0, 1, 3], [0, 3, 2], [4, 7, 5], [4, 6, 7], [0, 5, 1], [0, 4, 5]]
        + [[2, 3, 7], [2, 7, 6], [0, 2, 6], [0, 6, 4], [1, 7, 3], [1, 5, 7]]
    )
    target = prepare(TriangleMesh(corners, hull), Frame(np.zeros(3), 1.0))[0]
    assert memory.vertices_of(target, 1 / 64) == pytest.approx(6 * 64**2)


def test_what_a_network_keeps_is_counted():
    config = replace(PRESETS["fast"], max_memory=1 << 40)

    def kept(engine):
        model = new_network(config.model, 3, 1, engine, 0)
        return memory.plan_of(model, config, SurfaceProblem.trial).network

    wide = kept("torch").kept
    # sines of four layers of 64 neurons, their masks, and what is kept for the gradient's gradient
    assert 4 * 4 * 64 < wide < 100 * 4 * 64
    compiled = kept("numba")
    assert compiled.kept < wide / 10 < compiled.drawn < wide


def test_images_and_volumes_are_refused_before_they_are_fitted(tmp_path):
    image = np.zeros((600, 800, 3), np.uint8)
    image[::2] = 200
    words = refused(fit_image, image, limit=held_bytes() + 120 * MEBI)
    assert words.startswith(("training on batches of 16384 needs", "measuring the fit needs"))
    volume = np.random.default_rng(0).random((40, 40, 40))
    words = refused(fit_volume, volume, limit=held_bytes() + 110 * MEBI, model="siren")
    assert words.startswith("training on batches of 16384 needs") and "training.batch=" in words
    write_image(tmp_path / "image.png", image)
    words = refused(fit_image, tmp_path / "image.png", limit=held_bytes() + 2 * MEBI)
    assert words.startswith(f"{tmp_path / 'image.png'}: reading it needs")


def test_a_rendering_is_refused_with_the_size_that_fits():
    fitted = fit_image(np.tile(np.arange(40, dtype=np.uint8), (30, 1)), steps=2)
    limit = held_bytes() + 330 * MEBI
    with pytest.raises(
        UsageError, match=r"rendering of 480,067,500 samples needs.*size \d+x\d+ would fit"
    ) as found:
        fitted.render(scale=632.5, max_memory=limit)
    width, height = map(int, str(found.value).split("size ")[1].split()[0].split("x"))
    assert 1000 < width < 25_300 and width / height == pytest.approx(4 / 3, rel=0.01)
    fitted.render(scale=2, max_memory=limit)


def test_sizes_are_written_as_they_are_read():
    for size in (1 << 20, 4 << 30, 3_500_000_000):
        assert parse_memory(format_memory(size)) == pytest.approx(size, rel=0.01)
